"""A unique identifier names a transfer syntax, a SOP class, an instance: its rules, its names, and new ones."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable

from dicomkit.errors import ValueFormatError
from dicomkit.standard.uids import uid_entry, uid_named, uid_of

#: Under which the standard registers its own (PS3.5 9).
DICOM_ROOT = "1.2.840.10008"
#: Under which a UUID in decimal makes a UID (PS3.5 B.2).
UUID_ROOT = "2.25"

_LONGEST = 64
_SHORTEST_SUFFIX = 20  # 10**20 numbers: a chance of 1 in 200 that two of a thousand million agree
_RULES = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


class UID(str):
    """A UID (PS3.5 9): a string that knows what the standard calls it.

    Any string is let in, as files hold anything; `is_valid` tells.

    Examples
    --------
    >>> uid = UID("1.2.840.10008.5.1.4.1.1.2")
    >>> uid.name, uid.keyword, uid.type
    ('CT Image Storage', 'CTImageStorage', 'SOP Class')
    >>> uid == "1.2.840.10008.5.1.4.1.1.2", uid.is_valid, uid.is_private
    (True, True, False)
    """

    __slots__ = ()

    @classmethod
    def of(cls, uid: str) -> UID:
        """Read a UID from itself, or from a keyword or name of PS3.6.

        Raises
        ------
        ValueFormatError
            When it is none of these.

        Examples
        --------
        >>> UID.of("CTImageStorage"), UID.of("Explicit VR Big Endian")
        (UID('1.2.840.10008.5.1.4.1.1.2'), UID('1.2.840.10008.1.2.2'))
        """
        if _is_valid(uid):
            return cls(uid)
        if registered := uid_of(uid):
            return cls(registered)
        if named := uid_named(uid):
            return cls(named.uid)
        raise ValueFormatError(f"{uid!r} is neither a UID nor a keyword or name of PS3.6")

    @property
    def name(self) -> str:
        """The name of PS3.6, or ``""`` where it registers none."""
        known = uid_entry(self)
        return known.name if known else ""

    @property
    def keyword(self) -> str:
        """The keyword of PS3.6, or ``""`` where there is none."""
        known = uid_entry(self)
        return known.keyword if known else ""

    @property
    def type(self) -> str:
        """What it names, such as ``"SOP Class"`` or ``"Transfer Syntax"``; ``""`` where it is not registered."""
        known = uid_entry(self)
        return known.type if known else ""

    @property
    def retired(self) -> bool:
        """Whether the standard has retired it."""
        known = uid_entry(self)
        return bool(known and known.retired)

    @property
    def is_valid(self) -> bool:
        """Whether it keeps the rules of PS3.5 9.1: numbers without leading zeros, dots between, 64 characters."""
        return _is_valid(self)

    @property
    def is_private(self) -> bool:
        """Whether it lies outside the root of DICOM, 1.2.840.10008."""
        return not f"{self}.".startswith(f"{DICOM_ROOT}.")

    def __repr__(self) -> str:
        return f"UID({str(self)!r})"


def new_uid(root: str | None = None, seed: str | bytes | Iterable[str | bytes] | None = None) -> UID:
    """Make a UID that nobody else has, or one that follows from a seed.

    Parameters
    ----------
    root : str, optional
        The root that is registered to your organisation, at most 43 characters. Without one the UID is a UUID in
        decimal under 2.25 (PS3.5 B.2).
    seed : str, bytes or several of them, optional
        Equal seeds make equal UIDs, everywhere and always, and differing seeds differing ones (SHA-256). Several parts
        are kept apart: ``("ab", "c")`` is another seed than ``("a", "bc")``. Who knows the seed knows the UID: put a
        secret into it where the original must stay unknown.

    Returns
    -------
    UID
        Valid by PS3.5 9.1: at most 64 characters.

    Raises
    ------
    ValueFormatError
        When the root is no UID, too long, or that of DICOM itself.

    Examples
    --------
    >>> new_uid().is_valid, new_uid() == new_uid()
    (True, False)
    >>> new_uid(seed=("trial 7", "1.2.3"))
    UID('2.25.51862130898635393829739731581337163149')
    >>> new_uid("1.2.3.4", seed="trial 7").startswith("1.2.3.4.")
    True
    """
    number = uuid.uuid4().int if seed is None else _number_from(seed)
    if root is None:
        return UID(f"{UUID_ROOT}.{number}")
    room = _LONGEST - len(root) - 1
    if not _is_valid(root) or not UID(root).is_private:
        raise ValueFormatError(f"{root!r} is not the root of an organisation's UIDs")
    if room < _SHORTEST_SUFFIX:
        raise ValueFormatError(f"the root {root!r} leaves too few of the 64 characters: it may have {_longest_root()}")
    return UID(f"{root}.{number % 10**room}")


def _is_valid(uid: str) -> bool:
    """Whether the rules of PS3.5 9.1 are kept."""
    return len(uid) <= _LONGEST and _RULES.fullmatch(uid) is not None


def _longest_root() -> int:
    """How many characters a root may have."""
    return _LONGEST - 1 - _SHORTEST_SUFFIX


def _number_from(seed: str | bytes | Iterable[str | bytes]) -> int:
    """The UUID (of version 8, RFC 9562) that the SHA-256 of the seed makes, as a number."""
    digest = hashlib.sha256()
    for part in (seed,) if isinstance(seed, str | bytes) else seed:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    number = int.from_bytes(digest.digest()[:16], "big")
    version, variant = 0xF << 76, 0b11 << 62
    return number & ~version & ~variant | 0x8 << 76 | 0b10 << 62
