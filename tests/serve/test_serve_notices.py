"""Instance availability and relevant patient information over the wire, with ourselves and with pynetdicom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, Driver

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import aio
from dicomkit.dimse import instance_availability as availability
from dicomkit.dimse import patient_information as information
from dicomkit.dimse.association import Association
from dicomkit.dimse.find import find_identifier
from dicomkit.dimse.find_provider import finding
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request as ask
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import using
from dicomkit.dimse.provider import Refused, provide
from dicomkit.dimse.steps import Operation
from dicomkit.dimse.sync import find_patient_information, notify_availability
from dicomkit.errors import QueryError, ValueFormatError
from dicomkit.net.errors import ProtocolError, StatusError
from dicomkit.samples import ct_series, write_series
from dicomkit.serve import archive_provider
from dicomkit.serve.availability_notices import AvailabilityNotice, instance_availability, read_notification
from dicomkit.serve.relevant_patient_information import PatientInformationRequest, patient_information
from dicomkit.validation.validate import validate

CT = ct_series(3, 8)
OTHER = ct_series(2, 8, seed=1)
KNOWN = DataSet(
    SpecificCharacterSet="ISO_IR 192",
    PatientName="Müller^Jörg",
    PatientID="A-17",
    PatientBirthDate="19700101",
    ObservationDateTime="20240229093000",
    ValueType="CONTAINER",
    ConceptNameCodeSequence=[
        {"CodeValue": "111513", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Relevant Patient Information"}
    ],
    ContentSequence=[{"RelationshipType": "CONTAINS", "ValueType": "TEXT", "TextValue": "allergic to iodine"}],
    PatientComments="not asked for",
)


@contextmanager
def serving(*services: Any, driver: Driver = DRIVERS[0]) -> Iterator[Peer]:
    provider = archive_provider(None, services=services)
    with driver.serve(lambda wire, address: provide(provider, wire, address)) as port:
        yield Peer(LOCALHOST, port)


def refused(function: Any, *arguments: Any, **options: Any) -> int:
    with pytest.raises(StatusError) as caught:
        function(*arguments, **options)
    return caught.value.status.code


# ---- instance availability -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_each_study_is_told_of(driver: Driver, tmp_path: Path) -> None:
    seen: list[AvailabilityNotice] = []
    paths = write_series(CT, tmp_path / "a") + write_series(OTHER, tmp_path / "b")
    with serving(instance_availability(seen.append), driver=driver) as peer:
        told = driver.run(
            availability.notify_availability(
                *(peer, paths, "NEARLINE"),
                retrieve_aet="ARCHIVE",
                performed_step="1.2.3.4",
                workitem=("121726", "DCM", "Get intervention"),
            )
        )
    assert [(notified.study_instance_uid, notified.instances) for notified in told] == [
        (CT[0].StudyInstanceUID, 3),
        (OTHER[0].StudyInstanceUID, 2),
    ]
    assert [notice.sop_instance_uid for notice in seen] == [notified.sop_instance_uid for notified in told]
    assert [len(notice.instances) for notice in seen] == [3, 2]
    first = seen[0].instances[0]
    assert (first.sop_instance_uid, first.availability, first.retrieve_aet) == (
        *(CT[0].SOPInstanceUID, "NEARLINE"),
        "ARCHIVE",
    )
    assert seen[0].performed_steps == ("1.2.3.4",)
    whole = seen[0].attributes.assign(SOPClassUID=availability.INSTANCE_AVAILABILITY)
    assert [str(each) for each in validate(whole) if each.severity == "error"] == []


def test_what_cannot_be_told() -> None:
    nobody = Peer(LOCALHOST, peers.free_port())
    with pytest.raises(ValueFormatError, match="no availability"):
        notify_availability(nobody, CT, "SOON", retrieve_aet="A")  # type: ignore[arg-type]
    with pytest.raises(ValueFormatError, match="no instances"):
        notify_availability(nobody, [], retrieve_aet="A")
    with pytest.raises(ValueFormatError, match="AE title"):
        notify_availability(nobody, CT, retrieve_aet="")


GOOD = availability.notifications(CT, retrieve_aet="ARCHIVE")[str(CT[0].StudyInstanceUID)]
ITEM = ("ReferencedSeriesSequence", 0, "ReferencedSOPSequence", 0)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (GOOD.drop("StudyInstanceUID"), 0x0120),
        (GOOD.drop("ReferencedPerformedProcedureStepSequence"), 0x0120),
        (GOOD.assign(ReferencedSeriesSequence=()), 0x0121),
        (GOOD.assign({("ReferencedSeriesSequence", 0, "ReferencedSOPSequence"): ()}), 0x0121),
        (GOOD.assign({(*ITEM, "InstanceAvailability"): "SOON"}), 0x0106),
        (GOOD.assign({(*ITEM, "RetrieveAETitle"): None}), 0x0121),
        (DataSet(), 0x0120),
    ],
)
def test_a_notice_that_is_not_whole_is_refused(data: DataSet, code: int) -> None:
    seen: list[AvailabilityNotice] = []

    def body(association: Association) -> Operation:
        return (yield from ask(association, "N-CREATE", availability.INSTANCE_AVAILABILITY, "1.2.3", data or None))

    with serving(instance_availability(seen.append)) as peer:
        operation = using(peer, Proposal.of((availability.INSTANCE_AVAILABILITY, NATIVE)), body)
        assert refused(DRIVERS[0].run, operation) == code
    assert seen == []


def test_a_lenient_reader_takes_what_others_leave_out() -> None:
    short = GOOD.drop("ReferencedPerformedProcedureStepSequence").drop((*ITEM, "RetrieveAETitle"))
    first, *_ = read_notification(short, strict=False)
    assert (first.retrieve_aet, first.availability) == ("", "ONLINE")


def test_pynetdicom_and_we_tell_each_other() -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    from dicomkit.neighbours.pydicom import to_pydicom

    uid = availability.INSTANCE_AVAILABILITY
    heard: list[Any] = []

    def create(event: Any) -> tuple[int, Any]:
        heard.append(event.attribute_list)
        return 0x0000, event.attribute_list

    with peers.pynetdicom_scp(
        handlers=[(pynetdicom.evt.EVT_N_CREATE, create)], configure=lambda ae: ae.add_supported_context(uid)
    ) as server:
        notify_availability(Peer(LOCALHOST, server.port), CT, retrieve_aet="ARCHIVE")
    assert [item.InstanceAvailability for item in heard[0].ReferencedSeriesSequence[0].ReferencedSOPSequence] == [
        *("ONLINE", "ONLINE", "ONLINE")
    ]
    seen: list[AvailabilityNotice] = []
    ae = pynetdicom.AE()
    ae.add_requested_context(uid)
    with serving(instance_availability(seen.append)) as peer:
        association = ae.associate(LOCALHOST, peer.port)
        assert association.send_n_create(to_pydicom(GOOD), uid, "1.2.3")[0].Status == 0
        association.release()
    assert (seen[0].sop_instance_uid, len(seen[0].instances)) == ("1.2.3", 3)


# ---- relevant patient information ----------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_what_is_known_of_a_patient(driver: Driver) -> None:
    asked: list[PatientInformationRequest] = []

    def find(request: PatientInformationRequest) -> DataSet | None:
        asked.append(request)
        return KNOWN if request.patient_id == "A-17" else None

    with serving(patient_information(find), driver=driver) as peer:
        found = driver.run(information.find_patient_information(peer, "A-17", "cardiac", issuer="CLINIC"))
        assert driver.run(information.find_patient_information(peer, "B")) is None
    assert found.PatientName == "Müller^Jörg"
    assert found["ContentSequence", 0, "TextValue"] == "allergic to iodine"
    assert found["ContentTemplateSequence", 0, "TemplateIdentifier"] == "3802"
    assert "PatientComments" not in found
    assert [(request.kind, request.patient_id, request.issuer, request.template) for request in asked] == [
        *(("cardiac", "A-17", "CLINIC", "3802"), ("general", "B", "", "9007"))
    ]


def test_failures_have_the_statuses_of_annex_q() -> None:
    def find(request: PatientInformationRequest) -> Any:
        if request.patient_id == "NONE":
            raise Refused("no such template", status=0xC200)
        return [KNOWN] * int(request.patient_id)

    with serving(patient_information(find, templates=["9999"])) as peer:
        assert find_patient_information(peer, "0") is None
        assert find_patient_information(peer, "1", template="9999").PatientID == "A-17"
        assert refused(find_patient_information, peer, "2") == 0xC100
        assert refused(find_patient_information, peer, "NONE") == 0xC200
        assert refused(find_patient_information, peer, "1", template="1500") == 0xC200
        assert refused(find_patient_information, peer, "1", "breast", template="9999") == 0xC200
        model = information.MODELS["general"].sop_class_uid
        for identifier in (
            DataSet(PatientID="1"),
            information.patient_identifier("1").assign(PatientID=None),
            information.patient_identifier("1").assign(ContentTemplateSequence=()),
        ):
            assert refused(DRIVERS[0].collect, find_identifier(peer, identifier, model)) == 0xA900
        for wrong in ("", "A*", "A?", "A\\B"):
            with pytest.raises(QueryError, match="one patient"):
                find_patient_information(peer, wrong)
        with pytest.raises(QueryError, match="no kind"):
            find_patient_information(peer, "1", "dental")  # type: ignore[arg-type]
        found = asyncio.run(aio.find_patient_information(peer, "1"))
        assert found.PatientID == "A-17"


def test_a_peer_that_gives_more_than_one_match_breaks_the_protocol() -> None:
    model = information.MODELS["general"].sop_class_uid
    service = Service.of({(model, "C-FIND-RQ"): finding(lambda identifier, request: [KNOWN, KNOWN])})
    with serving(service) as peer, pytest.raises(ProtocolError, match="more than one match"):
        find_patient_information(peer, "A-17")


def test_pynetdicom_and_we_ask_each_other() -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    from dicomkit.neighbours.pydicom import to_pydicom

    model = information.MODELS["general"].sop_class_uid

    def handle(event: Any) -> Iterator[tuple[int, Any]]:
        yield 0xFF00, to_pydicom(KNOWN)

    with peers.pynetdicom_scp(
        handlers=[(pynetdicom.evt.EVT_C_FIND, handle)], configure=lambda ae: ae.add_supported_context(model)
    ) as server:
        peer = Peer(LOCALHOST, server.port)
        assert find_patient_information(peer, "A-17").PatientName == "Müller^Jörg"
    ae = pynetdicom.AE()
    ae.add_requested_context(model)
    with serving(patient_information(lambda request: KNOWN)) as peer:
        association = ae.associate(LOCALHOST, peer.port)
        identifier = to_pydicom(information.patient_identifier("A-17"))
        found = list(association.send_c_find(identifier, model))
        association.release()
    assert [status.Status for status, _ in found] == [0xFF00, 0x0000]
    assert found[0][1].ContentSequence[0].TextValue == "allergic to iodine"
