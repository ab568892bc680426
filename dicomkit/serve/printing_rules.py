"""What requests of print management are judged by, and what comes of them (PS3.4 H.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest
from dicomkit.serve.film_hierarchy import Hierarchy, Printer, PrintJob, PrintLimits

MEMORY_NOT_ALLOCATED, FILM_EMPTY, SESSION_EMPTY, OTHER_DENSITY = 0xB600, 0xB603, 0xB602, 0xB605
NO_FILMS, NO_MEMORY = 0xC600, 0xC605
INVALID_VALUE, ATTRIBUTE_LIST_ERROR, DUPLICATE, NO_SUCH_INSTANCE = 0x0106, 0x0107, 0x0111, 0x0112
CONFLICT, MISSING, NO_VALUE, CLASS_NOT_SUPPORTED, NO_SUCH_ACTION, NO_RESOURCES, UNRECOGNIZED = (
    0x0119,
    0x0120,
    0x0121,
    0x0122,
    0x0123,
    0x0213,
    0x0211,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What requests are judged by.

    Parameters
    ----------
    printer, limits
        What there is to print on, and how much of it.
    negotiated
        The abstract syntaxes of the association.
    elsewhere
        Bytes of the images that other associations hold.
    """

    printer: Printer
    limits: PrintLimits
    negotiated: Collection[str]
    elsewhere: int = 0


class Outcome(NamedTuple):
    """The hierarchy after a request, what is answered, and what is to be printed first."""

    hierarchy: Hierarchy
    answer: NormalizedAnswer
    job: PrintJob | None = None


Transition: TypeAlias = "Callable[[Hierarchy, NormalizedRequest, Rules], Outcome]"
"""What a request does; what is refused raises Refused with the status that is to be answered."""
