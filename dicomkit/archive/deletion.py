"""Deletion that is told: an event for each study of which something, or all, was removed from an archive."""

from __future__ import annotations

from collections.abc import Iterable

from dicomkit.archive.protocol import Archive, StoredInstance
from dicomkit.dimse.instance_events import InstanceHeader
from dicomkit.net.events import Event, OnEvent
from dicomkit.query import Query, query

_TOLD = ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber")


def delete_with_events(archive: Archive, what: Query, on_event: OnEvent, *, user: str = "") -> int:
    """Remove every instance that the keys of a query denote, and tell of each study.

    Parameters
    ----------
    archive
        From which.
    what
        As for its `delete`.
    on_event
        Told ``"study deleted"`` of each study of which nothing is left, and ``"instances deleted"`` of others; an
        `audit_trail` makes messages of them.
    user
        Who wants it, as ``"jane@hospital.example"``.

    Returns
    -------
    int
        How many instances there were.

    Examples
    --------
    >>> import dicomkit as dk
    >>> archive = dk.MemoryArchive()
    >>> for ds in dk.samples.ct_series(3, 8):
    ...     _ = archive.store(ds)
    >>> seen = []
    >>> delete_with_events(archive, query("image", InstanceNumber=1), seen.append)
    1
    >>> delete_with_events(archive, query("study", StudyInstanceUID=ds.StudyInstanceUID), seen.append)
    2
    >>> [event.name for event in seen]
    ['instances deleted', 'study deleted']
    """
    studies: dict[str, list[StoredInstance]] = {}
    for stored in archive.fetch(what):
        studies.setdefault(stored.study_instance_uid, []).append(stored)
    headers = {uid: _header(archive, uid) for uid in studies}
    count = archive.delete(what)
    for uid, instances in studies.items():
        is_left = next(iter(archive.search(query("study", StudyInstanceUID=uid), limit=1)), None) is not None
        data = {"sop_classes": _by_class(instances), "user": user, "header": headers[uid]}
        name = "instances deleted" if is_left else "study deleted"
        on_event(Event(name, level="info", category="storage", data=data))
    return count


def _header(archive: Archive, uid: str) -> InstanceHeader:
    """Ask whose a study is."""
    asked = query("study", StudyInstanceUID=uid, return_keys=_TOLD)
    for found in archive.search(asked, limit=1):
        return InstanceHeader.of(found)
    return InstanceHeader(uid)


def _by_class(instances: Iterable[StoredInstance]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stored in instances:
        found.setdefault(stored.sop_class_uid, []).append(stored.sop_instance_uid)
    return found
