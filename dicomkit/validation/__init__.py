"""A DataSet is held against the rules of its values and the tables of its IOD; what breaks them is listed."""
