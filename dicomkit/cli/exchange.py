"""The commands that write, convert, compare, check and de-identify: each makes its call of the façade."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.cli.printing import frame_text, write_frame
from dicomkit.encoding.change_syntax import with_transfer_syntax
from dicomkit.errors import DicomError, SourceError, ValueFormatError
from dicomkit.opening import open_source
from dicomkit.replacement import replace_file

if TYPE_CHECKING:
    import pandas as pd

    from dicomkit.dataset.dataset import DataSet
    from dicomkit.deidentification.profile import Profile


_DIRECTORY = (
    *("path", "exists", "record_type", "PatientID", "PatientName", "StudyDate", "StudyDescription"),
    *("Modality", "SeriesNumber", "InstanceNumber"),
)
"""What to print of a file-set; --out has all columns."""


def convert(arguments: Namespace) -> Iterator[str]:
    """Write a file, in another transfer syntax or character set if asked."""
    ds = dk.read(arguments.file)
    if arguments.charset is not None:
        ds = dk.with_charset(ds, tuple(arguments.charset.split("\\")))
    written = dk.write(
        ds,
        arguments.out,
        transfer_syntax=arguments.transfer_syntax,
        quality=arguments.quality,
        lossy=arguments.lossy,
        overwrite=arguments.overwrite,
    )
    yield f"written: {arguments.out} ({len(written)} elements)"


def json(arguments: Namespace) -> Iterator[str]:
    """Write a file as DICOM JSON, or DICOM JSON as a file."""
    if arguments.read:
        yield from _files(_document_of(arguments.file, dk.from_json), arguments)
    else:
        yield from _document(dk.to_json(dk.read(arguments.file), indent=2), arguments.out)


def xml(arguments: Namespace) -> Iterator[str]:
    """Write a file as Native DICOM Model XML, or such a document as a file."""
    if arguments.read:
        yield from _files(_document_of(arguments.file, dk.from_xml), arguments)
    else:
        text = dk.to_xml(dk.read(arguments.file)).decode()
        yield from _document(text.replace("><DicomAttribute", ">\n<DicomAttribute"), arguments.out)  # a line each


def diff(arguments: Namespace) -> Iterator[str]:
    """List in what two files differ."""
    found = dk.diff(dk.read(arguments.before), dk.read(arguments.after))
    yield from _table(found.to_table(), arguments.rows, arguments.out)
    yield repr(found)


def validate(arguments: Namespace) -> Iterator[str]:
    """List what is wrong with a file."""
    found = dk.validate(
        dk.read(arguments.file), arguments.level, required=arguments.required, sop_classes=arguments.sop_class
    )
    yield from _table(found.to_table(), arguments.rows, arguments.out)
    yield f"{len(found)} findings"


def deidentify(arguments: Namespace) -> Iterator[str]:
    """De-identify a folder into another."""
    table = dk.deidentify_folder(
        arguments.where,
        arguments.to,
        _profile(arguments),
        key=_secret(arguments.key),
        workers=arguments.workers,
        dry_run=arguments.dry_run,
    )
    yield from _table(table, arguments.rows, arguments.report)
    if not arguments.dry_run:
        counts = table["status"].value_counts()
        yield ", ".join(f"{count} {status}" for status, count in counts.items())
    if arguments.key is None:
        yield "no --key was given: another run makes other pseudonyms"


def certify(arguments: Namespace) -> Iterator[str]:
    """Search de-identified files for what identified the patients in the originals."""
    table = dk.certify(arguments.where, arguments.originals, _profile(arguments), key=_secret(arguments.key))
    yield from _table(table, arguments.rows, arguments.out)
    yield f"{len(table)} findings in {table.attrs['files']} files, {table.attrs['identifiers']} identifiers known"
    if unread := table.attrs["unread originals"]:
        yield f"{len(unread)} originals were not read"


def _profile(arguments: Namespace) -> Profile:
    """The basic profile, with what was asked for."""
    options: dict[str, Any] = {"retain_dates": arguments.retain_dates} if arguments.retain_dates else {}
    if arguments.blank:
        options["clean_pixel_data"] = dk.deidentification.Blank(tuple(map(tuple, arguments.blank)))
    return dk.BASIC_PROFILE.with_options(*arguments.option, **options)


def dicomdir(arguments: Namespace) -> Iterator[str]:
    """List a file-set, or make one."""
    if arguments.make or arguments.to or arguments.update:
        fileset = dk.make_fileset(
            arguments.where,
            arguments.to,
            file_set_id=arguments.id,
            update=arguments.update,
            overwrite=arguments.overwrite,
        )
    else:
        fileset = dk.read_fileset(arguments.where)
    table = fileset.to_table()
    table["path"] = [
        os.path.relpath(path, fileset.folder or ".") if path else path for path in table["path"].fillna("")
    ]
    if len(table):
        yield frame_text(table, max_rows=arguments.rows, columns=_DIRECTORY)
    if arguments.out:
        write_frame(table, arguments.out)
        yield f"written: {arguments.out}"
    yield from (f"note: {note}" for note in fileset.notes)
    yield repr(fileset)


def _document(text: str, out: str | None) -> Iterator[str]:
    """Print a document, or write it to a file."""
    if out is None:
        yield text
    else:
        replace_file(out, (text.encode(),), through_links=True)
        yield f"written: {out}"


def _files(made: DataSet | list[DataSet], arguments: Namespace) -> Iterator[str]:
    """Write what a document held: one data set as a file, the instances of an array into a folder."""
    if arguments.out is None:
        raise ValueFormatError("--read makes a file", hint="name it with --out")
    single = isinstance(made, dk.DataSet)
    if not single:
        os.makedirs(arguments.out, exist_ok=True)
    for number, ds in enumerate([made] if isinstance(made, dk.DataSet) else made, 1):
        path = arguments.out if single else os.path.join(arguments.out, f"{number:06}.dcm")
        if arguments.transfer_syntax is not None:
            ds = with_transfer_syntax(ds, arguments.transfer_syntax)
        yield f"written: {path} ({len(dk.write(ds, path))} elements)"


def _document_of(path: str, read: Callable[[bytes], Any]) -> Any:
    """Read a document, and name the file where it is none."""
    with open_source(path) as opened:
        content = opened.read_at(0, opened.size)
    try:
        return read(content)
    except DicomError as error:
        error.path = error.path or path
        raise


def _table(table: pd.DataFrame, rows: int, out: str | None) -> Iterator[str]:
    """Print a table, and write it to a file if asked."""
    if len(table):
        yield frame_text(table, max_rows=rows)
    if out:
        write_frame(table, out)
        yield f"written: {out}"


def _secret(path: str | None) -> bytes | None:
    """The content of the file that holds the key, so that the key itself is on no command line."""
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read().strip()
    except OSError as error:
        raise SourceError(f"can't read the key: {error.strerror}", path=path) from error


COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {
    "convert": convert,
    "write": convert,
    "json": json,
    "xml": xml,
    "diff": diff,
    "validate": validate,
    "deidentify": deidentify,
    "certify": certify,
    "dicomdir": dicomdir,
}
