"""An archive in memory: for tests, notebooks and what needn't outlive the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from dicomkit.archive.answers import answering
from dicomkit.archive.cards import Card, make_card
from dicomkit.archive.errors import ArchiveFullError, DuplicateInstanceError, NotUnderstoodError
from dicomkit.archive.protocol import Buffer, Check, StoredInstance
from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.opening import Readable
from dicomkit.query import Query, matcher

_GROUP = {
    "PATIENT": "patient_id",
    "STUDY": "study_instance_uid",
    "SERIES": "series_instance_uid",
    "IMAGE": "sop_instance_uid",
}


class MemoryArchive:
    """Instances in memory.

    Parameters
    ----------
    duplicates
        What becomes of an instance that is there already: ``"keep"`` the first, ``"replace"`` it, ``"refuse"``.
    most_bytes
        How much it may hold.

    Examples
    --------
    >>> from dicomkit.query import query
    >>> from dicomkit.samples import ct_series
    >>> archive = MemoryArchive()
    >>> for ds in ct_series(3, 8):
    ...     _ = archive.store(ds)
    >>> [(found.Modality, found.NumberOfSeriesRelatedInstances) for found in archive.search(query("series"))]
    [('CT', 3)]
    """

    def __init__(self, *, duplicates: str = "keep", most_bytes: int = 1 << 32) -> None:
        self.duplicates = duplicates
        self.most_bytes = most_bytes
        self._size = 0
        self._instances: dict[str, tuple[Card, StoredInstance]] = {}
        self._lock = threading.Lock()

    def search(self, query: Query, *, offset: int = 0, limit: int | None = None) -> Iterator[DataSet]:
        """Give a data set for each match on the level of the query, with what it asks for."""
        answer = answering(query)
        found = (answer(card.to_dataset(), facts) for card, facts in self._groups(query.level or "IMAGE"))
        matches = (match for match in found if match is not None)
        return islice(matches, offset, None if limit is None else offset + limit)

    def _groups(self, level: str) -> Iterator[tuple[Card, dict[str, Any]]]:
        """Give the first card of each group of a level, and what is told of the groups that it belongs to."""
        with self._lock:
            cards = [card for card, _ in self._instances.values()]
        groups: dict[str, list[Card]] = {}
        for card in cards:
            for name in ("patient_id", "study_instance_uid", "series_instance_uid"):
                groups.setdefault(f"{name} {getattr(card, name)}", []).append(card)
        seen: set[str] = set()
        for card in cards:
            uid = getattr(card, _GROUP[level])
            if uid not in seen:
                seen.add(uid)
                yield (
                    card,
                    _facts(
                        groups[f"patient_id {card.patient_id}"],
                        groups[f"study_instance_uid {card.study_instance_uid}"],
                        groups[f"series_instance_uid {card.series_instance_uid}"],
                    ),
                )

    def fetch(self, query: Query) -> Iterator[StoredInstance]:
        """Give every instance that the keys of a query denote."""
        test = matcher(query)
        with self._lock:
            instances = list(self._instances.values())
        return (stored for card, stored in instances if test(card.to_dataset()))

    def receive(
        self,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        *,
        calling_ae: str = "",
        check: Check | None = None,
    ) -> _MemoryReceipt:
        """Begin to receive an instance.

        Raises
        ------
        ArchiveError
            When it isn't taken.
        """
        self._refuse_duplicate(sop_instance_uid)
        return _MemoryReceipt(self, check, sop_class_uid, sop_instance_uid, transfer_syntax_uid)

    def store(self, instance: DataSet | Readable) -> StoredInstance:
        """Put an instance of one's own into the archive."""
        ds = instance if isinstance(instance, DataSet) else read(instance)
        syntax = ds.transfer_syntax.uid
        return self.put(ds, make_card(ds), to_bytes(ds, syntax), syntax)

    def delete(self, query: Query) -> int:
        """Remove every instance that the keys of a query denote, and return how many there were."""
        found = list(self.fetch(query))
        with self._lock:
            for stored in found:
                if self._instances.pop(stored.sop_instance_uid, None) is not None:
                    self._size -= stored.size
        return len(found)

    def put(self, ds: DataSet, card: Card, encoded: bytes, transfer_syntax_uid: str) -> StoredInstance:
        """Take an instance that was looked at."""
        self._refuse_duplicate(card.sop_instance_uid)
        with self._lock:
            known = self._instances.get(card.sop_instance_uid)
            if known is not None and self.duplicates == "keep":
                return known[1]
            if self._size + len(encoded) > self.most_bytes:
                raise ArchiveFullError(f"the archive holds {self._size} bytes, and no more than {self.most_bytes}")
            self._size += len(encoded) - (known[1].size if known else 0)
            stored = StoredInstance(*card[:4], transfer_syntax_uid, None, len(encoded), 0, encoded)
            self._instances[card.sop_instance_uid] = card, stored
            return stored

    def _refuse_duplicate(self, sop_instance_uid: str) -> None:
        if self.duplicates == "refuse" and sop_instance_uid in self._instances:
            raise DuplicateInstanceError("the instance is in the archive already")

    def __len__(self) -> int:
        return len(self._instances)

    def __repr__(self) -> str:
        return f"<MemoryArchive: {len(self)} instances, {self._size / 1e6:.1f} MB>"


class _MemoryReceipt:
    """Collects the bytes of an instance."""

    def __init__(self, archive: MemoryArchive, check: Check | None, *announced: str) -> None:
        self._archive = archive
        self._check = check
        self._class, self._instance, self._syntax = announced
        self._data = bytearray()

    def write(self, buffers: Sequence[Buffer]) -> None:
        for buffer in buffers:
            self._data += buffer
        if len(self._data) > self._archive.most_bytes:
            raise ArchiveFullError(f"an instance of more than {self._archive.most_bytes} bytes")

    def commit(self) -> StoredInstance:
        data = bytes(self._data)
        try:
            ds = read(data, transfer_syntax=self._syntax)
        except DicomError as error:
            raise NotUnderstoodError(error.message, tag=error.tag, offset=error.offset) from error
        if self._check is not None:
            self._check(ds)
        card = make_card(ds, sop_class_uid=self._class, sop_instance_uid=self._instance)
        return self._archive.put(ds, card, data, self._syntax)

    def discard(self) -> None:
        self._data.clear()


def _facts(of_patient: list[Card], of_study: list[Card], of_series: list[Card]) -> dict[str, Any]:
    """Compute what is told of the groups that an instance belongs to."""
    return {
        "ModalitiesInStudy": sorted({card.modality for card in of_study if card.modality}) or None,
        "SOPClassesInStudy": sorted({card.sop_class_uid for card in of_study}),
        "NumberOfPatientRelatedStudies": len({card.study_instance_uid for card in of_patient}),
        "NumberOfPatientRelatedSeries": len({card.series_instance_uid for card in of_patient}),
        "NumberOfPatientRelatedInstances": len(of_patient),
        "NumberOfStudyRelatedSeries": len({card.series_instance_uid for card in of_study}),
        "NumberOfStudyRelatedInstances": len(of_study),
        "NumberOfSeriesRelatedInstances": len(of_series),
        "InstanceAvailability": "ONLINE",
    }
