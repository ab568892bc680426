"""What a data set says of its losses: method, ratio, derivation, source (PS3.3 C.7.6.1.1.5, C.7.6.1.1.3, C.12.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.functional_groups import PER_FRAME, SHARED
from dicomkit.pixels.description import PixelDescription
from dicomkit.pixels.target import ALWAYS_LOSSY
from dicomkit.values.fragments import Fragments
from dicomkit.values.uid import new_uid as make_uid

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_LOSSY_COMPRESSION = {"CodeValue": "113040", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Lossy Compression"}
_PREDECESSOR = {"CodeValue": "121320", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Uncompressed predecessor"}
_LONGEST_DESCRIPTION = 1024


def known_loss(ds: DataSet, source: DataSet, description: PixelDescription) -> DataSet:
    """Keep in mind that pixels from a lossy encoding have lost something, where the source doesn't say so itself.

    Parameters
    ----------
    ds : DataSet
        What was made of the source.
    source : DataSet
    description : PixelDescription
        Of the new pixels.

    Returns
    -------
    DataSet

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(Rows=1)
    >>> known_loss(ds, ds, PixelDescription(1, 1)) is ds
    True
    """
    method = ALWAYS_LOSSY.get(source.transfer_syntax.uid)
    value = source.get("PixelData")
    if method is None or not isinstance(value, Fragments) or source.get("LossyImageCompression") == "01":
        return ds
    samples = description.rows * description.columns * description.samples_per_pixel
    size = samples * description.bits_allocated // 8 * description.number_of_frames
    return _with_loss(ds, method, size / max(1, len(value)))


def after_loss(ds: DataSet, source: DataSet, method: str, ratio: float, new_uid: str | None = None) -> DataSet:
    """Record a lossy compression: an image derived from the source, with a UID of its own.

    Parameters
    ----------
    ds : DataSet
        With the new pixels.
    source : DataSet
    method : str
        Defined term of Lossy Image Compression Method.
    ratio : float
    new_uid : str, optional
        SOP Instance UID.

    Returns
    -------
    DataSet

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(SOPClassUID="1.2.3", SOPInstanceUID="2.25.1", ImageType=("ORIGINAL", "PRIMARY"))
    >>> lossy = after_loss(ds, ds, "ISO_10918_1", 12.5)
    >>> lossy.ImageType, lossy["SourceImageSequence", 0, "ReferencedSOPInstanceUID"], lossy.LossyImageCompressionRatio
    (('DERIVED', 'PRIMARY'), UID('2.25.1'), 12.5)
    """
    changes: dict[str, Any] = {"SOPInstanceUID": new_uid or make_uid()}
    image_type = ds.all("ImageType")
    if image_type:
        changes["ImageType"] = ("DERIVED", *image_type[1:])
    said = f"Lossy compression by {method}, ratio {ratio:.4g}"
    before = str(ds.get("DerivationDescription") or "")
    changes["DerivationDescription"] = f"{before}; {said}"[-_LONGEST_DESCRIPTION:] if before else said
    changes["DerivationCodeSequence"] = (*ds.all("DerivationCodeSequence"), _LOSSY_COMPRESSION)
    uids = source.get("SOPClassUID"), source.get("SOPInstanceUID")
    if all(uids):
        reference = {
            "ReferencedSOPClassUID": uids[0],
            "ReferencedSOPInstanceUID": uids[1],
            "PurposeOfReferenceCodeSequence": [_PREDECESSOR],
        }
        changes["SourceImageSequence"] = (*ds.all("SourceImageSequence"), reference)
        if SHARED in ds or PER_FRAME in ds:
            changes["SourceImageEvidenceSequence"] = source_evidence(ds, [source])
            changes |= _derivations(ds, reference, said)
    return _with_loss(frames_derived(ds.assign(changes)), method, ratio)


def source_evidence(ds: DataSet, sources: Iterable[DataSet]) -> list[DataSet]:
    """Name study and series of source images, after those that a data set names already (PS3.3 table 10-4).

    Parameters
    ----------
    ds : DataSet
    sources : iterable of DataSet

    Returns
    -------
    list of DataSet
        Items of Source Image Evidence Sequence, which an image with functional groups needs.

    Examples
    --------
    >>> import dicomkit as dk
    >>> source = dk.samples.ct_series(slices=1, size=16)[0]
    >>> source_evidence(source, [source])[0].StudyInstanceUID == source.StudyInstanceUID
    True
    """
    items = list(ds.all("SourceImageEvidenceSequence"))
    for source in sources:
        instance = {
            keyword: source.get(keyword[10:]) for keyword in ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")
        }
        series = {"SeriesInstanceUID": source.get("SeriesInstanceUID"), "ReferencedSOPSequence": [instance]}
        study = {"StudyInstanceUID": source.get("StudyInstanceUID"), "ReferencedSeriesSequence": [series]}
        items.append(type(ds)(study))
    return items


def frames_derived(ds: DataSet) -> DataSet:
    """Say DERIVED in the Frame Type of every functional group that has one (PS3.3 C.8.16.1.1).

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    DataSet

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = frames_derived(dk.samples.enhanced_ct(frames=2, size=16))
    >>> ds["SharedFunctionalGroupsSequence", 0, "CTImageFrameTypeSequence", 0, "FrameType"][0]
    'DERIVED'
    """
    changes = {}
    for keyword in (SHARED, PER_FRAME):
        groups = ds.all(keyword)
        derived = [_frame_type_derived(group) for group in groups]
        if any(new is not old for new, old in zip(derived, groups, strict=True)):
            changes[keyword] = derived
    return ds.assign(changes) if changes else ds


def _derivations(ds: DataSet, reference: dict[str, Any], said: str) -> dict[str, Any]:
    """The functional groups that tell derivations, with one more."""
    changes = {}
    for keyword in (SHARED, PER_FRAME):
        groups = list(ds.all(keyword))
        for index, group in enumerate(groups):
            before = group.all("DerivationImageSequence")
            if before:
                of_frame = reference | ({"ReferencedFrameNumber": index + 1} if keyword == PER_FRAME else {})
                own = {
                    "DerivationDescription": said,
                    "DerivationCodeSequence": [_LOSSY_COMPRESSION],
                    "SourceImageSequence": [of_frame],
                }
                groups[index] = group.assign(DerivationImageSequence=(*before, own))
                changes[keyword] = groups
    return changes


def _frame_type_derived(group: DataSet) -> DataSet:
    """A functional group whose Frame Type, where it has one, begins with DERIVED; the same one if it does."""
    for element in group.elements():
        if element.vr != "SQ" or not element.keyword.endswith("FrameTypeSequence"):
            continue
        for place, item in enumerate(group.all(element.tag)):
            kind = item.all("FrameType")
            if kind and kind[0] != "DERIVED":
                group = group.assign({(element.keyword, place, "FrameType"): ("DERIVED", *kind[1:])})
    return group


def _with_loss(ds: DataSet, method: str, ratio: float) -> DataSet:
    """Append a method and a ratio to those that are there."""
    methods = ds.all("LossyImageCompressionMethod")
    ratios = ds.all("LossyImageCompressionRatio")
    return ds.assign(
        LossyImageCompression="01",
        LossyImageCompressionRatio=(*ratios, float(f"{ratio:.6g}")),
        LossyImageCompressionMethod=(*methods, method),
    )
