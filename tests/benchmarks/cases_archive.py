"""Searching an index of many instances, and taking instances in."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from peers import dk
from timing import Case, Goal

_EXPLICIT = "1.2.840.10008.1.2.1"
_SERIES_OF = 100


def filled(folder: Path, instances: int) -> dk.FolderArchive:
    """Make an archive whose index has so many rows, in series of a hundred; there are no files."""
    from dicomkit.archive.cards import make_card
    from dicomkit.archive.index_tables import Row

    archive = dk.FolderArchive(folder)
    base = next(iter(dk.samples.ct_series(1, 8)))
    for series in range(instances // _SERIES_OF):
        study = series // 2
        of_series = base.assign(
            PatientID=f"P{study:05}",
            PatientName=("DOE" if study % 50 == 0 else f"N{study:03}") + "^ANN",
            StudyInstanceUID=f"1.2.{study}",
            StudyDate=f"20{study % 24:02}{study % 12 + 1:02}{study % 28 + 1:02}",
            SeriesInstanceUID=f"1.3.{series}",
        )
        first = series * _SERIES_OF
        cards = [
            make_card(of_series.assign(SOPInstanceUID=f"2.25.{first + number}", InstanceNumber=number))
            for number in range(_SERIES_OF)
        ]
        archive._index.add([Row(card, _EXPLICIT, f"{card.sop_instance_uid}.dcm", 300, 0) for card in cards])
    return archive


def cases(folder: Path, instances: int) -> list[Case]:
    """Make the cases; a search of the study level is to take no longer than so many whole commits."""
    from dicomkit.encoding.writer import to_bytes

    archive, taking = filled(folder / "filled", instances), dk.FolderArchive(folder / "taking")
    base, numbers = next(iter(dk.samples.ct_series(1, 8))), count()

    def search(level: str, limit: int | None = None, **keys: str) -> Callable[[], object]:
        asked = dk.query.query(level, **keys)
        return lambda: list(archive.search(asked, limit=limit))

    def take() -> object:
        ds = base.assign(SOPInstanceUID=f"2.25.{next(numbers)}")
        receipt = taking.receive(ds.SOPClassUID, ds.SOPInstanceUID, _EXPLICIT)
        receipt.write([to_bytes(ds, _EXPLICIT)])
        return receipt.commit()

    peers = {
        "all studies": search("study"),
        "names by prefix": search("study", PatientName="DOE*"),
        "a range of dates": search("study", StudyDate="20100101-20101231"),
        "series of a study": search("series", StudyInstanceUID="1.2.7"),
        "1,000 images": search("image", limit=1000),
        "take one instance": take,
    }
    title = f"An archive of {instances:,} instances"
    return [Case(title, peers, (Goal("all studies", 1),), reference="all studies", note="All are dicomkit.")]
