"""The verbs that join sources and encodings."""
