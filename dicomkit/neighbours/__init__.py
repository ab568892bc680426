"""Between our values and the objects of other libraries."""
