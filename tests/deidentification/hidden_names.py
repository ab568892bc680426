"""A made study that hides one patient's name, number and birth date in every corner that DICOM has."""

from __future__ import annotations

import json

import dicomkit as dk
from dicomkit.encoding.writer import to_part10

NAME, FAMILY, GIVEN = "Szymborski^Jürgen", "Szymborski", "Jürgen"
ID = "PID-4711.0815"
BIRTH = "19620314"
ACCESSION = "ACC7788123"
PHYSICIAN = "Quackenbush^Tabitha"
HOSPITAL = "Krankenhaus Wolkenkuckucksheim"
UID_ROOT = "1.2.826.0.1.3680043.10.999.47110815"
CREATOR = "ACME SECRETS 1.0"


def code(value: str, scheme: str, meaning: str) -> dict[str, str]:
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def element(tag: int, value: object, vr: str) -> dk.Element:
    return dk.Element.of(tag, value, vr)


def image() -> dk.DataSet:
    """Make the image; each of its elements but the geometry hides something."""
    blob = json.dumps({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "SZYMBORSKI^JUERGEN"}]}, "id": ID}).encode()
    private = [
        element(0x00090010, CREATOR, "LO"),
        element(0x00091001, "for Jürgen Szymborski", "LO"),
        element(0x00091002, blob + b" " * (len(blob) % 2), "OB"),
        element(0x00091003, "szymborski".encode("utf-16-le"), "UN"),
        element(0x00091004, NAME, "PN"),
        element(0x00091005, (dk.DataSet(PatientName=NAME, PatientComments="nested in private"),), "SQ"),
        element(0x00290011, "SIEMENS MR HEADER", "LO"),
        element(0x0029110C, "Szymborski", "LO"),
    ]
    standard = dk.DataSet(
        SpecificCharacterSet="ISO_IR 100",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        SOPInstanceUID=f"{UID_ROOT}.1.1.1",
        StudyInstanceUID=f"{UID_ROOT}.1",
        SeriesInstanceUID=f"{UID_ROOT}.1.1",
        FrameOfReferenceUID=f"{UID_ROOT}.9",
        StudyDate="20240517",
        StudyTime="101530",
        AcquisitionDateTime="20240517101530.5+0200",
        AccessionNumber=ACCESSION,
        Modality="OT",
        ConversionType="WSD",
        Manufacturer="ACME for Szymborski",
        InstitutionName=HOSPITAL,
        InstitutionAddress="Am Nephelokokkygia 1\r\n12345 Luft",
        ReferringPhysicianName=PHYSICIAN,
        StudyDescription="Thorax SZYMBORSKI, JUERGEN geb. 14.03.1962",
        SeriesDescription=f"AP {ID} Dr. Quackenbush",
        ProcedureCodeSequence=[code("X1", "99LOCAL", "Thorax of Szymborski")],
        OperatorsName="Operator^Anna",
        PatientName=NAME,
        PatientID=ID,
        IssuerOfPatientID=HOSPITAL,
        PatientBirthDate=BIRTH,
        PatientSex="M",
        OtherPatientIDsSequence=[{"PatientID": ID, "TypeOfPatientID": "TEXT", "IssuerOfPatientID": HOSPITAL}],
        OtherPatientNames="SZYMBORSKI-MEIER^JÜRGEN",
        PatientBirthName=NAME,
        PatientMotherBirthName="Szymborska^Maria",
        PatientAddress="Szymborski, Hauptstr. 1",
        PatientComments="calls himself Juergen",
        AdditionalPatientHistory="Mr. Szymborski fell",
        DeviceSerialNumber="SN-998877",
        ProtocolName="jürgen_szymborski_thorax",
        SoftwareVersions=["1.0", "built for PID 4711 0815"],
        ImageComments="Szymborski",
        RequestAttributesSequence=[
            {"RequestedProcedureDescription": "for SZYMBORSKI", "AccessionNumber": ACCESSION},
        ],
        PersonIdentificationCodeSequence=[code("SZY", "99LOCAL", "Szymborski")],
        ReferencedImageSequence=[
            {"ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ReferencedSOPInstanceUID": f"{UID_ROOT}.1.1.2"}
        ],
        ContributingEquipmentSequence=[
            {
                "Manufacturer": "ACME",
                "InstitutionName": HOSPITAL,
                "ContributionDescription": "by Szymborski's order",
                "PurposeOfReferenceCodeSequence": [code("109103", "DCM", "Modifying Equipment")],
            }
        ],
        OriginalAttributesSequence=[
            {
                "ModifiedAttributesSequence": [{"PatientName": NAME, "PatientID": ID}],
                "AttributeModificationDateTime": "20240518",
                "ModifyingSystem": "PACS",
                "SourceOfPreviousValues": HOSPITAL,
                "ReasonForTheAttributeModification": "COERCE",
            }
        ],
        AcquisitionContextSequence=[
            {
                "ValueType": "TEXT",
                "ConceptNameCodeSequence": [code("121106", "DCM", "Comment")],
                "TextValue": "brought by Jürgen himself",
            }
        ],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=4,
        Columns=4,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        RequestingPhysician=PHYSICIAN,
        ReasonForStudy="Jürgen S. coughs",
        CurrentPatientLocation="Ward Szymborski",
        TextComments="Szymborski",
        PixelData=bytes(range(16)),
    )
    graphics = [
        element(0x50000005, 1, "US"),
        element(0x50002500, "SZYMBORSKI", "LO"),
        element(0x60000010, 4, "US"),
        element(0x60000011, 4, "US"),
        element(0x60000022, "Overlay of Szymborski", "LO"),
        element(0x60000040, "G", "CS"),
        element(0x60000050, (1, 1), "SS"),
        element(0x60000100, 1, "US"),
        element(0x60000102, 0, "US"),
        element(0x60001500, "J. SZYMBORSKI", "LO"),
        element(0x60003000, b"\xff\x00", "OW"),
        element(0xFFFCFFFC, b"Szymborski", "OB"),
    ]
    return standard.assign(private).assign(graphics)


def report() -> dk.DataSet:
    """Make a structured report that names the patient in its content."""

    def item(value_type: str, concept: dict[str, str], **values: object) -> dict[str, object]:
        return {
            "RelationshipType": "CONTAINS",
            "ValueType": value_type,
            "ConceptNameCodeSequence": [concept],
            **values,
        }

    content = [
        item("PNAME", code("121008", "DCM", "Person Observer Name"), PersonName=PHYSICIAN),
        item("PNAME", code("121029", "DCM", "Subject Name"), PersonName=NAME),
        item("TEXT", code("121030", "DCM", "Subject ID"), TextValue=ID),
        item("DATE", code("121031", "DCM", "Subject Birth Date"), Date=BIRTH),
        item("TEXT", code("121022", "DCM", "Accession Number"), TextValue=ACCESSION),
        item("TEXT", code("121071", "DCM", "Finding"), TextValue="Szymborski, Juergen: nodule of 7 mm"),
        item(
            "CONTAINER",
            code("121070", "DCM", "Findings"),
            ContinuityOfContent="SEPARATE",
            ContentSequence=[
                item("TEXT", code("112040X", "99LOCAL", "Remark"), TextValue="told Mr. Szymborski on 17.05.2024"),
                item("UIDREF", code("112040", "DCM", "Tracking Unique Identifier"), UID=f"{UID_ROOT}.7"),
            ],
        ),
        item(
            "IMAGE",
            code("121112", "DCM", "Source of Measurement"),
            ReferencedSOPSequence=[
                {"ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ReferencedSOPInstanceUID": f"{UID_ROOT}.1.1.1"}
            ],
        ),
    ]
    return dk.DataSet(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22",
        SOPInstanceUID=f"{UID_ROOT}.1.2.1",
        StudyInstanceUID=f"{UID_ROOT}.1",
        SeriesInstanceUID=f"{UID_ROOT}.1.2",
        StudyDate="20240517",
        ContentDate="20240517",
        ContentTime="120000",
        Modality="SR",
        AccessionNumber=ACCESSION,
        PatientName=f"{NAME}=シンボルスキ^ユルゲン",
        PatientID=ID,
        PatientBirthDate=BIRTH,
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[code("126000", "DCM", "Imaging Measurement Report")],
        ContinuityOfContent="SEPARATE",
        VerifyingObserverSequence=[
            {
                "VerifyingOrganization": HOSPITAL,
                "VerificationDateTime": "20240517120000",
                "VerifyingObserverName": PHYSICIAN,
                "VerifyingObserverIdentificationCodeSequence": [],
            }
        ],
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
        ContentSequence=content,
    )


def with_file_meta(ds: dk.DataSet) -> bytes:
    """Encode as a file whose preamble and file meta information give the patient away as well."""
    data = to_part10(ds)
    meta = b"".join(
        (
            b"\x02\x00\x16\x00AE\x0a\x00SZYMBORSKI",
            b"\x02\x00\x00\x01UI\x04\x001.2\x00",
            b"\x02\x00\x02\x01OB\x00\x00\x0a\x00\x00\x00Szymborski",
        )
    )
    length = int.from_bytes(data[140:144], "little")
    end = 144 + length
    group = b"".join((data[132:140], (length + len(meta)).to_bytes(4, "little"), data[144:end], meta))
    return b"patient: Szymborski".ljust(128, b"\0") + b"DICM" + group + data[end:]
