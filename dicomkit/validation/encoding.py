"""Whether the object is encoded as it says, and what the reader had to guess."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dicomkit.dataset.dataset import DataSet
from dicomkit.standard.uids import uid_entry
from dicomkit.validation.findings import Finding, Severity
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag

# Deviations that lose nothing, and tell nothing wrong.
_HARMLESS = re.compile(r"no preamble|no file meta|no group length|.*group length")


def check_encoding(ds: DataSet) -> Iterator[Finding]:
    """Check the transfer syntax, and list what the reader tolerated."""
    for repair in ds.repairs:
        severity: Severity = "warning" if _HARMLESS.match(repair.problem) else "error"
        path = (repair.tag.keyword or int(repair.tag),) if repair.tag is not None else ()
        message = f"{repair.problem} (at byte {repair.offset:,}); {repair.assumed}"
        yield Finding(path, "encoding", severity, message, repair.tag)
    yield from _transfer_syntax(ds)
    yield from _pixel_encoding(ds)


def _transfer_syntax(ds: DataSet) -> Iterator[Finding]:
    said = ds.meta.get("TransferSyntaxUID")
    if not isinstance(said, str):
        return
    tag = Tag.of("TransferSyntaxUID")
    entry = uid_entry(said)
    if entry is None:
        yield Finding(("TransferSyntaxUID",), "transfer syntax", "warning", f"{said} is not in PS3.6", tag)
    elif entry.type != "Transfer Syntax":
        message = f"{entry.name} is no transfer syntax but a {entry.type}"
        yield Finding(("TransferSyntaxUID",), "transfer syntax", "error", message, tag)
    elif entry.retired:
        message = f"{entry.name.partition(':')[0]} is retired"
        yield Finding(("TransferSyntaxUID",), "transfer syntax", "warning", message, tag)


def _pixel_encoding(ds: DataSet) -> Iterator[Finding]:
    """Compare how pixel data is stored with what the transfer syntax says of it."""
    syntax = ds.transfer_syntax
    value = ds.get("PixelData")
    if value is None:
        return
    tag, path = Tag.of("PixelData"), ("PixelData",)
    element = ds.element("PixelData")
    fragments = isinstance(value, Fragments)
    if element.origin is not None and syntax.encapsulated is not None and fragments != bool(syntax.encapsulated):
        stored = "in fragments" if fragments else "not in fragments"
        yield Finding(path, "transfer syntax", "error", f"{stored}, which {syntax.name} does not allow", tag)
    if isinstance(value, Fragments):
        if element.vr != "OB":
            yield Finding(path, "vr", "error", f"fragments with VR {element.vr}, not OB (PS3.5 A.4)", tag)
        if not value.parts:
            yield Finding(path, "pixel data", "error", "no fragments", tag)
        if element.origin is not None and any(
            len(part) % 2 for part in value.parts
        ):  # new ones are padded when written
            yield Finding(path, "length", "error", "a fragment of odd length (PS3.5 A.4)", tag)
    elif element.origin is not None and not syntax.implicit_vr and element.vr == "OB":
        allocated = ds.get("BitsAllocated")
        if isinstance(allocated, int) and allocated > 8:
            yield Finding(path, "vr", "error", f"VR OB with {allocated} bits allocated (PS3.5 A.2)", tag)
