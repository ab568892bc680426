"""A worklist behind DIMSE: C-FIND in the Modality Worklist Information Model (PS3.4 Annex K)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from dicomkit.archive.worklist import MemoryWorklist, Worklist
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.find_provider import FindRequest, finding
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.provider import Refused
from dicomkit.dimse.worklist import MODALITY_WORKLIST
from dicomkit.query import Query, from_identifier

Items: TypeAlias = "Worklist | Iterable[DataSet] | Callable[[FindRequest], Worklist]"
_NOT_THE_MODEL = 0xA900


def worklist(items: Items, *, fuzzy: bool = False) -> Service:
    """Make the service of a modality worklist, for `serve_dimse` and others.

    Parameters
    ----------
    items
        A worklist, items for one, or a function that gives the worklist for who asks.
    fuzzy
        Whether names match without regard to accents, order and punctuation of their parts.

    Examples
    --------
    >>> from datetime import datetime
    >>> import dicomkit as dk
    >>> from dicomkit.dimse.sync import find_worklist
    >>> from dicomkit.objects.worklist_item import make_worklist_item
    >>> who = {"patient_name": "DOE^JANE", "patient_id": "A"}
    >>> item = make_worklist_item(**who, modality="CT", station="CT1", start=datetime(2024, 2, 29, 9, 30))
    >>> with dk.serve_dimse(None, port=0, services=[worklist([item])]) as server:
    ...     [found.PatientID for found in find_worklist(server.peer(), modality="CT", date="20240229")]
    ['A']
    """
    if callable(items) and not isinstance(items, Worklist):
        chosen = items
    else:
        held = items if isinstance(items, Worklist) else MemoryWorklist(items)

        def chosen(_: FindRequest) -> Worklist:
            return held

    def search(identifier: DataSet, request: FindRequest) -> Iterator[DataSet]:
        asked = from_identifier(identifier.drop("QueryRetrieveLevel"))  # there are no levels, whatever a peer says
        if not asked.keys and not asked.return_keys:
            raise Refused("the identifier asks for nothing", status=_NOT_THE_MODEL)
        return chosen(request).search(Query(None, asked.keys, asked.return_keys), fuzzy=fuzzy)

    return Service.of({(MODALITY_WORKLIST, "C-FIND-RQ"): finding(search)})
