"""The verb: a data set goes in, and comes out without what identifies the patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.deidentification.changes import Change, to_frame
from dicomkit.deidentification.graphics import overlay_bits
from dicomkit.deidentification.identifiers import Identifiers
from dicomkit.deidentification.job import METHOD, Job
from dicomkit.deidentification.profile import BASIC_PROFILE, Profile
from dicomkit.deidentification.pseudonyms import Pseudonyms, patient_of
from dicomkit.deidentification.rules import Rules
from dicomkit.deidentification.streams import without_comments
from dicomkit.deidentification.sweep import Parts, swept
from dicomkit.deidentification.walk import edited, without_identity
from dicomkit.encoding.writer import data_set_pieces, iter_part10, part10_pieces
from dicomkit.errors import UnsupportedError, ValueFormatError
from dicomkit.files.read import read
from dicomkit.sources import Bulk
from dicomkit.standard.confidentiality import Method, is_method
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax

if TYPE_CHECKING:
    import pandas as pd

DIRECTORY_RECORDS = 0x00041220
_LESS_FAITHFUL = {"REMOVED": 2, "MODIFIED": 1, "UNMODIFIED": 0}


class Deidentified(NamedTuple):
    """A de-identified data set, which may still refer to the bytes of the original.

    Attributes
    ----------
    transfer_syntax
        To write it in.
    parts
        Its encoded elements, and those with large values.
    notes
        What is worth knowing about it.
    """

    ds: DataSet
    transfer_syntax: TransferSyntax
    parts: Parts
    notes: tuple[str, ...]

    def part10(self) -> Iterator[bytes | Bulk]:
        """Encode it as a file, piece by piece; large values stand as they are, to be copied."""
        whole = part10_pieces(self.ds, self.transfer_syntax)
        large = self.parts.large
        placed = {element.tag for element in large}
        split = large and any(tag > large[0].tag and tag not in placed for tag in self.ds)
        if split or self.transfer_syntax.deflated:
            return whole
        # The first piece is the preamble with the file meta information; the others are made already.
        return chain((next(whole), self.parts.small), data_set_pieces(DataSet(large), self.transfer_syntax))


@overload
def deidentify(
    ds: DataSet,
    profile: Profile = ...,
    *,
    key: bytes | str | None = ...,
    known: Identifiers | None = ...,
    dry_run: bool = ...,
) -> DataSet: ...
@overload
def deidentify(
    ds: Iterable[DataSet],
    profile: Profile = ...,
    *,
    key: bytes | str | None = ...,
    known: Identifiers | None = ...,
    dry_run: bool = ...,
) -> list[DataSet]: ...
def deidentify(
    ds: DataSet | Iterable[DataSet],
    profile: Profile = BASIC_PROFILE,
    *,
    key: bytes | str | None = None,
    known: Identifiers | None = None,
    dry_run: bool = False,
) -> Any:
    """Return a data set without what identifies the patient, by the profile and options of PS3.15 annex E.

    The result stands by itself: it holds no path and no byte of the original header.

    Parameters
    ----------
    ds : DataSet or several
        What belongs together has to be given together, or with one key: UIDs and pseudonyms then agree.
    profile : Profile
        ``BASIC_PROFILE``, or ``BASIC_PROFILE.with_options(...)``.
    key : bytes or str, optional
        A secret from which UIDs, pseudonyms and shifts of dates follow, the same in every run. Without one a random
        key is made, and forgotten. Make one with ``dicomkit.deidentification.pseudonyms.new_key()``.
    known : Identifiers, optional
        More that identifies, to be removed from texts: names from a referral, say.
    dry_run : bool
        Return the table of what would change instead (see `plan`).

    Returns
    -------
    DataSet, or a list of them, or DataFrame
        Patient Identity Removed is YES, and De-identification Method Code Sequence tells profile and options.

    Raises
    ------
    UnsupportedError
        For a DICOMDIR: make a new one from the de-identified files.
    PixelError
        When pixels are to be cleaned and can't be.
    ValueFormatError
        For what is no DataSet, and a key that can be guessed.

    Examples
    --------
    >>> ds = DataSet(PatientName="Doe^Jane", PatientID="4711", StudyDate="20240131", PatientBirthName="Roe", Rows=2)
    >>> clean = deidentify(ds, key="secret of the trial")
    >>> clean.PatientID, clean.PatientID == clean.PatientName, clean.StudyDate, "PatientBirthName" in clean, clean.Rows
    ('KSLU7LG2TJHL', True, None, False, 2)
    >>> clean.PatientIdentityRemoved, clean.DeidentificationMethodCodeSequence[0].CodeValue
    ('YES', '113100')
    """
    if dry_run:
        return plan(ds, profile, key=key, known=known)
    rules, pseudonyms = Rules.of(profile), Pseudonyms.of(key)
    if isinstance(ds, DataSet):
        return standing_alone(applied(ds, rules, pseudonyms, known))
    several, of_patient = _together(ds, rules, known)
    return [standing_alone(applied(one, rules, pseudonyms, of_patient[patient_of(one)])) for one in several]


def plan(
    ds: DataSet | Iterable[DataSet],
    profile: Profile = BASIC_PROFILE,
    *,
    key: bytes | str | None = None,
    known: Identifiers | None = None,
) -> pd.DataFrame:
    """Return the table of what `deidentify` would change: path, action, before, after, reason.

    With several data sets the table has their number in a first column, ``dataset``. It holds what identifies: it is
    for the eyes of those who may see the originals.

    Examples
    --------
    >>> table = plan(DataSet(PatientName="Doe^Jane", Rows=2), key="secret of the trial")
    >>> table.loc[0, ["path", "action", "before"]].tolist()
    ['PatientName', 'Z', 'Doe^Jane']
    """
    rules, pseudonyms = Rules.of(profile), Pseudonyms.of(key)
    if isinstance(ds, DataSet):
        return to_frame(_changes(ds, rules, pseudonyms, known))
    import pandas as pd

    several, of_patient = _together(ds, rules, known)
    tables = [to_frame(_changes(one, rules, pseudonyms, of_patient[patient_of(one)])) for one in several]
    table = pd.concat(tables, keys=range(len(tables)), names=["dataset"]) if tables else to_frame(())
    return table.reset_index(level="dataset").reset_index(drop=True) if tables else table


def applied(
    ds: DataSet,
    rules: Rules,
    pseudonyms: Pseudonyms,
    known: Identifiers | None = None,
    record: list[Change] | None = None,
) -> Deidentified:
    """De-identify a data set; what is not touched still refers to the original's bytes.

    Parameters
    ----------
    record
        Where to note each change.
    """
    if DIRECTORY_RECORDS in ds:
        raise UnsupportedError("a DICOMDIR is not de-identified", hint="make a new one from the de-identified files")
    profile = rules.profile
    job = Job.of(ds, rules, pseudonyms, known, record)
    image, syntax, notes = _image(ds, job)
    result = without_identity(without_comments(image), job)
    result, parts = swept(_marked(result, ds, profile, job), ds, syntax, job)
    if ds.get("BurnedInAnnotation") == "YES" and not profile.clean_pixel_data:
        notes = ("BurnedInAnnotation is YES, and the pixels are not cleaned",)
    return Deidentified(result, syntax, parts, notes)


def _image(ds: DataSet, job: Job) -> tuple[DataSet, TransferSyntax, tuple[str, ...]]:
    """The data set with pixels as the profile wants them, its transfer syntax, and notes about that."""
    profile = job.rules.profile
    options = profile.clean_pixel_data or profile.clean_recognizable_visual_features is not None
    if not options and not overlay_bits(ds):
        return ds, TransferSyntax.of(ds.transfer_syntax.uid), ()
    from dicomkit.deidentification.pixels import cleaned_pixels

    pixels = cleaned_pixels(ds, profile)
    if pixels.ds is not ds:
        job.note((), 0x7FE00010, "C", ds.get("PixelData"), pixels.ds.get("PixelData"), ", ".join(pixels.done))
    return pixels.ds, TransferSyntax.of(pixels.transfer_syntax), pixels.notes


def standing_alone(made: Deidentified) -> DataSet:
    """Return a data set that holds no byte of the original but its large values, in its own transfer syntax."""
    small, large = made.parts
    syntax = made.transfer_syntax
    if syntax.deflated:
        ds = read(b"".join(iter_part10(made.ds.drop(*(element.tag for element in large)), syntax, anonymous=True)))
    else:
        ds = read(next(iter_part10(made.ds, syntax, anonymous=True)) + small, transfer_syntax=syntax.uid)
    return ds.assign(large) if large else ds


def _together(several: Any, rules: Rules, known: Identifiers | None) -> tuple[list[DataSet], dict[str, Identifiers]]:
    """Several data sets, and what identifies each patient in any of them."""
    listed: list[DataSet] = list(several)
    found: dict[str, Identifiers] = {}
    for ds in listed:
        if not isinstance(ds, DataSet):
            raise ValueFormatError(f"a {type(ds).__name__} is no DataSet", hint="dicomkit.read(path) gives one")
        patient = patient_of(ds)
        found[patient] = found.get(patient, known or Identifiers()) | Identifiers.of(ds, rules).spoken
    return listed, found


def _changes(ds: DataSet, rules: Rules, pseudonyms: Pseudonyms, known: Identifiers | None) -> Iterator[Change]:
    record: list[Change] = []
    applied(ds, rules, pseudonyms, known, record)
    yield from (change for change in record if change.before != change.after or change.action == "X")


def _marked(ds: DataSet, original: DataSet, profile: Profile, job: Job) -> DataSet:
    """Write what was done (PS3.15 E.1.1, E.2, E.3.1, E.3.2, E.3.6)."""
    dates = "UNMODIFIED" if profile.retain_dates == "full" else "MODIFIED" if profile.retain_dates else "REMOVED"
    before = str(original.get("LongitudinalTemporalInformationModified"))
    if _LESS_FAITHFUL.get(before, 0) > _LESS_FAITHFUL[dates]:
        dates = before  # dates that were modified once are not unmodified now
    codes = tuple(
        item
        for item in ds.all("DeidentificationMethodCodeSequence")
        if is_method(item.get("CodingSchemeDesignator"), item.get("CodeValue"))
    )
    stated = {item.CodeValue for item in codes}
    new = tuple(code for code in job.rules.methods if code.value not in stated)
    methods = tuple(text for text in map(str, ds.all("DeidentificationMethod")) if text != METHOD)
    has_pixels = "PixelData" in ds
    marks = [
        _mark("PatientIdentityRemoved", "YES"),
        _mark("DeidentificationMethod", (*methods, METHOD)),
        Element(Tag.of("DeidentificationMethodCodeSequence"), "SQ", codes + _code_items(new)),
        _mark("LongitudinalTemporalInformationModified", dates),
    ]
    if profile.clean_pixel_data and has_pixels:
        marks.append(_mark("BurnedInAnnotation", "NO"))
    if profile.clean_recognizable_visual_features is not None and has_pixels:
        marks.append(_mark("RecognizableVisualFeatures", "NO"))
    for mark in marks:
        job.note((), mark.tag, "added", ds.get(mark.tag), mark.value, "PS3.15 E.1.1, E.2, E.3")
    return edited(ds, {mark.tag: mark for mark in marks})


@lru_cache(256)
def _mark(keyword: str, value: Any) -> Element:
    return Element.of(keyword, value)


@lru_cache(256)
def _code_items(codes: tuple[Method, ...]) -> tuple[DataSet, ...]:
    return tuple(DataSet(CodeValue=c.value, CodingSchemeDesignator=c.scheme, CodeMeaning=c.meaning) for c in codes)
