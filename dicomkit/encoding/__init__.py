"""Between bytes and DataSet: transfer syntaxes, Part 10 files, encapsulated pixel data."""
