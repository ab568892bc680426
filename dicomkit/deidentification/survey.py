"""The look at all files before any is written: whose they are, what else identifies the patient, where they go."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dicomkit.deidentification.deidentify import DIRECTORY_RECORDS
from dicomkit.deidentification.identifiers import Identifiers, identifiers_from, kind_of
from dicomkit.deidentification.pseudonyms import PATIENT_KEYWORDS, Pseudonyms, patient_from
from dicomkit.deidentification.rules import Rules
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.tables.workers import in_processes
from dicomkit.values.tag import Tag

BATCH = 100
_MANY = 2000
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# What cleans the texts of any file of the same patient.
_KNOWN_FROM = (
    "PatientName PatientID OtherPatientIDs OtherPatientNames PatientBirthName PatientMotherBirthName PatientAddress"
    " PatientTelephoneNumbers MedicalRecordLocator ResponsiblePerson AccessionNumber AdmissionID ReferringPhysicianName"
    " PhysiciansOfRecord PerformingPhysicianName NameOfPhysiciansReadingStudy OperatorsName RequestingPhysician"
    " InstitutionName InstitutionAddress"
).split()
_KEYWORDS = tuple(dict.fromkeys((*PATIENT_KEYWORDS, *_UIDS, *_KNOWN_FROM)))
_TAGS = tuple(int(Tag.of(keyword)) for keyword in _KEYWORDS)
_MARKS = (0x00080016, DIRECTORY_RECORDS)
_SAFE_NAME = re.compile(r"[0-9]+(\.[0-9]+)*")


class Seen(NamedTuple):
    """What was seen of a file.

    Attributes
    ----------
    size, modified
        In bytes, and in nanoseconds since 1970; None where there is no such thing.
    error
        Why it can't be de-identified.
    texts
        Of the attributes that the survey looks at, in its order; empty where they are missing.
    """

    path: str
    size: int | None
    modified: int | None
    error: str | None
    texts: tuple[str, ...] = ()

    def text(self, keyword: str) -> str:
        """Return the text of an attribute."""
        return self.texts[_KEYWORDS.index(keyword)] if self.texts else ""

    @property
    def patient(self) -> str:
        """What stands for the patient."""
        return patient_from({keyword: self.text(keyword) for keyword in PATIENT_KEYWORDS})


def survey(paths: Sequence[str], workers: int) -> list[Seen]:
    """Look at files, in worker processes where there are many."""
    if workers == 1 or len(paths) < _MANY:
        return look(paths, None)
    found = dict(in_processes(look, None, paths, workers, BATCH))
    return [seen for first in sorted(found) for seen in found[first]]


def look(paths: Sequence[str], _: None) -> list[Seen]:
    """Look at files; one that can't be read says why."""
    return [_look_at(path) for path in paths]


def _look_at(path: str) -> Seen:
    size = modified = None
    try:
        status = os.stat(path.partition("!/")[0] if "!/" in path else path)
        size, modified = status.st_size, status.st_mtime_ns
    except OSError:
        pass  # read says why
    try:
        ds = read(path, only=(*_TAGS, *_MARKS))
        if DIRECTORY_RECORDS in ds:
            return Seen(path, size, modified, "a media directory (DICOMDIR): make a new one from the outputs")
        texts = tuple("\\".join(map(str, ds.all(tag))) for tag in _TAGS)
        if not len(ds) and not len(read(path)):
            return Seen(path, size, modified, "no data elements")
        return Seen(path, size, modified, None, texts)
    except DicomError as error:
        error.path = None
        return Seen(path, size, modified, str(error))


def outputs(files: Iterable[Seen], rules: Rules, pseudonyms: Pseudonyms) -> list[str]:
    """Return where each file goes: study/series/instance by new UIDs; further files of one UID get a number."""
    counts: dict[str, int] = {}
    found = []
    for seen in files:
        study, series, instance = (_name(seen.text(keyword), rules, pseudonyms) for keyword in _UIDS)
        name = os.path.join(study, series, instance)
        if seen.error is None:
            counts[name] = counts.get(name, 0) + 1
        number = counts.get(name, 1)
        found.append(f"{name}{'' if number == 1 else f'-{number}'}.dcm")
    return found


def knowledge(files: Iterable[Seen], rules: Rules, known: Identifiers | None) -> dict[str, Identifiers]:
    """Return what identifies each patient in any of the files."""
    kinds = {keyword: kind for keyword in _KNOWN_FROM if (kind := kind_of(Tag.of(keyword), rules)) is not None}
    texts: dict[str, set[tuple[str, str]]] = {}
    for seen in files:
        found = texts.setdefault(seen.patient, set())
        found.update((kind, text) for keyword, kind in kinds.items() if (text := seen.text(keyword)))
    start = known or Identifiers()
    return {patient: start | identifiers_from(found) for patient, found in texts.items()}


def _name(uid: str, rules: Rules, pseudonyms: Pseudonyms) -> str:
    """A folder or file name from a UID; only what can do no harm is taken as it is."""
    if not uid:
        return "none"
    if rules.profile.retain_uids and _SAFE_NAME.fullmatch(uid) and len(uid) <= 64:
        return uid
    return str(pseudonyms.uid(uid))
