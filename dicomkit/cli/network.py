"""The commands that talk to DICOM peers, and the one that is a peer."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.cli.peers import peer_of
from dicomkit.cli.printing import frame_text, terminal_width, write_frame
from dicomkit.display.text import display_width
from dicomkit.errors import DicomError, QueryError, ValueFormatError

if TYPE_CHECKING:
    import pandas as pd

    from dicomkit.dimse.retrieval import Retrieval
    from dicomkit.query import Query

_UNIQUE = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "image": "SOPInstanceUID",
}
_COLUMNS = {
    "patient": "PatientName PatientBirthDate PatientSex NumberOfPatientRelatedStudies NumberOfPatientRelatedInstances",
    "study": """PatientID PatientName StudyDate StudyDescription ModalitiesInStudy NumberOfStudyRelatedSeries
        NumberOfStudyRelatedInstances""",
    "series": "Modality SeriesNumber SeriesDescription BodyPartExamined NumberOfSeriesRelatedInstances",
    "image": "InstanceNumber",
}
"""What is printed of the usual answers, before the unique key; --out writes all of them."""
_SHORT = {
    f"NumberOf{level}Related{what}": what.lower()
    for level in ("Patient", "Study", "Series")
    for what in ("Studies", "Series", "Instances")
}


def echo(arguments: Namespace) -> Iterator[str]:
    """Ask a peer whether it is there."""
    peer = peer_of(arguments)
    if arguments.explain:
        yield repr(dk.explain_association(peer))
        return
    ask = dk.echo  # what it needs is imported by now
    started = time.perf_counter()
    status = ask(peer)
    yield f"{peer}: {status.category} in {(time.perf_counter() - started) * 1e3:.0f} ms"


def find(arguments: Namespace) -> Iterator[str]:
    """List what a peer has."""
    matches = dk.find(
        peer_of(arguments),
        _query(arguments, arguments.returning),
        root=arguments.root,
        limit=arguments.limit,
    )
    table = matches.to_table()
    if arguments.out:
        write_frame(table, arguments.out)
    if len(table):
        yield _matches_text(table, arguments) + "\n"
    yield f"{len(table):,} match{'' if len(table) == 1 else 'es'}"
    if arguments.out:
        yield f"written: {arguments.out}"


def _matches_text(table: pd.DataFrame, arguments: Namespace) -> str:
    """Write matches with their unique key at the end of each line, whole, so that it can be copied."""
    unique = _UNIQUE[arguments.level]
    names = _COLUMNS[arguments.level].split() if arguments.returning is None else [str(name) for name in table]
    names += [key for key in (text.partition("=")[0] for text in arguments.keys) if key not in names]
    shown = table[[name for name in names if name in table and name != unique]].rename(columns=_SHORT)
    uids = [unique, "-" * len(unique), *table[unique].fillna("").head(arguments.rows)]
    width = max(terminal_width() - max(map(len, uids)) - 2, 40)
    lines = frame_text(shown, max_rows=arguments.rows, width=width).split("\n") if shown.notna().any(axis=None) else []
    if not lines:
        return "\n".join(uids)
    wide = max(map(display_width, lines[: len(uids)]))
    ends = [*uids, *[""] * (len(lines) - len(uids))]
    return "\n".join(
        f"{line}{' ' * (wide - display_width(line))}  {end}".rstrip() for line, end in zip(lines, ends, strict=True)
    )


def get(arguments: Namespace) -> Iterator[str]:
    """Retrieve instances into a folder, over the association that asks for them."""
    os.makedirs(arguments.into, exist_ok=True)
    arriving = dk.get(
        peer_of(arguments),
        _query(arguments),
        root=arguments.root,
        into=arguments.into,
        on_progress=_counting(),
    )
    yield from _retrieved(arriving, arguments.into)


def move(arguments: Namespace) -> Iterator[str]:
    """Let a peer send instances to another one, or here."""
    if (arguments.to is None) == (arguments.into is None):
        raise ValueFormatError("a move needs to know where to", hint="give either --to AET or --into FOLDER")
    if arguments.into is not None:
        os.makedirs(arguments.into, exist_ok=True)
    arriving = dk.move(
        peer_of(arguments),
        _query(arguments),
        arguments.to,
        root=arguments.root,
        into=arguments.into,
        host=arguments.listen,
        port=arguments.port,
        on_progress=_counting(),
    )
    yield from _retrieved(arriving, arguments.to or arguments.into)


def store(arguments: Namespace) -> Iterator[str]:
    """Send files to a peer."""
    files = dk.scan(arguments.where, ["SOPInstanceUID"])
    good = files[files["error"].isna()]
    left_out = len(files) - len(good)
    if not len(good):
        raise ValueFormatError(f"there is no DICOM file to send among {len(files):,} files")
    report = dk.store(
        peer_of(arguments),
        good,
        progress=sys.stderr.isatty(),
        convert=not arguments.as_is,
        fail_fast=arguments.fail_fast,
        associations=arguments.associations,
        transfer_syntaxes=arguments.transfer_syntax,
    )
    table = report.to_table()
    if arguments.out:
        write_frame(table, arguments.out)
    trouble = table[table["outcome"] != "stored"]
    if len(trouble):
        yield frame_text(trouble, columns=["source", "outcome", "reason"], max_rows=arguments.rows) + "\n"
    yield f"{len(report.stored):,} of {len(report):,} stored, {report.size / 1e6:,.2f} MB in {report.seconds:.2f} s"
    if left_out:
        yield f"not sent, since they can't be read as DICOM: {left_out:,}; `dicomkit scan` says which and why"
    if arguments.out:
        yield f"written: {arguments.out}"
    report.raise_for_failures()


def commit(arguments: Namespace) -> Iterator[str]:
    """Ask a peer to commit to keep what is in files."""
    files = dk.scan(arguments.where, ["SOPInstanceUID"])
    good = files[files["error"].isna()]
    if not len(good):
        raise ValueFormatError(f"there is no DICOM file to ask for among {len(files):,} files")
    with dk.archive.Transactions(arguments.ledger) as ledger:
        result = dk.commit(
            peer_of(arguments),
            good,
            wait=arguments.wait,
            attempts=arguments.attempts,
            host=arguments.listen,
            port=arguments.port,
            ledger=ledger,
        )
    table = result.to_table()
    if arguments.out:
        write_frame(table, arguments.out)
    trouble = table[table["state"] != "committed"]
    if len(trouble):
        yield frame_text(trouble, columns=["SOPInstanceUID", "state", "reason"], max_rows=arguments.rows) + "\n"
    yield f"{len(result.committed):,} of {len(result.requested):,} committed, transaction {result.transaction_uid}"
    if arguments.out:
        yield f"written: {arguments.out}"
    result.raise_for_failures()


def _retrieved(arriving: Any, where: str) -> Iterator[str]:
    """Wait for a retrieval, and tell how it ended."""
    for _ in arriving:
        pass
    outcome: Retrieval = arriving.outcome
    if sys.stderr.isatty():
        print(file=sys.stderr)
    yield f"{outcome.completed + outcome.warnings:,} instances to {where}"
    if outcome.failed_uids:
        yield "failed: " + " ".join(outcome.failed_uids)
    if outcome.failed or outcome.status.category != "Success":
        raise DicomError(f"{outcome.failed:,} instances did not come: {outcome.status}")


def _counting() -> Callable[[Retrieval], object]:
    """Make what shows at a terminal how far a retrieval is."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(state: Retrieval) -> None:
        done = state.completed + state.failed + state.warnings
        print(f"\r{done:,} of {done + state.remaining:,}", end="", file=sys.stderr, flush=True)

    return show


def _query(arguments: Namespace, returning: list[str] | None = None) -> Query:
    r"""Read KEY=VALUE; a backslash stands between several values, as in DICOM."""
    keys: dict[str, Any] = {}
    for text in arguments.keys:
        name, equals, value = text.partition("=")
        if not equals or name in ("", "level", "return_keys"):
            raise QueryError(f"{text!r} is no key", hint="write KEYWORD=VALUE, such as PatientID=A-17")
        keys[name] = value.split("\\") if "\\" in value else value
    return dk.query.query(arguments.level, return_keys=returning, **keys)


COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {
    "echo": echo,
    "find": find,
    "get": get,
    "move": move,
    "store": store,
    "commit": commit,
}
