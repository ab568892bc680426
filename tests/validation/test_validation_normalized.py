"""Normalized objects are held against what PS3.4 asks of them: procedure steps, storage commitment, print."""

from __future__ import annotations

import pytest

import dicomkit as dk
from dicomkit.standard.modules import iod, iod_of, iods
from dicomkit.standard.uids import uid_entry
from dicomkit.validation.validate import validate

MPPS = dk.DataSet(
    SOPClassUID="1.2.840.10008.3.1.2.3.3",
    ScheduledStepAttributesSequence=[
        {
            "StudyInstanceUID": "1.2.3",
            "ReferencedStudySequence": [],
            "AccessionNumber": None,
            "RequestedProcedureID": None,
            "RequestedProcedureDescription": None,
            "ScheduledProcedureStepID": None,
            "ScheduledProcedureStepDescription": None,
            "ScheduledProtocolCodeSequence": [],
        }
    ],
    PatientName=None,
    PatientID=None,
    PatientBirthDate=None,
    PatientSex=None,
    ReferencedPatientSequence=[],
    PerformedProcedureStepID="1",
    PerformedStationAETitle="MR",
    PerformedStationName=None,
    PerformedLocation=None,
    PerformedProcedureStepStartDate="20240101",
    PerformedProcedureStepStartTime="12",
    PerformedProcedureStepStatus="IN PROGRESS",
    PerformedProcedureStepDescription=None,
    PerformedProcedureTypeDescription=None,
    ProcedureCodeSequence=[],
    PerformedProcedureStepEndDate=None,
    PerformedProcedureStepEndTime=None,
    Modality="MR",
    StudyID=None,
    PerformedProtocolCodeSequence=[],
    PerformedSeriesSequence=[],
)


def found(ds: dk.DataSet) -> list[tuple[str, str]]:
    """Rules that are broken, and where."""
    return sorted((one.rule, one.where) for one in validate(ds) if one.severity == "error")


def test_a_procedure_step_in_progress() -> None:
    assert found(MPPS) == []
    wrong = MPPS.drop("Modality").assign(PerformedProcedureStepStatus="FINISHED", PerformedProcedureStepID=None)
    assert found(wrong) == [
        ("empty", "PerformedProcedureStepID"),
        ("enumerated", "PerformedProcedureStepStatus"),
        ("missing", "Modality"),
    ]
    inside = MPPS.assign(
        {("ScheduledStepAttributesSequence", 0, "StudyInstanceUID"): None, "PerformedSeriesSequence": [{}]}
    )
    assert ("empty", "ScheduledStepAttributesSequence[0].StudyInstanceUID") in found(inside)
    assert ("missing", "PerformedSeriesSequence[0].ProtocolName") in found(inside)


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_a_procedure_step_in_its_final_state(status: str) -> None:
    assert found(MPPS.assign(PerformedProcedureStepStatus=status)) == [
        ("empty", "PerformedProcedureStepEndDate"),
        ("empty", "PerformedProcedureStepEndTime"),
        ("empty", "PerformedSeriesSequence"),
    ]


def test_codes_follow_the_later_rules() -> None:
    code = {"LongCodeValue": "a very long code value", "CodingSchemeDesignator": "99X", "CodeMeaning": "x"}
    assert found(MPPS.assign(ProcedureCodeSequence=[code])) == []
    assert found(MPPS.assign(ProcedureCodeSequence=[{"CodeValue": "1", "CodingSchemeDesignator": "99X"}])) == [
        ("missing", "ProcedureCodeSequence[0].CodeMeaning")
    ]


def test_storage_commitment_request_and_result() -> None:
    one = {"ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "ReferencedSOPInstanceUID": "1.2.3"}
    base = dk.DataSet(SOPClassUID="1.2.840.10008.1.20.1", TransactionUID="1.2.4")
    assert found(base.assign(ReferencedSOPSequence=[one])) == []
    assert found(base.assign(FailedSOPSequence=[{**one, "FailureReason": 0x0110}])) == []
    assert found(base.assign(FailedSOPSequence=[one])) == [("missing", "FailedSOPSequence[0].FailureReason")]
    assert found(base) == [("missing", "FailedSOPSequence"), ("missing", "ReferencedSOPSequence")]


def test_a_unified_procedure_step_at_its_end() -> None:
    step = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.34.6.1", ProcedureStepState="CANCELED")
    step = step.assign(ProcedureStepProgressInformationSequence=[{"ReasonForCancellation": "x"}])
    inside = {path for rule, path in found(step) if path.startswith("ProcedureStepProgress")}
    assert inside == {
        "ProcedureStepProgressInformationSequence[0].ProcedureStepCancellationDateTime",
        "ProcedureStepProgressInformationSequence[0].ProcedureStepDiscontinuationReasonCodeSequence",
    }
    done = step.assign(ProcedureStepState="COMPLETED", UnifiedProcedureStepPerformedProcedureSequence=[{}])
    assert ("missing", "UnifiedProcedureStepPerformedProcedureSequence[0].OutputInformationSequence") in found(done)
    assert not [path for _, path in found(done) if path.startswith("ProcedureStepProgress")]


def test_a_grayscale_image_box() -> None:
    box = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.1.4", ImageBoxPosition=1, Polarity="UPSIDE")
    image = {
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 1, "Columns": 2,
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "PixelData": b"ab",
    }  # fmt: skip
    assert found(box.assign(BasicGrayscaleImageSequence=[image])) == [("enumerated", "Polarity")]
    del image["Rows"]
    assert ("missing", "BasicGrayscaleImageSequence[0].Rows") in found(box.assign(BasicGrayscaleImageSequence=[image]))


def test_a_printer_configuration() -> None:
    film = {"MediumType": "BLUE FILM", "FilmSizeID": "14INX17IN", "MaxDensity": 320}
    layout = {
        "ImageDisplayFormat": "STANDARD\\1,1",
        "FilmOrientation": "PORTRAIT",
        "FilmSizeID": "14INX17IN",
        "PrinterResolutionID": "STANDARD",
        "PrinterPixelSpacing": (0.08, 0.08),
        "RequestedImageSizeFlag": "NO",
    }
    configuration = {
        "SOPClassesSupported": "1.2.840.10008.5.1.1.9",
        "MaximumMemoryAllocation": 1024,
        "MemoryBitDepth": 8,
        "PrintingBitDepth": 8,
        "MediaInstalledSequence": [{"ItemNumber": 1, **film}],
        "OtherMediaAvailableSequence": [film],
        "SupportedImageDisplayFormatsSequence": [layout],
        "DefaultPrinterResolutionID": "STANDARD",
        "DefaultMagnificationType": "CUBIC",
        "OtherMagnificationTypesAvailable": "NONE",
        "DefaultSmoothingType": "SOFT",
        "OtherSmoothingTypesAvailable": "SHARP",
        "ConfigurationInformationDescription": "none",
        "MaximumCollatedFilms": 0,
        "DecimateCropResult": "DECIMATE",
        "Manufacturer": "ACME",
        "ManufacturerModelName": "P",
        "PrinterName": "P1",
    }
    ds = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.1.16.376", PrinterConfigurationSequence=[configuration])
    assert found(ds) == []
    inside = ("PrinterConfigurationSequence", 0)
    wrong = ds.drop((*inside, "MemoryBitDepth"), (*inside, "MediaInstalledSequence", 0, "FilmSizeID"))
    assert found(wrong) == [
        ("missing", "PrinterConfigurationSequence[0].MediaInstalledSequence[0].FilmSizeID"),
        ("missing", "PrinterConfigurationSequence[0].MemoryBitDepth"),
    ]


def test_the_edition_is_said() -> None:
    (note,) = [one for one in validate(MPPS, "strict") if one.rule == "edition"]
    assert note.message == (
        "held against the Modality Performed Procedure Step IOD of PS3.4 2013 (types), PS3.3 2026b (modules)"
    )
    assert not [one for one in validate(MPPS, "strict") if one.rule == "not in IOD"]
    composite = iod_of("1.2.840.10008.5.1.4.1.1.2")
    assert composite is not None
    assert (composite.edition, composite.normalized) == ("PS3.3 2026b", False)


def test_all_of_them_are_normalized_sop_classes() -> None:
    normalized = [known for name in iods() if (known := iod(name)) is not None and known.normalized]
    assert len(normalized) == 14
    for known in normalized:
        (uid,) = known.sop_classes
        entry = uid_entry(uid)
        assert entry is not None
        assert entry.type == "SOP Class"
        assert iod_of(uid) is known
