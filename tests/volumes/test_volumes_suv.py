"""Standardized uptake values: the rules for decay and units, each against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_series import along_z, made_series, ramp
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.errors import DicomError
from dicomkit.volumes.load import to_volume
from dicomkit.volumes.suv import suv_factor, to_suv

HALF_LIFE = 6588.0
TRACER = {
    "RadiopharmaceuticalStartTime": "090000",
    "RadionuclideTotalDose": 400e6,
    "RadionuclideHalfLife": HALF_LIFE,
}


def pet(tracer: dict[str, Any] | None = None, **attributes: Any) -> dk.DataSet:
    return dk.DataSet(
        {
            "Modality": "PT",
            "Units": "BQML",
            "DecayCorrection": "START",
            "CorrectedImage": ["ATTN", "DECY"],
            "SeriesDate": "20240102",
            "SeriesTime": "100000",
            "AcquisitionDate": "20240102",
            "AcquisitionTime": "100500",
            "PatientWeight": 80.0,
            "RadiopharmaceuticalInformationSequence": [TRACER | (tracer or {})],
        }
        | attributes
    )


def private(ds: dk.DataSet, creator: str, values: dict[int, str]) -> dk.DataSet:
    reserved = {tag & 0xFFFF0000 | 0x10: creator for tag in values}
    return ds.assign({tag: dk.Element.of(tag, value, "LO") for tag, value in (reserved | values).items()})


def decayed(seconds: float) -> float:
    return 80_000 / (400e6 * 2 ** (-seconds / HALF_LIFE))


def told(ds: dk.DataSet, **options: Any) -> str:
    return "; ".join(suv_factor(ds, **options).assumptions)


def test_start_decays_the_dose_to_the_start_of_the_series() -> None:
    assert suv_factor(pet()).factor == pytest.approx(decayed(3600))
    assert "SeriesTime, 2024-01-02 10:00:00" in told(pet())
    assert "without a date" in told(pet())


def test_a_series_time_after_the_acquisition_is_that_of_a_later_reconstruction() -> None:
    late = pet(SeriesTime="120000")
    assert suv_factor(late).factor == pytest.approx(decayed(3900))
    assert "first acquisition" in told(late)
    from datetime import datetime

    first = datetime(2024, 1, 2, 10, 2)
    assert suv_factor(late, first_acquisition=first).factor == pytest.approx(decayed(3720))


def test_the_scan_start_of_ge_counts() -> None:
    ge = private(pet(SeriesTime="120000"), "GEMS_PETD_01", {0x0009100D: "20240102100100"})
    assert suv_factor(ge).factor == pytest.approx(decayed(3660))
    assert "GE" in told(ge)


def test_a_full_date_and_time_of_administration() -> None:
    ds = pet({"RadiopharmaceuticalStartDateTime": "20240101230000"})
    assert suv_factor(ds).factor == pytest.approx(decayed(11 * 3600))
    night = pet({"RadiopharmaceuticalStartTime": "233000"}, SeriesTime="001000", AcquisitionTime="001500")
    assert suv_factor(night).factor == pytest.approx(decayed(40 * 60))
    assert "day before" in told(night)


def test_admin_needs_no_decay() -> None:
    assert suv_factor(pet(DecayCorrection="ADMIN")).factor == pytest.approx(80_000 / 400e6)


def test_none_decays_to_the_middle_of_each_frame() -> None:
    ds = pet(DecayCorrection="NONE", ActualFrameDuration=120_000)
    assert suv_factor(ds).factor == pytest.approx(decayed(3900 + 60))
    assert "middle of each frame" in told(ds)


def test_counts_need_the_factors_of_philips() -> None:
    with pytest.raises(DicomError, match="7053,1000"):
        suv_factor(pet(Units="CNTS"))
    creator = "Philips PET Private Group"
    ds = private(pet(Units="CNTS"), creator, {0x70531000: "0.00025"})
    assert suv_factor(ds).factor == 0.00025
    ds = private(pet(Units="CNTS"), creator, {0x70531000: "0", 0x70531009: "2.5"})
    assert suv_factor(ds).factor == pytest.approx(2.5 * decayed(3600))
    stolen = private(pet(Units="CNTS"), "SOMEONE ELSE", {0x70531000: "0.00025"})
    with pytest.raises(DicomError, match="counts"):
        suv_factor(stolen)


def test_values_that_are_suv_already() -> None:
    assert suv_factor(pet(Units="GML", SUVType="BW")).factor == 1
    assert "without SUVType" in told(pet(Units="GML"))
    with pytest.raises(DicomError, match="LBM"):
        suv_factor(pet(Units="GML", SUVType="LBM"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Modality": "CT"}, "modality is CT"),
        ({"Units": "CPS"}, "CPS"),
        ({"PatientWeight": None}, "PatientWeight"),
        ({"PatientWeight": 0}, "PatientWeight"),
        ({"DecayCorrection": None}, "DecayCorrection is missing"),
        ({"RadiopharmaceuticalInformationSequence": None}, "RadionuclideTotalDose"),
        ({"SeriesTime": "080000", "AcquisitionTime": "083000"}, "administered 3600 s after"),
        ({"SeriesTime": None, "AcquisitionTime": None}, "AcquisitionDate"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, Any], why: str) -> None:
    with pytest.raises(DicomError, match=why):
        suv_factor(pet(**change))


def test_weight_and_dose_can_be_passed() -> None:
    assert suv_factor(pet(PatientWeight=None), weight=80).factor == pytest.approx(decayed(3600))
    assert suv_factor(pet(), weight=40, dose=200e6).factor == pytest.approx(decayed(3600))
    assert "40 kg was passed" in told(pet(), weight=40)
    assert suv_factor(pet({"RadionuclideTotalDose": 400})).factor == pytest.approx(decayed(3600))
    assert "MBq" in told(pet({"RadionuclideTotalDose": 400}))
    assert "attenuation" in told(pet(CorrectedImage=["DECY"]))


def test_a_series_becomes_suv() -> None:
    header = {tag: pet()[tag] for tag in pet() if tag != 0x00080060}
    per_slice = [{"RescaleSlope": s, "RescaleIntercept": 0} for s in (1.0, 2.0, 3.0)]
    images = made_series(ramp(3, 2, 2), along_z([0, 4, 8]), per_slice=per_slice)
    images = [ds.assign(header).assign(Modality="PT") for ds in images]
    volume = to_suv(images)
    expected = ramp(3, 2, 2) * np.array([1, 2, 3])[:, None, None] * decayed(3600)
    assert volume.dtype == np.float32
    assert np.allclose(volume, expected, rtol=1e-6)
    assert volume.attrs["units"] == "g/ml"
    assert volume.attrs["quantity"] == "SUVbw"
    assert "Units" not in volume.attrs
    assert len(volume.attrs["assumptions"]) >= 3
    assert volume.dicom.spacing == (4, 1, 1)


@needs_data
def test_a_real_series() -> None:
    path = real_file("03_pet/1.dcm")
    ds = dk.read(path)
    passed = 15 * 3600 + 23 * 60 + 16.921 - (14 * 3600 + 17 * 60)
    factor = 69.7344e3 / (178340011.59668 * 2 ** (-passed / 6586.2))
    assert np.allclose(to_suv(ds), to_volume(ds) * factor, rtol=1e-5)
