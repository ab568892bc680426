"""Standardized uptake values of PET by body weight: activity concentration x weight / dose, with every assumption told.

The rules are those of the vendor-neutral pseudo-code of QIBA: which moment the activity and the dose are taken at
follows from Decay Correction (PS3.3 C.8.9.1), and counts need Philips' private factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import DicomError, GeometryError, ValueFormatError
from dicomkit.values.date_times import DateTime, combine
from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.gather import VolumeSource, gather
from dicomkit.volumes.header import dataset_of
from dicomkit.volumes.load import one_series, volume_of
from dicomkit.volumes.policy import Policy

if TYPE_CHECKING:
    import xarray as xr

    from dicomkit.dataset.dataset import DataSet

_PHILIPS, _SUV_FACTOR, _ACTIVITY_FACTOR = "Philips PET Private Group", 0x70531000, 0x70531009
_GE, _SCAN_START = "GEMS_PETD_01", 0x0009100D


@dataclass(frozen=True, slots=True)
class SuvFactor:
    """What a rescaled value is multiplied by to be an SUV (g/ml), and what was assumed for it."""

    factor: float
    assumptions: tuple[str, ...]


def to_suv(
    source: VolumeSource, *, weight: float | None = None, dose: float | None = None, **options: Any
) -> xr.DataArray:
    """Load a PET series as standardized uptake values by body weight, g/ml.

    Parameters
    ----------
    source
        As for `to_volume`: one PET series.
    weight
        kg, instead of PatientWeight.
    dose
        Bq at the time of administration, instead of RadionuclideTotalDose.
    options
        The arguments of `to_volume`: chunks, fill_value and the policies.

    Returns
    -------
    xarray.DataArray
        float32, with ``units`` "g/ml", ``quantity`` "SUVbw", and every assumption listed in ``assumptions``.

    Raises
    ------
    GeometryError
        As `to_volume`.
    DicomError
        If the series is no PET, or lacks what the SUV is calculated from; the message names it.

    Examples
    --------
    >>> import dicomkit as dk
    >>> suv = to_suv(dk.samples.pet_series(slices=3, size=8))
    >>> suv.attrs["units"], suv.attrs["quantity"], len(suv.attrs["assumptions"])
    ('g/ml', 'SUVbw', 2)
    """
    chunks, fill_value = options.pop("chunks", None), options.pop("fill_value", None)
    policy = Policy(**options)
    facts = one_series(gather(source, whole=True))
    images = tuple(map(dataset_of, facts.sources))
    first = _first_acquisition(images)
    factors = [suv_factor(ds, weight=weight, dose=dose, first_acquisition=first) for ds in images]
    by_frame = np.array([f.factor for f in factors])[facts.source]
    volume = volume_of(_scaled(facts, by_frame), np.arange(len(facts)), policy, np.float32, chunks, True, fill_value)
    told = dict.fromkeys(a for f in factors for a in f.assumptions)
    assumptions = [*volume.attrs.get("assumptions", ()), *told]
    kept = {k: v for k, v in volume.attrs.items() if not k.startswith("Window") and k != "Units"}
    volume.attrs = {**kept, "units": "g/ml", "quantity": "SUVbw", "assumptions": assumptions}
    return volume


def suv_factor(
    ds: DataSet,
    *,
    weight: float | None = None,
    dose: float | None = None,
    first_acquisition: datetime | None = None,
) -> SuvFactor:
    """Calculate what turns the rescaled values of a PET image into SUV by body weight.

    Parameters
    ----------
    ds
        A PET image.
    weight, dose
        kg and Bq, instead of what the header says.
    first_acquisition
        When the first image of the series was acquired, if that is known.

    Raises
    ------
    DicomError
        If something is missing; the message names it.

    Examples
    --------
    >>> import dicomkit as dk
    >>> pet = dk.DataSet(Modality="PT", Units="BQML", DecayCorrection="ADMIN", PatientWeight=70,
    ...     RadiopharmaceuticalInformationSequence=[{"RadionuclideTotalDose": 350e6, "RadionuclideHalfLife": 6586.2}])
    >>> suv_factor(pet)
    SuvFactor(factor=0.0002, assumptions=('the dose needs no decay: values are corrected to the administration',))
    """
    if ds.get("Modality") != "PT":
        raise GeometryError(f"SUV is a quantity of PET, and the modality is {ds.get('Modality')}")
    units = str(ds.get("Units") or "")
    notes: list[str] = []
    if units == "GML":
        kind = str(ds.get("SUVType") or "")
        if kind not in ("", "BW"):
            raise GeometryError(f"the values are SUV of type {kind}, not by body weight")
        if not kind:
            notes.append("Units are GML without SUVType: taken as SUV by body weight")
        return SuvFactor(1.0, tuple(notes))
    activity = 1.0
    if units == "CNTS":
        factor = _private(ds, _PHILIPS, _SUV_FACTOR)
        if factor:
            return SuvFactor(factor, (f"counts times the private SUV scale factor of Philips, {factor:g}",))
        activity = _private(ds, _PHILIPS, _ACTIVITY_FACTOR)
        if not activity:
            raise GeometryError(
                "the values are counts, and the private factors of Philips (7053,1000) and (7053,1009) are not there"
            )
        notes.append(f"counts times the private activity factor of Philips, {activity:g}, are Bq/ml")
    elif units != "BQML":
        raise GeometryError(
            f"no SUV can be calculated from Units {units or '(missing)'}", hint="it needs BQML, CNTS or GML"
        )
    corrected = ds.all("CorrectedImage")
    if corrected and "ATTN" not in corrected:
        notes.append("the images are not corrected for attenuation")
    kilograms = _number(weight, ds.get("PatientWeight"), "PatientWeight", "weight= in kg")
    if weight is not None:
        notes.append(f"a weight of {weight:g} kg was passed")
    items = ds.all("RadiopharmaceuticalInformationSequence")
    tracer = items[0] if items else None
    if len(items) > 1:
        notes.append("there are several radiopharmaceuticals: the first is taken")
    injected = _number(
        dose, tracer.get("RadionuclideTotalDose") if tracer else None, "RadionuclideTotalDose", "dose= in Bq"
    )
    if dose is not None:
        notes.append(f"a dose of {dose:g} Bq was passed")
    elif injected < 1e5:
        injected *= 1e6
        notes.append(f"RadionuclideTotalDose is taken as {injected:g} Bq: as it stands it would be MBq")
    left = _dose_left(ds, tracer, first_acquisition, notes)
    return SuvFactor(activity * kilograms * 1000.0 / (injected * left), tuple(notes))


def _dose_left(ds: DataSet, tracer: DataSet | None, first_acquisition: datetime | None, notes: list[str]) -> float:
    """Give the part of the dose that is left at the moment that the values are corrected to."""
    correction = str(ds.get("DecayCorrection") or "")
    if correction == "ADMIN":
        notes.append("the dose needs no decay: values are corrected to the administration")
        return 1.0
    if correction not in ("START", "NONE"):
        raise GeometryError(f"DecayCorrection is {correction or 'missing'}: what moment the values are of is not known")
    half_life = _number(None, tracer.get("RadionuclideHalfLife") if tracer else None, "RadionuclideHalfLife", "")
    moment = _scan_start(ds, first_acquisition, notes) if correction == "START" else _acquired(ds)
    if moment is None:
        raise GeometryError(
            "AcquisitionDate and AcquisitionTime are missing: how far the dose has decayed is not known"
        )
    if correction == "NONE":
        seconds = ds.get("ActualFrameDuration")
        half_frame = float(seconds) / 2000.0 if isinstance(seconds, (int, float)) else 0.0
        moment += timedelta(seconds=half_frame)
        notes.append("values are not corrected for decay: the dose is decayed to the middle of each frame")
    start = _administered(tracer, moment, notes)
    passed = (moment - start).total_seconds()
    if passed < 0:
        raise GeometryError(f"the tracer was administered {-passed:.0f} s after the moment that the values are of")
    notes.append(f"the dose is decayed from {start.isoformat(' ')} on, with a half-life of {half_life:g} s")
    return float(2.0 ** (-passed / half_life))


def _scan_start(ds: DataSet, first_acquisition: datetime | None, notes: list[str]) -> datetime | None:
    """Find the moment that "START" means: when the acquisition of the series began."""
    private = _private_text(ds, _GE, _SCAN_START)
    if private:
        try:
            found = DateTime(private).to_datetime().replace(tzinfo=None)
        except ValueFormatError:
            found = None
        if found is not None:
            notes.append(f"values are corrected to the scan start of GE (0009,100D), {found.isoformat(' ')}")
            return found
    series = _moment(ds.get("SeriesDate"), ds.get("SeriesTime"))
    acquired = first_acquisition or _acquired(ds)
    if series is not None and (acquired is None or series <= acquired):
        notes.append(f"values are corrected to SeriesDate and SeriesTime, {series.isoformat(' ')}")
        return series
    if acquired is not None:
        notes.append(
            f"values are corrected to the first acquisition, {acquired.isoformat(' ')}, which is before SeriesTime"
        )
    return acquired


def _administered(tracer: DataSet | None, moment: datetime, notes: list[str]) -> datetime:
    """Find when the tracer was administered."""
    whole = tracer.get("RadiopharmaceuticalStartDateTime") if tracer else None
    if whole:
        try:
            return DateTime(whole).to_datetime().replace(tzinfo=None)
        except ValueFormatError:
            pass
    time = tracer.get("RadiopharmaceuticalStartTime") if tracer else None
    start = _moment(moment.strftime("%Y%m%d"), time)
    if start is None:
        raise GeometryError(
            "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime are missing or unreadable"
        )
    if start > moment + timedelta(hours=1):
        notes.append("RadiopharmaceuticalStartTime is without a date: taken as of the day before the scan")
        return start - timedelta(days=1)
    notes.append("RadiopharmaceuticalStartTime is without a date: taken as of the day of the scan")
    return start


def _first_acquisition(sources: tuple[DataSet, ...]) -> datetime | None:
    return min((m for m in map(_acquired, sources) if m is not None), default=None)


def _acquired(ds: DataSet) -> datetime | None:
    return _moment(ds.get("AcquisitionDate"), ds.get("AcquisitionTime"))


def _moment(day: Any, time: Any) -> datetime | None:
    """Join a date and a time; None if one is missing or unreadable."""
    if not day or not time:
        return None
    try:
        return combine(str(day), str(time)).replace(tzinfo=None)
    except DicomError:
        return None


def _number(given: float | None, stored: Any, keyword: str, argument: str) -> float:
    """Take what was passed, or what is stored, if it is a positive number."""
    value = stored if given is None else given
    if not isinstance(value, (int, float)) or not value > 0:
        raise GeometryError(
            f"{keyword} is {value!r}, so no SUV can be calculated", hint=f"pass {argument}" if argument else None
        )
    return float(value)


def _private(ds: DataSet, creator: str, tag: int) -> float:
    """Give a private number, 0 where it is missing."""
    text = _private_text(ds, creator, tag)
    try:
        return float(text) if text else 0.0
    except ValueError:
        return 0.0


def _private_text(ds: DataSet, creator: str, tag: int) -> str:
    """Give a private value of block 10xx as text, if that block is the creator's."""
    if str(ds.get(tag & 0xFFFF0000 | 0x10) or "").strip() != creator:
        return ""
    value = ds.get(tag)
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else "" if value is None else str(value)


def _scaled(facts: FrameFacts, factors: Any) -> FrameFacts:
    """Multiply slope and intercept of each frame."""
    slope = np.nan_to_num(facts["slope"], nan=1.0) * factors
    intercept = np.nan_to_num(facts["intercept"], nan=0.0) * factors
    return facts.with_columns(slope=slope, intercept=intercept)
