"""The value representations of PS3.5 6.2 as one table."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, NamedTuple

Kind = Literal["text", "number_text", "tag", "binary", "bulk", "sequence"]


class VR(NamedTuple):
    """One value representation (PS3.5 Table 6.2-1).

    Attributes
    ----------
    long_form
        Whether its length has 32 bits in explicit VR (PS3.5 Table 7.1-1).
    max_chars
        The most characters of one value; 0 where there is no limit of its own.
    multi
        Whether a backslash (or the item size) separates several values.
    charset
        Whether Specific Character Set applies to it.
    itemsize, code
        Bytes of one value, and its letter in ``struct``, for binary numbers; 0 and ``""`` for others.
    """

    name: str
    title: str
    kind: Kind
    long_form: bool
    pad: bytes
    max_chars: int
    multi: bool
    charset: bool
    itemsize: int = 0
    code: str = ""


_ROWS = (
    VR("AE", "Application Entity", "text", False, b" ", 16, True, False),
    VR("AS", "Age String", "text", False, b" ", 4, True, False),
    VR("AT", "Attribute Tag", "tag", False, b"\0", 0, True, False, 4, "HH"),
    VR("CS", "Code String", "text", False, b" ", 16, True, False),
    VR("DA", "Date", "text", False, b" ", 8, True, False),
    VR("DS", "Decimal String", "number_text", False, b" ", 16, True, False),
    VR("DT", "Date Time", "text", False, b" ", 26, True, False),
    VR("FL", "Floating Point Single", "binary", False, b"\0", 0, True, False, 4, "f"),
    VR("FD", "Floating Point Double", "binary", False, b"\0", 0, True, False, 8, "d"),
    VR("IS", "Integer String", "number_text", False, b" ", 12, True, False),
    VR("LO", "Long String", "text", False, b" ", 64, True, True),
    VR("LT", "Long Text", "text", False, b" ", 10240, False, True),
    VR("OB", "Other Byte", "bulk", True, b"\0", 0, False, False, 1, "B"),
    VR("OD", "Other Double", "bulk", True, b"\0", 0, False, False, 8, "d"),
    VR("OF", "Other Float", "bulk", True, b"\0", 0, False, False, 4, "f"),
    VR("OL", "Other Long", "bulk", True, b"\0", 0, False, False, 4, "I"),
    VR("OV", "Other 64-bit Very Long", "bulk", True, b"\0", 0, False, False, 8, "Q"),
    VR("OW", "Other Word", "bulk", True, b"\0", 0, False, False, 2, "H"),
    VR("PN", "Person Name", "text", False, b" ", 64, True, True),
    VR("SH", "Short String", "text", False, b" ", 16, True, True),
    VR("SL", "Signed Long", "binary", False, b"\0", 0, True, False, 4, "i"),
    VR("SQ", "Sequence of Items", "sequence", True, b"", 0, False, False),
    VR("SS", "Signed Short", "binary", False, b"\0", 0, True, False, 2, "h"),
    VR("ST", "Short Text", "text", False, b" ", 1024, False, True),
    VR("SV", "Signed 64-bit Very Long", "binary", True, b"\0", 0, True, False, 8, "q"),
    VR("TM", "Time", "text", False, b" ", 14, True, False),
    VR("UC", "Unlimited Characters", "text", True, b" ", 0, True, True),
    VR("UI", "Unique Identifier", "text", False, b"\0", 64, True, False),
    VR("UL", "Unsigned Long", "binary", False, b"\0", 0, True, False, 4, "I"),
    VR("UN", "Unknown", "bulk", True, b"\0", 0, False, False, 1, "B"),
    VR("UR", "Universal Resource Identifier", "text", True, b" ", 0, False, False),
    VR("US", "Unsigned Short", "binary", False, b"\0", 0, True, False, 2, "H"),
    VR("UT", "Unlimited Text", "text", True, b" ", 0, False, True),
    VR("UV", "Unsigned 64-bit Very Long", "binary", True, b"\0", 0, True, False, 8, "Q"),
)

VRS = MappingProxyType({row.name: row for row in _ROWS})
"""Every value representation by its two letters."""
