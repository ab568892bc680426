"""Making a file-set of a folder: records by SOP class, File IDs that every system can read, and a DICOMDIR."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.encoding.dicomdir import MEDIA_STORAGE_DIRECTORY, DirectoryRecord, encode_directory
from dicomkit.errors import DicomError, SourceError, ValueFormatError
from dicomkit.files.fileset import FileSet, read_fileset
from dicomkit.files.read import read
from dicomkit.files.write import write_file
from dicomkit.opening import open_source
from dicomkit.replacement import replace_file
from dicomkit.sources import Bulk
from dicomkit.standard.attributes import vr_of
from dicomkit.standard.directory_records import RecordType, record_type, record_type_of
from dicomkit.values.tag import Tag
from dicomkit.values.uid import UID, new_uid

_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}")
_STAND_INS = {"StudyDate": ("SeriesDate", "AcquisitionDate", "ContentDate"), "StudyTime": ("SeriesTime", "ContentTime")}
_MADE_UP = {"DA": "19000101", "TM": "000000", "DT": "19000101", "IS": 0, "US": 0, "CS": "UNKNOWN"}
_NUMBERED = ("PatientID", "StudyID", "SeriesNumber", "InstanceNumber")


@dataclass(slots=True)
class _Node:
    """A record while its directory grows."""

    type: str
    keys: DataSet
    children: dict[str, _Node] = field(default_factory=dict)
    in_use: bool = True
    number: int = 0

    def record(self) -> DirectoryRecord:
        return DirectoryRecord(self.type, self.keys, tuple(n.record() for n in self.children.values()), self.in_use)


def make_fileset(
    folder: str | os.PathLike[str],
    to: str | os.PathLike[str] | None = None,
    *,
    file_set_id: str = "",
    update: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    durable: bool = False,
) -> FileSet:
    """Write the DICOMDIR of a folder, or copy the folder as a new file-set (PS3.10 8, PS3.11 STD-GEN).

    Parameters
    ----------
    folder
        Of DICOM files, searched deeply. Their order by path is that of the records.
    to
        Where to copy the files, under names such as ``PT000000/ST000000/SE000000/IM000000``. When not given, the files
        stay where they are, and all their names must fit: up to 8 components of up to 8 characters A-Z, 0-9 and _.
    file_set_id
        Up to 16 characters A-Z, 0-9, _ and space.
    update
        Keep the records of the DICOMDIR for files that still exist (which are not read again), drop those of missing
        files, and add records for files that have none.
    overwrite
        Whether a DICOMDIR that is there may be replaced by one made anew; the files of the old one stay.
    strict
        Whether a missing mandatory key is an error. Otherwise one is made up (a number, a date of 1900) and noted.
    durable
        Whether to wait until the DICOMDIR is on the disk.

    Returns
    -------
    FileSet
        As it was written. ``notes`` tells which files were left out and why, and which keys were made up.

    Raises
    ------
    SourceError
        When there is a DICOMDIR already, names don't fit, or a file can't be written. The old DICOMDIR is intact.
    ValueFormatError
        When the file-set ID doesn't fit, or with ``strict`` a mandatory key is missing.
    """
    source = os.fspath(folder)
    if not os.path.isdir(source):
        raise SourceError("there is no such folder", path=source)
    target = source if to is None else os.fspath(to)
    if not re.fullmatch(r"[A-Z0-9_ ]{0,16}", file_set_id):
        raise ValueFormatError(f"{file_set_id!r} is no File-set ID", hint="up to 16 characters A-Z, 0-9, _ and space")
    path = os.path.join(target, "DICOMDIR")
    if os.path.exists(path) and not (update or overwrite):
        raise SourceError("there is a DICOMDIR already", path=path, hint="pass update=True or overwrite=True")
    old = read_fileset(path) if update and os.path.exists(path) else None
    notes: list[str] = []
    root = _Node("", DataSet())
    known = _take_over(old, root, notes) if old is not None else set()
    seen = {str(node.keys.get("ReferencedSOPInstanceUIDInFile")) for node in _leaves(root)}
    seen |= {
        f"study {study.keys.get('StudyInstanceUID')}"
        for patient in root.children.values()
        for study in patient.children.values()
    }
    for name in _files_below(source, apart_from=target if to is not None else None):
        if os.path.abspath(name) in known:
            continue
        try:
            ds = read(name)
        except DicomError as error:
            notes.append(f"{os.path.relpath(name, source)}: left out: {error.message}")
            continue
        _add(root, ds, name, source, target, seen, notes, in_place=to is None, strict=strict)
    before = None if old is None else old.dataset
    uid = str((before.meta.get("MediaStorageSOPInstanceUID") if before is not None else None) or new_uid())
    set_id = file_set_id or (old.id if old is not None else "")
    records = tuple(node.record() for node in root.children.values())
    data = encode_directory(records, file_set_id=set_id, uid=uid, descriptor=before)
    os.makedirs(target, exist_ok=True)
    replace_file(path, (data,), durable=durable)
    written = read_fileset(path)
    return FileSet(written.path, written.id, written.records, (*notes, *written.notes), written.dataset)


def _files_below(folder: str, apart_from: str | None) -> Iterator[str]:
    """The files of a folder, but for DICOMDIRs and what lies in the file-set that is being made of them."""
    away = None if apart_from is None else os.path.abspath(apart_from)
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if os.path.abspath(os.path.join(here, f)) != away)
        for name in sorted(names):
            if name.upper() != "DICOMDIR" and not name.startswith("."):
                yield os.path.join(here, name)


def _take_over(old: FileSet, root: _Node, notes: list[str]) -> set[str]:
    """Fill the tree with the records of what is still there; return the paths of those files."""
    known: set[str] = set()
    here = {id(path[-1]): located for path in old.instances() if (located := old._located(path[-1]))[1]}

    def take(record: DirectoryRecord, into: _Node) -> None:
        if record.file_id:
            if id(record) not in here:
                notes.append(f"{'/'.join(record.file_id)}: no longer there, its record is dropped")
                return
            known.add(os.path.abspath(here[id(record)][0]))
        node = _Node(record.type, record.keys, {}, record.in_use, len(into.children))
        for child in record.children:
            take(child, node)
        if node.children or record.file_id:
            into.children[_identity(record.type, record.keys)] = node

    for record in old.records:
        take(record, root)
    return known


def _leaves(node: _Node) -> Iterator[_Node]:
    if "ReferencedFileID" in node.keys:
        yield node
    for child in node.children.values():
        yield from _leaves(child)


def _identity(type: str, keys: DataSet) -> str:
    """What tells the records of one entity apart."""
    names = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}
    name = names.get(type, "ReferencedSOPInstanceUIDInFile")
    return f"{type} {keys.get(name) or keys.get('ReferencedSOPInstanceUIDInFile') or len(keys)}"


def _add(
    root: _Node,
    ds: DataSet,
    name: str,
    source: str,
    target: str,
    seen: set[str],
    notes: list[str],
    *,
    in_place: bool,
    strict: bool,
) -> None:
    """Put one file into the tree, and copy it where that is asked for."""
    short = os.path.relpath(name, source)
    sop_class = str(ds.get("SOPClassUID") or ds.meta.get("MediaStorageSOPClassUID") or "")
    instance = str(ds.get("SOPInstanceUID") or ds.meta.get("MediaStorageSOPInstanceUID") or "")
    kind = record_type_of(sop_class)
    needed = ("StudyInstanceUID", "SeriesInstanceUID") if kind.level else ()
    lacks = [key for key in needed if not ds.get(key)]
    lacks += [key for key, uid in (("SOPClassUID", sop_class), ("SOPInstanceUID", instance)) if not uid]
    wrong = [uid for uid in (sop_class, instance) if uid and not UID(uid).is_valid]
    if sop_class == MEDIA_STORAGE_DIRECTORY or lacks or wrong or instance in seen:
        reason = f"it has no {' and no '.join(lacks)}" if lacks else "its SOP Instance UID was there before"
        reason = f"{wrong[0]!r:.80} is no UID, which a record has to refer to" if wrong and not lacks else reason
        notes.append(f"{short}: left out: {'it is a DICOMDIR' if sop_class == MEDIA_STORAGE_DIRECTORY else reason}")
        return
    if in_place:
        parts = tuple(short.split(os.sep))
        if len(parts) > 8 or not all(map(_COMPONENT.fullmatch, parts)):
            hint = "pass to=... to copy the files under names that fit, or rename them"
            raise SourceError(f"{short!r} is no File ID (up to 8 x 8 characters A-Z 0-9 _)", path=name, hint=hint)
        if not len(ds.meta):
            notes.append(f"{short}: left out: it has no file meta information; pass to=... to copy it with one")
            return
    seen.add(instance)
    node, folders = root, []
    for level in ("PATIENT", "STUDY", "SERIES")[: kind.level]:
        at = record_type(level)
        assert at is not None
        # A patient without ID is told apart by name and study, and gets a number.
        unnamed = level == "PATIENT" and not ds.get("PatientID")
        key = f"? {ds.get('PatientName') or ds.StudyInstanceUID}" if unnamed else _identity(level, ds)
        if key not in node.children:
            number = len(node.children) + 1
            while unnamed and f"PATIENT NOID{number:04d}" in node.children:
                number += 1
            keys = _keys(ds, at, number, short, notes, strict=strict)
            node.children[key] = _Node(level, keys, number=len(node.children))
            if level == "STUDY":
                if f"study {ds.StudyInstanceUID}" in seen:
                    notes.append(f"{short}: its study is also there under another patient (PS3.3 F.5.2)")
                seen.add(f"study {ds.StudyInstanceUID}")
        node = node.children[key]
        folders.append(f"{at.prefix}{node.number:06d}")
    keys = _keys(ds, kind, len(node.children) + 1, short, notes, strict=strict)
    if not in_place:
        number = len(node.children)
        while os.path.exists(os.path.join(target, *folders, f"{kind.prefix}{number:06d}")):
            number += 1
        parts = (*folders, f"{kind.prefix}{number:06d}")
        _copy(ds, name, os.path.join(target, *parts))
    syntax = ds.transfer_syntax.uid
    keys = keys.assign(
        ReferencedFileID=parts,
        ReferencedSOPClassUIDInFile=sop_class,
        ReferencedSOPInstanceUIDInFile=instance,
        ReferencedTransferSyntaxUIDInFile=syntax,
    )
    node.children[f"{kind.name} {instance}"] = _Node(kind.name, keys)


def _copy(ds: DataSet, name: str, path: str) -> None:
    """Copy a file byte for byte; one without file meta information is written anew."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if len(ds.meta) and not ds.meta.repairs:
        with open_source(name) as opened:
            replace_file(path, Bulk(opened.source, 0, opened.size).chunks())
    else:
        write_file(ds, path)


def _keys(ds: DataSet, kind: RecordType, number: int, name: str, notes: list[str], *, strict: bool) -> DataSet:
    """The keys of a record, taken from an instance (PS3.3 F.5)."""
    found: list[Element] = []
    for keyword, need in kind.keys:
        element = ds.element(keyword) if ds.get(keyword) else None
        if keyword == "ContentSequence" and element is not None:  # only what modifies the title of the document
            items = tuple(item for item in element.value if item.get("RelationshipType") == "HAS CONCEPT MOD")
            element = Element(element.tag, "SQ", items) if items else None
        if element is None and need == "1" and ds.get(keyword) != 0:
            element = _made_up(ds, keyword, number, f"{name}: {kind.name} key", notes, strict=strict)
        if element is not None or need in ("1", "2"):
            found.append(element or Element.of(keyword, ds.get(keyword)))
    charset = ds.get("SpecificCharacterSet")
    return DataSet([*found, *([] if charset is None else [ds.element("SpecificCharacterSet")])])


def _made_up(ds: DataSet, keyword: str, number: int, what: str, notes: list[str], *, strict: bool) -> Element:
    """Something in place of a mandatory key that is missing."""
    if strict:
        raise ValueFormatError(f"{what} {keyword} is missing", tag=Tag.of(keyword), hint="without strict it is made up")
    value = next((ds[key] for key in _STAND_INS.get(keyword, ()) if ds.get(key)), None)
    if value is None and keyword in _NUMBERED:
        value = f"NOID{number:04d}" if keyword in ("PatientID", "StudyID") else number
    elif value is None:
        value = _MADE_UP.get(vr_of(Tag.of(keyword)) or "")
    notes.append(f"{what} {keyword} is missing: {'left empty' if value is None else f'{value} is written'}")
    return Element.of(keyword, value)
