"""DICOM message exchange: an upper layer that knows no sockets, operations as generators, and two drivers for them."""
