"""A transfer syntax: how a data set's elements and pixels are laid out in bytes (PS3.5 section 10 and Annex A)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from dicomkit.errors import ValueFormatError
from dicomkit.standard.uids import uid_entry, uid_of

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
JPIP_REFERENCED_DEFLATE = "1.2.840.10008.1.2.4.95"
JPIP_HTJ2K_REFERENCED_DEFLATE = "1.2.840.10008.1.2.4.205"
GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN = "1.2.840.113619.5.2"
PAPYRUS_IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.20"

_IMPLICIT = {IMPLICIT_VR_LITTLE_ENDIAN, GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN, PAPYRUS_IMPLICIT_VR_LITTLE_ENDIAN}
_DEFLATED = {DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, JPIP_REFERENCED_DEFLATE, JPIP_HTJ2K_REFERENCED_DEFLATE}
_BIG_ENDIAN = {EXPLICIT_VR_BIG_ENDIAN}
_NOT_ENCAPSULATED = (
    _IMPLICIT
    | _DEFLATED
    | _BIG_ENDIAN
    | {EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.204"}
)


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A transfer syntax and what follows from it.

    Attributes
    ----------
    uid, name
        As in PS3.6 Annex A; the name of an unknown one is its UID.
    implicit_vr, big_endian, deflated
        How the data set is encoded.
    big_endian_pixels
        Whether pixel data is big-endian: also in GE's private syntax, whose headers are little-endian.
    encapsulated
        Whether Pixel Data consists of fragments; None for an unknown syntax, whose data tells.

    Examples
    --------
    >>> TransferSyntax.of("ExplicitVRLittleEndian").uid
    '1.2.840.10008.1.2.1'
    >>> TransferSyntax.of("1.2.840.10008.1.2.4.90").encapsulated
    True
    """

    uid: str
    name: str
    implicit_vr: bool = False
    big_endian: bool = False
    deflated: bool = False
    big_endian_pixels: bool = False
    encapsulated: bool | None = False

    @classmethod
    def of(cls, syntax: str | TransferSyntax) -> TransferSyntax:
        """Look up a transfer syntax by UID, or by the keyword of PS3.6.

        Raises
        ------
        ValueFormatError
            When it is neither a UID nor a known keyword.
        """
        return syntax if isinstance(syntax, TransferSyntax) else _transfer_syntax(str(syntax))

    def __str__(self) -> str:
        return self.name


@cache
def _transfer_syntax(syntax: str) -> TransferSyntax:
    uid = syntax if syntax[:1].isdigit() else uid_of(syntax)
    entry = uid_entry(uid) if uid is not None else None
    if entry is not None and entry.type != "Transfer Syntax":
        uid, entry = (uid if uid == syntax else None), None
    if uid is None:
        raise ValueFormatError(f"{syntax!r} is not a transfer syntax: give a UID or keyword of PS3.6 Table A-1")
    known = entry is not None or uid in _NOT_ENCAPSULATED
    name = (
        entry.name.split(":")[0]
        if entry
        else {GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN: "GE Private Implicit VR Big Endian"}.get(uid, uid)
    )
    return TransferSyntax(
        uid,
        name,
        implicit_vr=uid in _IMPLICIT,
        big_endian=uid in _BIG_ENDIAN,
        deflated=uid in _DEFLATED,
        big_endian_pixels=uid in _BIG_ENDIAN or uid == GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN,
        encapsulated=uid not in _NOT_ENCAPSULATED if known else None,
    )
