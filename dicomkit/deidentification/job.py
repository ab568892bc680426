"""All that the walk through one data set needs to know, and the record of what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dicomkit._version import __version__
from dicomkit.deidentification.attribute_types import attribute_type
from dicomkit.deidentification.changes import Change, Path, shown
from dicomkit.deidentification.identifiers import Identifiers
from dicomkit.deidentification.pseudonyms import Pseudonyms, patient_of
from dicomkit.deidentification.rules import Rules
from dicomkit.deidentification.text import clean_text
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

METHOD = f"dicomkit {__version__}, PS3.15 2026c annex E"
"""What is written as De-identification Method."""


@dataclass(frozen=True, slots=True)
class Job:
    """What holds for one data set.

    Attributes
    ----------
    identifiers
        What identifies, in this data set and in what else is known of the patient.
    patient, shift
        Who it is, and by how many days dates move.
    record
        Where changes are noted; None when nobody asked.
    """

    rules: Rules
    pseudonyms: Pseudonyms
    identifiers: Identifiers
    patient: str
    shift: int
    sop_class: str | None
    record: list[Change] | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls,
        ds: DataSet,
        rules: Rules,
        pseudonyms: Pseudonyms,
        known: Identifiers | None = None,
        record: list[Change] | None = None,
    ) -> Job:
        """Look at a data set before it is changed."""
        patient = patient_of(ds)
        found = Identifiers.of(ds, rules, spoken=True)
        sop_class = ds.get("SOPClassUID") or ds.meta.get("MediaStorageSOPClassUID")
        return cls(
            rules,
            pseudonyms,
            found if known is None else found | known,
            patient,
            pseudonyms.shift(patient),
            sop_class if isinstance(sop_class, str) else None,
            record,
        )

    def type_of(self, place: tuple[int, ...], tag: int) -> str | None:
        """Return the type of an attribute in the IOD of the data set; None where that is not known."""
        return None if self.sop_class is None else attribute_type(self.sop_class, (*place, tag))

    def cleaned(self, text: str) -> str:
        """Return a text without what identifies."""
        profile = self.rules.profile
        cleaner = profile.clean_descriptors
        if not isinstance(cleaner, bool):
            return cleaner(text, self.identifiers)
        return clean_text(
            text,
            self.identifiers.spoken,
            dates=profile.retain_dates != "full",
            characteristics=not profile.retain_patient_characteristics,
        )

    def note(self, path: Path, tag: int, action: str, before: Any, after: Any, reason: str) -> None:
        """Note a change, if somebody asked for it."""
        if self.record is not None:
            step = Tag(tag).keyword or str(Tag(tag))
            self.record.append(Change((*path, step), action, shown(before), shown(after), reason))
