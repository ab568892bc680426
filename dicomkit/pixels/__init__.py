"""Between DataSet and NumPy: frames, their codecs, and the grey and colour pipelines of PS3.3 and PS3.4."""
