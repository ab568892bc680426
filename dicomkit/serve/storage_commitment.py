"""Storage commitment from an archive: it commits to keep what it has, whole and under the class that was named."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from dicomkit.archive.protocol import Archive, StoredInstance
from dicomkit.archive.transactions import Transactions
from dicomkit.dimse.commitment_provider import (
    CLASS_INSTANCE_CONFLICT,
    NO_SUCH_INSTANCE,
    WAITS,
    Check,
    committing,
)
from dicomkit.dimse.commitments import Reference
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.peer import Peer
from dicomkit.net.events import OnEvent
from dicomkit.query import query

_AT_ONCE = 100


def commitment(
    archive: Archive,
    *,
    destinations: Mapping[str, Peer] | Callable[[str], Peer | None] | None = None,
    transactions: Transactions | None = None,
    retrieve_aet: str = "",
    waits: Sequence[float] = WAITS,
    on_event: OnEvent | None = None,
) -> Service:
    """Make the service that commits to keep what an archive has (PS3.4 Annex J, the push model).

    Parameters
    ----------
    archive
        Where the instances are.
    destinations
        Who is meant by the AE title of a caller: a mapping, or a function. To one that is known the report goes over a
        new association, and again until it arrives; to any other over the association of the request.
    transactions
        Where requests and reports are written down; with a file, what could not be delivered is after a restart.
    retrieve_aet
        Where peers are told that the instances can be retrieved from.
    waits
        The seconds before each attempt to report over a new association.
    on_event
        What is told of every event.

    Examples
    --------
    >>> import dicomkit as dk
    >>> archive = dk.MemoryArchive()
    >>> series = dk.samples.ct_series(2, 8)
    >>> with dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server:
    ...     report = dk.store(server.peer(), series[:1])
    ...     result = dk.commit(server.peer(), series)
    >>> result.state, result.failed[0][1].meaning
    ('partly failed', 'No such object instance')
    """
    where_to = destinations.get if isinstance(destinations, Mapping) else destinations
    return committing(
        checking(archive),
        where_to=where_to or (lambda _: None),
        reports=transactions if transactions is not None else Transactions(),
        retrieve_aet=retrieve_aet,
        waits=waits,
        on_event=on_event,
    )


def checking(archive: Archive) -> Check:
    """Make what looks whether an archive has instances: each under its class, and all of its bytes."""

    def check(references: Sequence[Reference]) -> Mapping[Reference, int]:
        missing: dict[Reference, int] = {}
        left = iter(references)
        while batch := list(islice(left, _AT_ONCE)):
            asked = query("image", SOPInstanceUID=[reference.sop_instance_uid for reference in batch])
            found = {str(stored.sop_instance_uid): stored for stored in archive.fetch(asked)}
            for reference in batch:
                reason = _reason(reference, found.get(reference.sop_instance_uid))
                if reason is not None:
                    missing[reference] = reason
        return missing

    return check


def _reason(reference: Reference, stored: StoredInstance | None) -> int | None:
    if stored is None or not _is_whole(stored):
        return NO_SUCH_INSTANCE
    return None if stored.sop_class_uid == reference.sop_class_uid else CLASS_INSTANCE_CONFLICT


def _is_whole(stored: StoredInstance) -> bool:
    """Tell whether the file is there, with all the bytes that it had."""
    if stored.path is None:
        return True
    try:
        size = os.stat(stored.path).st_size
    except OSError:
        return False
    return size >= stored.size + max(stored.offset, 0)
