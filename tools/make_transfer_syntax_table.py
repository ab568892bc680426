"""Write docs/transfer_syntaxes.md: what dicomkit reads of each transfer syntax of PS3.6 Table A-1.

Usage: python tools/make_transfer_syntax_table.py > docs/transfer_syntaxes.md
"""

from __future__ import annotations

from dicomkit.errors import UnsupportedError
from dicomkit.pixels.codecs.registry import decoder
from dicomkit.pixels.codecs.video import VIDEO
from dicomkit.standard.uids import uids_of_type
from dicomkit.values.transfer_syntax import GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN, TransferSyntax

HEAD = """# Transfer syntaxes

What dicomkit reads of each transfer syntax of PS3.6 Table A-1, and of one private one. Made by
`tools/make_transfer_syntax_table.py`; a test keeps it true.

The elements of a data set are read in every one of them. *Data set* says how they are encoded, *Pixel data* whether it
is native or encapsulated in fragments, *Frames* what decodes a frame. An unknown (private) transfer syntax is read as
Explicit VR Little Endian unless its first element shows otherwise, and the deviation is listed in `ds.repairs`.

| UID | Transfer syntax | Data set | Pixel data | Frames |
|---|---|---|---|---|
"""


def row(uid: str, *, retired: bool) -> str:
    """Give the line of one transfer syntax."""
    syntax = TransferSyntax.of(uid)
    encoding = "implicit" if syntax.implicit_vr else "explicit"
    order = "big-endian" if syntax.big_endian else "little-endian"
    if syntax.big_endian_pixels and not syntax.big_endian:
        order += ", pixels big-endian"
    if syntax.deflated:
        order += ", deflated"
    by_reference = syntax.name.startswith("JPIP")
    if not syntax.encapsulated and not by_reference:
        frames = "native"
    elif uid in VIDEO:
        frames = "`codecs.video`, extra `video`"
    else:
        try:
            frames = f"`{decoder(uid).__module__.removeprefix('dicomkit.pixels.')}`"
        except UnsupportedError as error:
            frames = "no: " + error.message.rpartition(": ")[2]
    name = f"{syntax.name} (retired)" if retired and "etired" not in syntax.name else syntax.name
    pixels = "by reference" if by_reference else "encapsulated" if syntax.encapsulated else "native"
    return f"| `{uid}` | {name} | {encoding}, {order} | {pixels} | {frames} |"


def table() -> str:
    """Give the whole page."""
    rows = [row(entry.uid, retired=entry.retired) for entry in uids_of_type("Transfer Syntax")]
    return HEAD + "\n".join([*rows, row(GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN, retired=False)]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
