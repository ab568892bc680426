"""The proof afterwards: everything that remains is read again, and searched for all that identified before."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.deidentification.dummies import dummy
from dicomkit.deidentification.identifiers import (
    Identifiers,
    squash,
    telling_id,
    telling_words,
    words_of,
)
from dicomkit.deidentification.profile import BASIC_PROFILE, Profile
from dicomkit.deidentification.pseudonyms import Pseudonyms, patient_of
from dicomkit.deidentification.rules import Rules
from dicomkit.deidentification.sweep import looks_like_text
from dicomkit.deidentification.text import DATES, days_of, pattern_of
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.opening import open_source
from dicomkit.sources import Bulk
from dicomkit.tables.find_files import Place, find_files
from dicomkit.values.fragments import Fragments

if TYPE_CHECKING:
    import pandas as pd

Source: TypeAlias = "Place | DataSet | Iterable[Place | DataSet]"

PIXEL_ATTRIBUTES = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_PIXELS = "pixels"
_DUMMY_DATES = frozenset((dummy("DA"),))
_PREAMBLE = 128
_LONG_TOKEN = 6
_LONGEST_TEXT = 4096
_OVERLAP = 256
_CONTEXT = 40
_UIDS = re.compile(r"\d+(?:\.\d+)+")
_DIGITS = re.compile(r"(?<!\d)\d{8}(?!\d)")
_MOMENTS = re.compile(r"(?<!\d)\d{14}(?!\d)")
# Written by the de-identification itself.
_OWN = frozenset((0x00120062, 0x00120063, 0x00120064, 0x00280303, 0x00020012, 0x00020013, 0x00020000, 0x00020001))


class Finding(NamedTuple):
    """Something that identified the patient before, and is still there.

    Attributes
    ----------
    output
        The file, or the number of the data set.
    path
        Of the element; ``"(preamble)"`` and ``"(file name)"`` are places of their own.
    kind
        ``name``, ``id``, ``place``, ``date`` or ``uid``.
    found, context
        The text, and what stands around it.
    """

    output: str
    path: str
    kind: str
    found: str
    context: str


def certify(
    outputs: Source, originals: Source, profile: Profile = BASIC_PROFILE, *, key: bytes | str | None = None
) -> pd.DataFrame:
    """Search de-identified files for everything that identified the patient in the originals.

    All is searched that is left: preamble, file meta information, every value of every element, private and nested
    ones, numbers, UIDs, bulk data, coded streams, and the names of the files. Names are found in any case, order and
    spelling, numbers with any separators, dates in several notations.

    Parameters
    ----------
    outputs, originals
        Folders, files, DataSets, or several of these.
    profile
        The one that was used: what it retains is no finding.
    key
        The one that was used: each output is then searched for what identified its own patient only. Needed where dates
        were shifted, as one patient's new date may be another's old one.

    Returns
    -------
    DataFrame
        One row a finding: ``output``, ``path``, ``kind``, ``found``, ``context``; none where all is well. Its ``attrs``
        say how many ``files``, ``values`` and ``identifiers`` there were, and which originals could not be read. An
        output that can't be read is a finding.

    Raises
    ------
    SourceError
        When a folder or file that was named is not there.

    Examples
    --------
    >>> before = DataSet(PatientName="Doe^Jane", PatientID="4711", StudyDescription="for jane DOE")
    >>> certify(before.assign(PatientName="x", PatientID="y"), before)[["path", "kind", "found"]].values.tolist()
    [['StudyDescription', 'name', 'jane DOE']]
    """
    import pandas as pd

    rules = Rules.of(profile)
    unread: list[str] = []
    known = _known(originals, rules, None if key is None else Pseudonyms.of(key), profile, unread)
    findings: list[Finding] = []
    files = values = 0
    for label, ds in _data_sets(outputs):
        files += 1
        if isinstance(ds, DicomError):
            findings.append(Finding(label, "(file)", "unread", "", str(ds)))
            continue
        sought = known.of(ds)
        for place, vr, value in _remains(label, ds):
            values += 1
            findings += (Finding(label, place, *hit) for hit in _hits(value, vr, sought))
    table = pd.DataFrame(findings, columns=list(Finding._fields), dtype="string")
    everything = known.everything
    table.attrs = {
        "files": files,
        "values": values,
        "identifiers": sum(map(len, (everything.names, everything.ids, everything.places, everything.dates)))
        + len(everything.uids),
        "unread originals": unread,
    }
    return table


@dataclass(frozen=True, slots=True)
class _Known:
    """What identified the patients: of each instance by its new UID, or of all together."""

    everything: Identifiers
    by_output: dict[str, Identifiers] | None

    def of(self, ds: DataSet) -> Identifiers:
        """Return what to search an output for."""
        if self.by_output is None:
            return self.everything
        return self.by_output.get(str(ds.get("SOPInstanceUID")), self.everything)


def _known(
    originals: Source, rules: Rules, pseudonyms: Pseudonyms | None, profile: Profile, unread: list[str]
) -> _Known:
    everything = Identifiers()
    by_patient: dict[str, Identifiers] = {}
    patients: dict[str, str] = {}
    for label, ds in _data_sets(originals):
        if isinstance(ds, DicomError):
            unread.append(label)
            continue
        found = Identifiers.of(ds, rules)
        everything |= found
        patient = patient_of(ds)
        by_patient[patient] = by_patient.get(patient, Identifiers()) | found
        uid = str(ds.get("SOPInstanceUID"))
        if pseudonyms is not None:
            patients[uid if profile.retain_uids else str(pseudonyms.uid(uid))] = patient
    if pseudonyms is None:
        return _Known(everything, None)
    return _Known(everything, {uid: by_patient[patient] for uid, patient in patients.items()})


def _data_sets(source: Source) -> Iterator[tuple[str, DataSet | DicomError]]:
    """The data sets of a source with what to call them; the error of one that can't be read."""
    if isinstance(source, (str, os.PathLike, DataSet)):
        source = [source]
    for number, one in enumerate(source):
        if isinstance(one, DataSet):
            yield f"data set {number}", one
            continue
        for path in find_files(one):
            if os.path.basename(path).startswith("."):
                continue
            try:
                yield path, read(path)
            except DicomError as error:
                yield path, error


def _remains(label: str, ds: DataSet) -> Iterator[tuple[str, str, Any]]:
    """Everything that is in a file, with its place and VR: texts, numbers as text, and bytes."""
    if ds.path == label:
        # The folders above are the user's own: only what the de-identification named counts.
        yield "(file name)", "LO", "/".join(label.replace("\\", "/").split("/")[-3:])
        with open_source(label) as opened:
            preamble = opened.read_at(0, _PREAMBLE)
        if preamble.strip(b"\0"):
            yield "(preamble)", "OB", preamble
    for path, element in (*ds.meta.walk(), *ds.walk()):
        if element.tag not in _OWN and element.vr != "SQ":
            vr = _PIXELS if element.tag in PIXEL_ATTRIBUTES else element.vr
            yield from ((".".join(map(str, path)), vr, value) for value in _values(element))


def _values(element: Element) -> Iterator[Any]:
    value = element.value
    if isinstance(value, Fragments):
        yield from value.parts
    elif isinstance(value, (bytes, Bulk)):
        yield value
    elif value is not None:
        parts = value if isinstance(value, tuple) else (value,)
        if all(isinstance(part, float) for part in parts) and element.vr in ("FL", "FD"):
            return  # no number that anybody wrote down
        yield element.text if element.vr in ("DS", "IS") else "\\".join(map(str, parts))


def _hits(value: Any, vr: str, known: Identifiers) -> Iterator[tuple[str, str, str]]:
    """What of the identifiers is in a value: kind, text found, context."""
    if isinstance(value, str):
        yield from _in_text(value, vr, known)
        return
    seen: set[tuple[str, str]] = set()
    for chunk in _chunks(value):
        for kind, found, context in _in_bytes(chunk, known, vr == _PIXELS):
            if (kind, found.casefold()) not in seen:
                seen.add((kind, found.casefold()))
                yield kind, found, context


def _chunks(value: bytes | Bulk) -> Iterator[bytes]:
    """Bytes in overlapping pieces."""
    if isinstance(value, bytes):
        yield value
        return
    last = b""
    for chunk in value.chunks():
        yield last + chunk
        last = chunk[-_OVERLAP:]


def _in_text(text: str, vr: str, known: Identifiers) -> Iterator[tuple[str, str, str]]:
    taken: list[range] = []
    for kind, part in (
        # The defined terms of code strings may be words of a name.
        ("name", Identifiers(names=known.names if vr != "CS" else frozenset())),
        ("id", Identifiers(ids=known.ids)),
        ("place", Identifiers(places=known.places)),
    ):
        for match in _matches(pattern_of(part), text):
            if not any(match.start() in span for span in taken):
                taken.append(range(*match.span()))
                yield kind, match[0], _around(text, match)
    if not taken and any(map(str.isalpha, text)):
        squashed = squash(text.encode())
        for token in _compounds(known.names, known.ids):
            if token in squashed:
                yield "name or id", token.decode("utf-8", "replace"), text[: 2 * _CONTEXT]
                break
    for match in _UIDS.finditer(text):
        if match[0] in known.uids:
            yield "uid", match[0], _around(text, match)
    for match in (*DATES.finditer(text), *_DIGITS.finditer(text), *_MOMENTS.finditer(text)):
        if days_of(match[0]) & known.dates - _DUMMY_DATES:
            yield "date", match[0], _around(text, match)
            break


def _in_bytes(data: bytes, known: Identifiers, pixels: bool) -> Iterator[tuple[str, str, str]]:
    """Search bytes as text where they are short or look like it, and pixels and others for longer words."""
    if not pixels and (len(data) <= _LONGEST_TEXT or looks_like_text(data)):
        plain = data.replace(b"\0", b"")
        texts = {plain.decode("latin-1"), plain.decode("utf-8", "ignore")}
        yield from dict.fromkeys(hit for text in sorted(texts) for hit in _in_text(text, "UT", known))
        return
    pattern = _long_words(known.names, known.ids)
    for match in pattern.finditer(data) if pattern is not None else ():
        around = data[max(0, match.start() - _CONTEXT) : match.end() + _CONTEXT]
        yield "name or id", match[0].decode("latin-1"), around.decode("latin-1").replace("\0", "")
    for match in re.finditer(rb"\d+(?:\.\d+){5,}", data):
        if (uid := match[0].decode("ascii")) in known.uids:
            yield "uid", uid, uid


@lru_cache(256)
def _compounds(names: frozenset[str], ids: frozenset[str]) -> tuple[bytes, ...]:
    """Squashed names of several words, and IDs of letters and digits: found without regard to what touches them."""
    texts = {"".join(words) for name in names for words in words_of(name) if len(words) > 1}
    texts |= {text for text in ids if telling_id(text) and any(map(str.isalpha, text)) and any(map(str.isdigit, text))}
    return tuple(sorted(token for token in {squash(text.encode()) for text in texts} if len(token) >= _LONG_TOKEN))


@lru_cache(256)
def _long_words(names: frozenset[str], ids: frozenset[str]) -> re.Pattern[bytes] | None:
    """Words that don't turn up in megabytes of pixels by chance."""
    words = {word for name in names for words in words_of(name) for word in telling_words(words)}
    words |= {text for text in ids if telling_id(text)}
    encoded = {
        form.encode(codec, "ignore")
        for word in words
        for form in (word, word.lower(), word.upper())
        for codec in ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
    }
    choices = sorted(re.escape(form) for form in encoded if len(form.replace(b"\0", b"")) >= 5)
    return re.compile(b"|".join(choices), re.IGNORECASE) if choices else None


def _matches(pattern: re.Pattern[str] | None, text: str) -> Iterator[re.Match[str]]:
    return pattern.finditer(text) if pattern is not None else iter(())


def _around(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - _CONTEXT) : match.end() + _CONTEXT]
