"""Many values: the immutable DataSet, its elements, paths and edits."""
