"""The commands that write, convert, compare, check and de-identify: each makes its call of the façade."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dicomkit as dk
from dicomkit.cli.printing import frame_text, write_frame
from dicomkit.errors import SourceError
from dicomkit.sources import replace_file

if TYPE_CHECKING:
    import pandas as pd


def convert(arguments: Namespace) -> Iterator[str]:
    """Write a file, in another transfer syntax if asked."""
    written = dk.write(
        dk.read(arguments.file),
        arguments.out,
        transfer_syntax=arguments.transfer_syntax,
        quality=arguments.quality,
        lossy=arguments.lossy,
        overwrite=arguments.overwrite,
    )
    yield f"written: {arguments.out} ({len(written)} elements)"


def json(arguments: Namespace) -> Iterator[str]:
    """Write a file as DICOM JSON."""
    yield from _document(dk.to_json(dk.read(arguments.file), indent=2), arguments.out)


def xml(arguments: Namespace) -> Iterator[str]:
    """Write a file as Native DICOM Model XML."""
    yield from _document(dk.to_xml(dk.read(arguments.file)).decode(), arguments.out)


def diff(arguments: Namespace) -> Iterator[str]:
    """List in what two files differ."""
    found = dk.diff(dk.read(arguments.before), dk.read(arguments.after))
    yield from _table(found.to_table(), arguments.rows, arguments.out)
    yield repr(found)


def validate(arguments: Namespace) -> Iterator[str]:
    """List what is wrong with a file."""
    found = dk.validate(dk.read(arguments.file), arguments.level)
    yield from _table(found.to_table(), arguments.rows, arguments.out)
    yield f"{len(found)} findings"


def deidentify(arguments: Namespace) -> Iterator[str]:
    """De-identify a folder into another."""
    table = dk.deidentify_folder(
        arguments.where,
        arguments.to,
        dk.BASIC_PROFILE.with_options(*arguments.option),
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
    yield from _table(fileset.to_table(), arguments.rows, None)
    yield from (f"note: {note}" for note in fileset.notes)
    yield repr(fileset)


def _document(text: str, out: str | None) -> Iterator[str]:
    """Print a document, or write it to a file."""
    if out is None:
        yield text
    else:
        replace_file(out, (text.encode(),))
        yield f"written: {out}"


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
    "dicomdir": dicomdir,
}
