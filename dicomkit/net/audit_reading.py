"""Audit logs read back: their messages, and a table of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from glob import escape, glob
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dicomkit.errors import ReadError, SourceError
from dicomkit.net.audit_contents import UNKNOWN
from dicomkit.net.audit_json import audit_from_json
from dicomkit.net.audit_messages import OUTCOMES, ActiveParticipant, AuditMessage, ParticipantObject

if TYPE_CHECKING:
    import pandas as pd

MOST_IN_LINE = 64 << 20
_COLUMNS = (
    *(
        "time",
        "event",
        "type",
        "action",
        "outcome",
        "description",
        "user",
        "peer",
        "source",
        "destination",
        "requestor",
    ),
    *("patient_id", "patient_name", "study", "accession", "sop_class", "instances", "reporter"),
)
_ROLES = {"source": "110153", "destination": "110152"}


def read_audit(path: str | os.PathLike[str], *, rotated: bool = True) -> Iterator[AuditMessage]:
    """Read the messages of an audit log, the oldest first.

    Parameters
    ----------
    path
        The current file of `audit_file`.
    rotated
        Whether to read the files that were rotated out of it, too.

    Raises
    ------
    SourceError
        When there is no such file.
    ReadError
        At a line that is no message; the message names file and line.

    Examples
    --------
    >>> import tempfile
    >>> from dicomkit.net.audit import audit_file, audit_trail
    >>> from dicomkit.net.events import Event
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with audit_trail(audit_file(f"{folder}/audit.jsonl")) as trail:
    ...         trail(Event("connection failed", peer="PACS@10.0.0.7:104"))
    ...     [message.kind for message in read_audit(f"{folder}/audit.jsonl")]
    ['SecurityAlert']
    """
    for found in _each(path, rotated=rotated):
        if isinstance(found, ReadError):
            raise found
        yield found


def audit_table(source: str | os.PathLike[str] | Iterable[AuditMessage], *, rotated: bool = True) -> pd.DataFrame:
    """Make a table of an audit log: a row for each message and study.

    Parameters
    ----------
    source
        The current file of `audit_file`, or messages.
    rotated
        Whether to read the files that were rotated out of it, too.

    Returns
    -------
    pandas.DataFrame
        Columns ``time`` (UTC), ``event``, ``type``, ``action``, ``outcome``, ``description``, ``user`` (the person),
        ``peer`` (AE title and host of whoever isn't the reporting process), ``source`` and ``destination`` (the same of
        these), ``requestor``, ``patient_id``, ``patient_name``, ``study``, ``accession``, ``sop_class``, ``instances``
        (how many) and ``reporter``. Lines that are no messages, as a crash leaves them, are in ``attrs["unread"]``,
        with their reasons.

    Raises
    ------
    SourceError
        When there is no such file.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.net.audit import audit_trail
    >>> messages = []
    >>> with dk.serve_dimse(dk.MemoryArchive(), ae="PACS", port=0) as server:
    ...     report = dk.store(server.peer(), dk.samples.ct_series(3, 8), on_event=audit_trail(messages.append))
    >>> table = audit_table(messages)
    >>> table.loc[0, ["event", "outcome", "destination", "instances"]].astype(str).tolist()
    ['DICOM Instances Transferred', 'success', 'PACS 127.0.0.1', '3']
    """
    import pandas as pd

    found = _each(source, rotated=rotated) if isinstance(source, str | os.PathLike) else source
    rows: list[dict[str, Any]] = []
    unread: list[str] = []
    for entry in found:
        if isinstance(entry, ReadError):
            unread.append(str(entry))
        else:
            rows += _rows(entry)
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table["time"] = pd.to_datetime(table["time"], utc=True)
    table["instances"] = table["instances"].astype("Int64")
    table.attrs["unread"] = unread
    return table


def _each(path: str | os.PathLike[str], *, rotated: bool) -> Iterator[AuditMessage | ReadError]:
    """Give each message of a log, and an error for each line that is none."""
    current = Path(path)
    older = [Path(name) for name in glob(escape(str(current)) + ".[0-9]*")] if rotated else []
    for file in [*sorted(older, key=_age), current]:
        try:
            opened = file.open("rb")
        except OSError as error:
            if older and file == current and isinstance(error, FileNotFoundError):
                return
            raise SourceError(f"can't open the audit log: {error.strerror}", path=str(file)) from error
        with opened:
            yield from _lines(opened, str(file))


def _age(rotated: Path) -> tuple[bool, int, str]:
    """Order rotated files, the oldest first: dates ascend, numbers descend."""
    suffix = rotated.suffix[1:]
    return suffix.isdecimal(), -int(suffix) if suffix.isdecimal() else 0, suffix


def _lines(opened: IO[bytes], name: str) -> Iterator[AuditMessage | ReadError]:
    number = 0
    while line := opened.readline(MOST_IN_LINE):
        number += 1
        if line.isspace():
            continue
        try:
            yield audit_from_json(line)
        except ReadError as error:
            yield ReadError(f"line {number}: {error.message}", path=name)


def _rows(message: AuditMessage) -> Iterator[dict[str, Any]]:
    """Give a row for each study of a message, or one."""
    event, objects = message.event, message.objects
    studies = [given for given in objects if given.id_type.code == "110180"]
    patients = [given for given in objects if given.role == "1"]
    shared = {
        "time": event.time,
        "event": event.id.meaning,
        "type": ", ".join(code.meaning for code in event.types) or None,
        "action": event.action or None,
        "outcome": OUTCOMES[event.outcome],
        "description": event.description or None,
        "user": _joined(each.user_id for each in message.participants if not (each.access_point or each.roles)),
        "peer": _joined(_name(each) for each in message.participants if _is_peer(each)),
        "requestor": _joined(_name(each) for each in message.participants if each.is_requestor),
        "patient_id": _joined(given.id for given in patients),
        "patient_name": _joined(given.name for given in patients),
        "reporter": message.source.id,
    }
    for role, code in _ROLES.items():
        acting = (each for each in message.participants if any(own.code == code for own in each.roles))
        shared[role] = _joined(map(_name, acting))
    for study in studies:
        yield {**shared, **_of_study(study)}
    if not studies:
        queried = _joined(given.id for given in objects if given.id_type.code == "110181")
        yield {**shared, "sop_class": queried}


def _of_study(study: ParticipantObject) -> dict[str, Any]:
    return {
        "study": _joined([study.id]),
        "accession": _joined(study.accessions),
        "sop_class": _joined(entry.uid for entry in study.sop_classes if entry.uid),
        "instances": sum(entry.count for entry in study.sop_classes) if study.sop_classes else None,
    }


def _is_peer(participant: ActiveParticipant) -> bool:
    """Tell an application elsewhere from a person, a medium and the reporting process, whose ID is a number."""
    is_application = bool(participant.access_point or participant.alternative_user_id)
    return is_application and not participant.user_id.isdecimal()


def _name(participant: ActiveParticipant) -> str:
    """Call a participant by its AE title and host, or else by its user ID."""
    title = participant.alternative_user_id.removeprefix("AETITLES=") or participant.user_id
    return f"{title} {participant.access_point}".strip()


def _joined(texts: Iterable[str]) -> str | None:
    return ", ".join(text for text in texts if text != UNKNOWN) or None
