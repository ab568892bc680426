"""The SOP classes of print management, and what of its attributes is named otherwise than one expects (PS3.4 H)."""

from __future__ import annotations

from dicomkit.values.tag import Tag

GREY_PRINT = "1.2.840.10008.5.1.1.9"
COLOUR_PRINT = "1.2.840.10008.5.1.1.18"
"""Basic Grayscale and Basic Color Print Management Meta SOP Class: what a presentation context is about."""
FILM_SESSION = "1.2.840.10008.5.1.1.1"
FILM_BOX = "1.2.840.10008.5.1.1.2"
GREY_BOX = "1.2.840.10008.5.1.1.4"
COLOUR_BOX = "1.2.840.10008.5.1.1.4.1"
PRINT_JOB = "1.2.840.10008.5.1.1.14"
ANNOTATION_BOX = "1.2.840.10008.5.1.1.15"
PRINTER = "1.2.840.10008.5.1.1.16"
PRINTER_INSTANCE = "1.2.840.10008.5.1.1.17"
PRESENTATION_LUT = "1.2.840.10008.5.1.1.23"
REFERENCED_JOB = Tag(0x21000500)
"""Referenced Print Job Sequence; its keyword belongs to a retired attribute."""
