"""What an element's meaning takes from the elements around it: its VR where that is open, and its character set."""

from __future__ import annotations

from typing import Any, Protocol

from dicomkit.standard.attributes import vr_of
from dicomkit.standard.private import private_attribute
from dicomkit.values.vr import VRS

AMBIGUOUS_SIGN = "xs"
"""US or SS: Pixel Representation decides."""
AMBIGUOUS_TABLE = "lt"
"""US or OW (or SS): a look-up table."""
AMBIGUOUS_WORD = "ox"
"""OB or OW: pixel-like data."""
LUT_DESCRIPTORS = frozenset((0x00281101, 0x00281102, 0x00281103, 0x00281111, 0x00281112, 0x00281113, 0x00283002))


class Surroundings(Protocol):
    """What is asked of the data set around an element."""

    def outward(self, tag: int) -> Any:
        """The value of a tag here, or else in the nearest data set outside; None where there is none."""

    def private_creator(self, tag: int) -> str | None:
        """The creator of a private tag's block."""


def ambiguous(vr: str) -> str:
    """Name the choice that a dictionary VR such as ``"US|SS"`` leaves open; a plain VR is returned as it is."""
    if "|" not in vr:
        return vr
    return AMBIGUOUS_WORD if "OB" in vr else AMBIGUOUS_TABLE if "OW" in vr else AMBIGUOUS_SIGN


def known_vr(tag: int, around: Surroundings) -> tuple[str, str]:
    """Find the VR of an element whose header tells none (or UN), and where it is from."""
    if tag & 0x10000 and tag & 0xFFFF > 0xFF:
        creator = around.private_creator(tag)
        known = private_attribute(creator, tag) if creator else None
        vr, origin = (known.vr, "private dictionary") if known else ("UN", "unknown")
    else:
        found = vr_of(tag)
        vr, origin = (found, "dictionary") if found else ("UN", "unknown")
    vr = ambiguous(vr)
    return vr if vr in VRS or vr.islower() else "UN", origin


def resolve_vr(vr: str, tag: int, around: Surroundings, *, implicit: bool) -> str:
    """Settle a VR that depends on other elements (PS3.5 A.1, PS3.3 C.7.6.3)."""
    if vr == AMBIGUOUS_SIGN:
        return "SS" if around.outward(0x00280103) == 1 else "US"
    if vr == AMBIGUOUS_TABLE:
        descriptor = around.outward(0x00283002)
        return "US" if isinstance(descriptor, tuple) and descriptor[0] == 1 else "OW"
    if vr == AMBIGUOUS_WORD:
        return "OW" if implicit or (around.outward(0x00280100) or 16) > 8 else "OB"
    return vr
