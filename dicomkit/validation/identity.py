"""Whether the object says what it is: its UIDs, its SOP class, its file meta information, and whether these agree."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.standard.attributes import attribute
from dicomkit.standard.modules import iod_of
from dicomkit.standard.uids import uid_entry, uid_of
from dicomkit.validation.element_values import check_element
from dicomkit.validation.findings import Finding
from dicomkit.values.tag import Tag

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_LEVELS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_META = (  # PS3.10 Table 7.1-1, Type 1
    "FileMetaInformationVersion",
    "MediaStorageSOPClassUID",
    "MediaStorageSOPInstanceUID",
    "TransferSyntaxUID",
    "ImplementationClassUID",
)
_SAME = (("MediaStorageSOPClassUID", "SOPClassUID"), ("MediaStorageSOPInstanceUID", "SOPInstanceUID"))
# Objects that belong to no patient, study or series (PS3.3 A.1.2: a Non-Patient Object).
_WITHOUT_STUDY = frozenset(
    (
        "1.2.840.10008.5.1.4.38.1",
        "1.2.840.10008.5.1.4.39.1",
        "1.2.840.10008.5.1.4.43.1",
        "1.2.840.10008.5.1.4.44.1",
        "1.2.840.10008.5.1.4.45.1",
        "1.2.840.10008.5.1.4.1.1.200.1",
        "1.2.840.10008.5.1.4.1.1.200.3",
        "1.2.840.10008.5.1.4.1.1.200.7",
        "1.2.840.10008.5.1.4.1.1.201.1",
    )
)


def sop_class_of(ds: DataSet) -> str:
    """Give the SOP class of an object, or of a DICOMDIR; empty where it has none."""
    found = _one(ds.get("SOPClassUID"))
    if not found and _one(ds.meta.get("MediaStorageSOPClassUID")) == MEDIA_STORAGE_DIRECTORY:
        return MEDIA_STORAGE_DIRECTORY
    return found


def check_identity(ds: DataSet, sop_classes: Collection[str] | None, *, strict: bool) -> Iterator[Finding]:
    """Check UIDs, SOP class and file meta information."""
    sop_class = sop_class_of(ds)
    if sop_class != MEDIA_STORAGE_DIRECTORY:
        iod = iod_of(sop_class)
        count = 1 if iod is not None and iod.normalized else 2 if sop_class in _WITHOUT_STUDY else 4
        for keyword in _IDENTIFIERS[:count]:
            if not _one(ds.get(keyword)):
                rule = "empty" if keyword in ds else "missing"
                yield Finding((keyword,), rule, "error", f"{rule}: it identifies the object", Tag.of(keyword))
        yield from _same_uids(ds)
    yield from _sop_class(sop_class, sop_classes)
    yield from _meta(ds, sop_class)
    if strict and not len(ds.meta):
        yield Finding((), "meta", "note", "no file meta information: a bare data set, or one that was never stored")


def _sop_class(sop_class: str, allowed: Collection[str] | None) -> Iterator[Finding]:
    tag, path = Tag.of("SOPClassUID"), ("SOPClassUID",)
    if allowed is not None and sop_class not in {uid_of(name) or name for name in allowed}:
        yield Finding(path, "sop class", "error", f"{_named(sop_class) or 'none'} is not among those allowed", tag)
    if not sop_class:
        return
    entry = uid_entry(sop_class)
    if entry is None:
        yield Finding(path, "sop class", "warning", f"{sop_class} is not in PS3.6: a private SOP class", tag)
    elif entry.type != "SOP Class" and sop_class != MEDIA_STORAGE_DIRECTORY:
        yield Finding(path, "sop class", "error", f"{entry.name} is no SOP class but a {entry.type}", tag)
    elif entry.retired:
        yield Finding(path, "sop class", "warning", f"{entry.name} is retired", tag)


def _meta(ds: DataSet, sop_class: str) -> Iterator[Finding]:
    meta = ds.meta
    if not len(meta):
        return
    for keyword in _META:
        if meta.get(keyword) is None:
            yield Finding(
                (keyword,), "meta", "error", "missing in the file meta information (PS3.10 7.1)", Tag.of(keyword)
            )
    for element in meta.elements():
        yield from check_element(element, attribute(element.tag), (element.keyword or int(element.tag),))
    if sop_class == MEDIA_STORAGE_DIRECTORY:
        return
    for keyword, own in _SAME:
        said, is_ = _one(meta.get(keyword)), _one(ds.get(own))
        if said and is_ and said != is_:
            yield Finding(
                (keyword,), "meta", "error", f"{said} in the file meta information, {is_} in {own}", Tag.of(keyword)
            )


def _same_uids(ds: DataSet) -> Iterator[Finding]:
    """Tell where one UID names two things of different kinds (PS3.5 9)."""
    for number, keyword in enumerate(_LEVELS):
        for other in _LEVELS[number + 1 :]:
            uid = _one(ds.get(keyword))
            if uid and uid == _one(ds.get(other)):
                yield Finding((other,), "uid", "error", f"the same UID as {keyword}", Tag.of(other))


def _one(value: Any) -> str:
    """One value as text."""
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, str) else ""


def _named(uid: str) -> str:
    entry = uid_entry(uid)
    return entry.name if entry else uid
