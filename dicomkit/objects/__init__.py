"""Between DataSets and what they stand for, family by family of the standard's objects."""
