"""The VR of an element whose header doesn't tell it: from the dictionary, and for private ones from their creator's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from dicomkit.dataset.context import ambiguous
from dicomkit.dataset.index import DICTIONARY_VR, to_word, vr_word
from dicomkit.standard.attributes import vr_of, vr_table
from dicomkit.standard.private import private_attribute


@cache
def implied_kinds() -> Mapping[int, int]:
    """Give the kind of every plain element of the dictionary by its word; sequences, which need more care, left out."""
    return MappingProxyType(
        {to_word(tag): _kind(vr) for tag, vr in vr_table().items() if vr != "SQ"},
    )


@cache
def sequence_words() -> frozenset[int]:
    """Give the words of the sequences of the dictionary."""
    return frozenset(to_word(tag) for tag, vr in vr_table().items() if vr == "SQ")


def implied_kind(tag: int) -> int:
    """Give the kind of a tag as the dictionary has it, 0 where it has none (a private element, or one from later)."""
    vr = vr_of(tag)
    return _kind(vr) if vr else 0


def private_vr(creator: str, tag: int) -> str | None:
    """Give the VR that a private dictionary knows for a tag."""
    known = private_attribute(creator, tag)
    return known.vr if known else None


def _kind(vr: str) -> int:
    """The letters of a VR, or those that stand for a choice that depends on other elements, as a kind."""
    return vr_word(ambiguous(vr)) | DICTIONARY_VR
