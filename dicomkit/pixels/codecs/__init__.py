"""One module for each family of pixel encodings; `dicomkit.pixels.codecs.registry` finds the one that is needed."""
