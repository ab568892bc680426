"""The command that prints films."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import dicomkit as dk
from dicomkit.cli.peers import peer_of
from dicomkit.cli.printing import frame_text, write_frame
from dicomkit.errors import ValueFormatError

if TYPE_CHECKING:
    from dicomkit.dimse.print_report import PrinterStatus


def print_(arguments: Namespace) -> Iterator[str]:
    """Print images on films, or tell how a printer is."""
    if arguments.status:
        status = dk.dimse.sync.printer_status(peer_of(arguments))
        yield _told(status)
        return
    if not arguments.where:
        raise ValueFormatError("there is nothing to print", hint="name files or folders, or ask for the --status")
    files = dk.scan(arguments.where, ["SOPInstanceUID"])
    good = files[files["error"].isna()]
    if not len(good):
        raise ValueFormatError(f"there is no DICOM file to print among {len(files):,} files")
    report = dk.dimse.sync.print_films(
        peer_of(arguments),
        good,
        layout=arguments.layout,
        film_size=arguments.film_size,
        orientation=arguments.orientation,
        colour=arguments.colour,
        bits=arguments.bits,
        window=None if arguments.window is None else tuple(arguments.window),
        polarity="REVERSE" if arguments.reverse else None,
        presentation_lut=arguments.lut,
        annotations=arguments.text,
        annotation_format=arguments.text_format,
        copies=arguments.copies,
        priority=arguments.priority,
        medium=arguments.medium,
        destination=arguments.destination,
        label=arguments.label,
        film=_attributes(arguments.film),
        image=_attributes(arguments.image),
        collate=arguments.collate,
        wait=arguments.wait,
    )
    table = report.to_table()
    if arguments.out:
        write_frame(table, arguments.out)
    trouble = table[table["outcome"] != "done"]
    if len(trouble):
        yield frame_text(trouble, max_rows=arguments.rows) + "\n"
    for event in report.events:
        yield f"{event.about}: {event.name}{f', {event.info}' if event.info not in ('', 'NORMAL') else ''}"
    if report.printer is not None and report.printer.status != "NORMAL":
        yield _told(report.printer)
    images = [step for step in report if step.step == "image"]
    done = sum(step.outcome != "failed" for step in images)
    yield f"{report.printed:,} of {report.films:,} films printed, {done:,} of {len(images):,} images"
    if arguments.out:
        yield f"written: {arguments.out}"
    report.raise_for_failures()


def _told(status: PrinterStatus) -> str:
    info = f", {status.info}" if status.info not in ("", "NORMAL") else ""
    return f"{status.name or 'printer'}: {status.status or 'unknown'}{info}"


def _attributes(texts: Sequence[str]) -> dict[str, int | float | str]:
    """Read KEY=VALUE, with numbers as such."""
    read: dict[str, int | float | str] = {}
    for text in texts:
        keyword, equals, value = text.partition("=")
        if not equals or not keyword:
            raise ValueFormatError(f"{text!r} is no attribute", hint="write KEY=VALUE, as Trim=YES")
        read[keyword] = _value(keyword, value)
    return read


def _value(keyword: str, value: str) -> int | float | str:
    from dicomkit.standard.attributes import attribute_named
    from dicomkit.values.vr import VRS

    known = attribute_named(keyword)
    kind = VRS[known.vr].kind if known is not None and known.vr in VRS else ""
    if kind not in ("binary", "number_text"):
        return value
    try:
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    except ValueError:
        raise ValueFormatError(f"{keyword} is a number, not {value!r}") from None


COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {"print": print_}
