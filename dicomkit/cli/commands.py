"""The commands: each makes its call of the façade and gives the texts to print."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.cli import delivering, exchange, network, printing_films, procedure, queueing, serving
from dicomkit.cli.printing import frame_text, terminal_width, write_frame
from dicomkit.errors import ValueFormatError

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "series": "Modality SeriesNumber SeriesDescription instances frames Columns Rows PatientID Manufacturer size",
    "study": "PatientID PatientName StudyDate StudyDescription modalities series instances size",
    "patient": "PatientID PatientName modalities studies series instances size",
    "instance": "path Modality SeriesNumber SeriesDescription InstanceNumber Columns Rows NumberOfFrames PatientID",
}
"""By --by: what is printed of a table; --out writes all columns."""

_FACTS = """PatientID PatientName StudyDate StudyDescription Modality SeriesNumber SeriesDescription Manufacturer
    ManufacturerModelName Columns Rows NumberOfFrames PhotometricInterpretation BitsStored PixelSpacing SliceThickness
    WindowCenter WindowWidth""".split()
"""What `show` tells of a file."""

_MOST_REASONS = 20


def scan(arguments: Namespace) -> Iterator[str]:
    """List what is in folders."""
    by = arguments.by or ("instance" if arguments.columns else "series")
    files = dk.scan(
        arguments.where,
        arguments.columns,
        workers=arguments.workers,
        dicomdir=arguments.dicomdir,
        cache=arguments.cache,
    )
    group: dict[str, Callable[[Any], Any]] = {"series": dk.series, "study": dk.studies, "patient": dk.patients}
    try:
        table = group[by](files) if by in group else files
    except KeyError as error:
        raise ValueFormatError(
            f"--by {by} needs the column {error.args[0]}", hint="name it too, or leave out --columns"
        ) from None
    if arguments.out:
        write_frame(table, arguments.out)
    shown = [str(name) for name in _COLUMNS[by].split() if name in table]
    if by == "instance":
        if arguments.columns:
            shown = [str(name) for name in table if name not in ("size", "modified", "error", "deviations")]
        table = _below_one_folder(table[table["error"].isna()])
    yield frame_text(table, columns=shown, max_rows=arguments.rows)
    yield from _summary(files, table, by)
    if arguments.out:
        yield f"written: {arguments.out}"


def _below_one_folder(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out of the paths the folder that they have in common."""
    folders = {os.path.dirname(path) for path in table["path"]}
    try:
        start = os.path.commonpath(folders) if folders else ""
    except ValueError:  # on different drives
        return table
    return table.assign(path=[os.path.relpath(path, start or ".") if start else path for path in table["path"]])


def _summary(files: pd.DataFrame, table: pd.DataFrame, by: str) -> Iterator[str]:
    """Say how many files there are, and what was not read."""
    wrong = files[files["error"].notna()]
    nouns = {"series": ("series", "series"), "study": ("study", "studies"), "patient": ("patient", "patients")}
    groups = f", {len(table):,} {nouns[by][len(table) != 1]}" if by in nouns else ""
    yield f"\n{len(files):,} file{'' if len(files) == 1 else 's'}{groups}, {len(wrong):,} not read"
    key = {"series": "SeriesInstanceUID", "study": "StudyInstanceUID", "patient": "PatientID"}.get(by)
    if key and (lost := int(files[key].isna().sum()) - len(wrong)):
        yield f"{lost:,} without {key}: --by instance shows them"
    for number, (reason, group) in enumerate(wrong.groupby("error", sort=False)):
        if number == _MOST_REASONS:
            yield "…"
            break
        more = f" and {len(group) - 1:,} more" if len(group) > 1 else ""
        yield f"not read: {group['path'].iloc[0]}{more}: {reason}"


def dump(arguments: Namespace) -> Iterator[str]:
    """Print all elements of a file."""
    from dicomkit.dataset.show import text
    from dicomkit.display.tree_row import MAX_DEPTH

    ds = dk.read(arguments.file)
    depth = MAX_DEPTH if arguments.depth is None else 2 * arguments.depth - 1
    yield text(ds, width=terminal_width(), max_rows=arguments.rows, max_depth=depth)
    yield from (f"repair: {repair}" for repair in ds.repairs)


def show(arguments: Namespace) -> Iterator[str]:
    """Say what a file is."""
    ds = dk.read(arguments.file)
    view = dk.show(ds)
    yield repr(ds)
    facts = [("Transfer Syntax", ds.transfer_syntax.name)]
    facts += [(element.name, element.text) for element in (ds.element(k) for k in _FACTS if k in ds) if element.text]
    width = max(len(name) for name, _ in facts)
    yield from (f"  {name:{width}}  {text}" for name, text in facts)
    yield from (f"repair: {repair}" for repair in ds.repairs)
    if "ContentSequence" in ds:
        yield str(view)
    if arguments.out:
        view.save(arguments.out)
        yield f"written: {arguments.out}"


def render(arguments: Namespace) -> Iterator[str]:
    """Write a frame as a picture."""
    window = tuple(arguments.window) if arguments.window else None
    view = dk.show(arguments.file, frame=arguments.frame, window=window)
    view.save(arguments.out)
    yield f"written: {arguments.out} ({view.caption})"


def montage(arguments: Namespace) -> Iterator[str]:
    """Write many slices of a series as one picture."""
    window = tuple(arguments.window) if arguments.window else None
    volume = dk.to_volume(_source(arguments))
    figure = dk.montage(volume, count=arguments.count, window=window)
    try:
        figure.savefig(arguments.out, dpi=150)
    except OSError as error:
        raise dk.errors.SourceError(f"can't write the picture: {error.strerror}", path=arguments.out) from error
    size = " × ".join(f"{count} {name}" for name, count in volume.sizes.items())
    yield f"written: {arguments.out} ({size})"


def explain(arguments: Namespace) -> Iterator[str]:
    """Say whether slices make a regular volume."""
    import pandas as pd

    report = dk.explain_geometry(_source(arguments))
    yield repr(report)[1:-1]
    for table in (report.stacks, report.table):
        if len(table):
            yield f"\n{frame_text(table.drop(columns='series'))}"
    findings: list[Any] = list(report.findings.itertuples())
    for finding in findings:
        place = "series" if pd.isna(finding.stack) else f"stack {finding.stack}"
        yield f"\n{finding.kind} ({place}): {finding.detail}\n  to_volume(..., {finding.policies})"
    for path, reason in report.unreadable:
        yield f"not read: {path}: {reason}"
    if arguments.out:
        report.plot().savefig(arguments.out, dpi=150)
        yield f"written: {arguments.out}"


def _source(arguments: Namespace) -> Any:
    """The folder, or those of its files that belong to the series that was named."""
    if arguments.series is None:
        return arguments.where
    files = dk.scan(arguments.where, ["SeriesInstanceUID", "SeriesNumber"])
    number = files["SeriesNumber"].astype("string")
    chosen = files[
        (files["SeriesInstanceUID"] == arguments.series).fillna(False) | (number == arguments.series).fillna(False)
    ]
    if not len(chosen):
        raise ValueFormatError(f"there is no series {arguments.series!r} in {os.fspath(arguments.where)}")
    return chosen


COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {
    "scan": scan,
    "dump": dump,
    "show": show,
    "render": render,
    "montage": montage,
    "explain": explain,
    **exchange.COMMANDS,
    **network.COMMANDS,
    **serving.COMMANDS,
    **procedure.COMMANDS,
    **printing_films.COMMANDS,
    **delivering.COMMANDS,
    **queueing.COMMANDS,
}
