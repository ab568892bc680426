"""The commands about what is scheduled and what is performed: worklists, and performed procedure steps."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.cli.peers import peer_of
from dicomkit.cli.printing import frame_text, write_frame
from dicomkit.errors import QueryError, ValueFormatError

if TYPE_CHECKING:
    from dicomkit.dimse.worklist import WorklistMatches

_COLUMNS = """ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime Modality ScheduledStationAETitle
    PatientName PatientID AccessionNumber ScheduledProcedureStepDescription ScheduledProcedureStepID"""
"""What is printed of the usual answers; --out writes all of them."""
_SHORT = {
    "ScheduledProcedureStepStartDate": "date",
    "ScheduledProcedureStepStartTime": "time",
    "ScheduledStationAETitle": "station",
    "ScheduledProcedureStepDescription": "description",
    "ScheduledProcedureStepID": "step",
}
_DAYS = {"today": 0, "tomorrow": 1, "yesterday": -1}


def worklist(arguments: Namespace) -> Iterator[str]:
    """List what is scheduled."""
    given = {"station": arguments.station, "modality": arguments.modality, "patient_name": arguments.name}
    matches: WorklistMatches = dk.dimse.sync.find_worklist(
        peer_of(arguments),
        date=_days(arguments.date),
        return_keys=arguments.returning,
        limit=arguments.limit,
        **given,
        **_keys(arguments.keys),
    )
    table = matches.to_table()
    if arguments.out:
        write_frame(table, arguments.out)
    if len(table):
        names = [str(name) for name in table] if arguments.returning else _COLUMNS.split()
        shown = table[[name for name in names if name in table]].rename(columns=_SHORT)
        yield frame_text(shown, max_rows=arguments.rows) + "\n"
    yield f"{len(table):,} match{'' if len(table) == 1 else 'es'}"
    if arguments.out:
        yield f"written: {arguments.out}"
    if arguments.save:
        from dicomkit.archive.worklist import FolderWorklist

        os.makedirs(arguments.save, exist_ok=True)
        folder = FolderWorklist(arguments.save)
        for item in matches:
            yield f"saved: {folder.add(item)}"


def mpps(arguments: Namespace) -> Iterator[str]:
    """Tell how a step is performed."""
    yield from _ACTIONS[arguments.action](arguments)


def _create(arguments: Namespace) -> Iterator[str]:
    item = dk.read(arguments.item)
    options = {"station": arguments.station, "step_id": arguments.step_id}
    step = dk.dimse.sync.mpps_create(
        peer_of(arguments), item, sop_instance_uid=arguments.uid, **options, **_keys(arguments.keys)
    )
    yield f"{step}"


def _complete(arguments: Namespace) -> Iterator[str]:
    step = dk.dimse.sync.mpps_complete(peer_of(arguments), arguments.step, _files(arguments.files), **_end(arguments))
    yield _told(step)


def _discontinue(arguments: Namespace) -> Iterator[str]:
    files = _files(arguments.files) if arguments.files else ()
    step = dk.dimse.sync.mpps_discontinue(
        peer_of(arguments), arguments.step, files, reason=arguments.reason, **_end(arguments)
    )
    yield _told(step)


def _show(arguments: Namespace) -> Iterator[str]:
    step = dk.dimse.sync.mpps_get(peer_of(arguments), arguments.step)
    yield str(step.attributes)


_ACTIONS: dict[str, Callable[[Namespace], Iterator[str]]] = {
    "create": _create,
    "complete": _complete,
    "discontinue": _discontinue,
    "show": _show,
}


def _end(arguments: Namespace) -> dict[str, Any]:
    return {
        "protocol_name": arguments.protocol,
        "retrieve_aet": arguments.retrieve_aet,
        **_keys(arguments.set),
    }


def _told(step: Any) -> str:
    series = step.attributes.all("PerformedSeriesSequence")
    words = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
    instances = sum(len(item.all(word)) for item in series for word in words)
    return f"{step} {step.state}: {len(series):,} series, {instances:,} instances"


def _files(where: list[str]) -> Any:
    """The DICOM files among those of folders."""
    files = dk.scan(where, ["SOPInstanceUID"])
    good = files[files["error"].isna()]
    if not len(good):
        raise ValueFormatError(f"there is no DICOM file among {len(files):,} files")
    return good


def _days(text: str | None) -> str | None:
    """Read a day in words."""
    if text in _DAYS:
        return f"{date.today() + timedelta(days=_DAYS[text]):%Y%m%d}"
    return text


def _keys(texts: list[str]) -> dict[str, Any]:
    r"""Read KEY=VALUE; a backslash stands between several values, as in DICOM."""
    keys: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name[:1].isupper():
            raise QueryError(f"{text!r} is no key", hint="write KEYWORD=VALUE, such as PatientID=A-17")
        keys[name] = value.split("\\") if "\\" in value else value
    return keys


COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {"worklist": worklist, "mpps": mpps}
