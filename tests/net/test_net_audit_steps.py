"""Procedure steps that are made, changed and read, and films that are printed, yield audit messages on both sides."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from audit_schema import STANDARD, why_invalid
from dimse_drivers import DRIVERS, LOCALHOST, Driver

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest, Service, performing, with_services
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import using
from dicomkit.dimse.provider import Provider, Refused, provide
from dicomkit.dimse.steps import Operation
from dicomkit.net.audit import AuditMessage, audit_to_xml, audit_trail, violations
from dicomkit.net.errors import StatusError

MPPS, MPPS_RETRIEVE, UPS = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.4", "1.2.840.10008.5.1.4.34.6.1"
FILM_SESSION, COMMITMENT = "1.2.840.10008.5.1.1.1", "1.2.840.10008.1.20.1"
SCHEDULED = DataSet(StudyInstanceUID="1.2.3", AccessionNumber="A7")
STEP = DataSet(PatientID="4711", PatientName="DOE^JANE", ScheduledStepAttributesSequence=[SCHEDULED])


def told(
    driver: Driver, perform: Any, operation: str, sop_class: str, *arguments: Any, **options: Any
) -> tuple[list[AuditMessage], list[AuditMessage]]:
    """Ask for something, and return what user and provider recorded."""
    ours: list[AuditMessage] = []
    theirs: list[AuditMessage] = []
    service = Service.of({(sop_class, f"{operation}-RQ"): performing(perform)})
    provider = with_services(Provider({}, lambda _: (), on_event=audit_trail(theirs.append)), [service])

    def body(association: Association) -> Operation:
        return (yield from request(association, operation, sop_class, *arguments, **options))

    with driver.serve(partial(provide, provider)) as port, suppress(StatusError):
        peer = Peer(LOCALHOST, port, "RIS", calling_aet="MODALITY")
        driver.run(using(peer, Proposal.of((sop_class, NATIVE)), body, audit_trail(ours.append)))
    for message in (*ours, *theirs):
        assert violations(message) == ()
        if STANDARD.exists():
            assert why_invalid(audit_to_xml(message)) == ""
    return ours, theirs


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
@pytest.mark.parametrize(
    ("operation", "sop_class", "action"),
    [
        ("N-CREATE", MPPS, "C"),
        ("N-SET", MPPS, "U"),
        ("N-GET", MPPS_RETRIEVE, "R"),
        ("N-CREATE", UPS, "C"),
        ("N-ACTION", UPS, "U"),
    ],
)
def test_a_procedure_step_is_a_procedure_record(driver: Driver, operation: str, sop_class: str, action: str) -> None:
    def perform(asked: NormalizedRequest) -> DataSet | None:
        return STEP if operation == "N-GET" else None

    data = None if operation == "N-GET" else STEP
    number = 1 if operation == "N-ACTION" else None
    for messages in told(driver, perform, operation, sop_class, "1.2.9", data, number=number):
        [message] = messages
        assert (message.kind, message.event.action, message.event.outcome) == ("ProcedureRecord", action, 0)
        study, patient = message.objects
        assert (study.id, study.accessions, patient.id, patient.name) == ("1.2.3", ("A7",), "4711", "DOE^JANE")
        assert study.sop_classes[0].instances == ("1.2.9",)
        assert study.mpps == (() if sop_class == UPS else ("1.2.9",))
        assert [who.alternative_user_id for who in message.participants] == ["AETITLES=MODALITY", "AETITLES=RIS"]
        assert [who.is_requestor for who in message.participants] == [True, False]


def test_a_step_whose_uid_the_provider_chose_has_it() -> None:
    answer = NormalizedAnswer(sop_instance_uid="1.2.77")
    for messages in told(DRIVERS[0], lambda asked: answer, "N-CREATE", MPPS, None, STEP):
        assert messages[0].objects[0].mpps == ("1.2.77",)


def test_a_refused_change_is_a_failure() -> None:
    def refuse(asked: NormalizedRequest) -> None:
        raise Refused("the step is over", status=0x0110)

    for messages in told(DRIVERS[0], refuse, "N-SET", MPPS, "1.2.9", DataSet(PerformedStationName="X")):
        [message] = messages
        assert (message.event.outcome, message.objects[1].id) == (8, "<none>")
        assert "0110" in message.event.description


def test_a_printed_film_is_an_export() -> None:
    for messages in told(DRIVERS[0], lambda asked: None, "N-ACTION", FILM_SESSION, "1.2.9", number=1):
        [message] = messages
        assert message.kind == "Export"
        printer, workstation, medium = message.participants
        assert (printer.alternative_user_id, workstation.alternative_user_id) == ("AETITLES=RIS", "AETITLES=MODALITY")
        assert (workstation.is_requestor, medium.media_type.meaning) == (True, "Film")


def test_other_services_are_not_recorded() -> None:
    ours, theirs = told(
        DRIVERS[0], lambda asked: None, "N-ACTION", COMMITMENT, "1.2.840.10008.1.20.1.1", STEP, number=1
    )
    assert (ours, theirs) == ([], [])
