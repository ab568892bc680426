"""The normalized services: what a user asks for is what a provider's function sees, with both drivers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, Driver

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import Reply, request
from dicomkit.dimse.normalized_provider import (
    NormalizedAnswer,
    NormalizedRequest,
    Perform,
    Service,
    performing,
    selected,
    with_services,
)
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import using
from dicomkit.dimse.provider import Provider, Refused, provide
from dicomkit.dimse.steps import Beside, Operation, Sleep
from dicomkit.net.errors import StatusError
from dicomkit.values.tag import Tag

MPPS = "1.2.840.10008.3.1.2.3.3"
OPERATIONS = ("N-CREATE", "N-SET", "N-GET", "N-ACTION", "N-DELETE", "N-EVENT-REPORT")


def provider_of(perform: Perform) -> Provider:
    service = Service.of({(MPPS, f"{operation}-RQ"): performing(perform) for operation in OPERATIONS})
    return with_services(Provider({}, lambda _: ()), [service])


def asking(port: int, operation: str, *arguments: Any, **options: Any) -> Operation:
    def body(association: Association) -> Operation:
        return (yield from request(association, operation, MPPS, *arguments, **options))

    return using(Peer(LOCALHOST, port), Proposal.of((MPPS, NATIVE)), body)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> Driver:
    found: Driver = request.param
    return found


def served(driver: Driver, perform: Perform) -> Any:
    provider = provider_of(perform)
    return driver.serve(lambda wire, address: provide(provider, wire, address))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_arrives_as_it_was_asked(driver: Driver, operation: str) -> None:
    seen: list[NormalizedRequest] = []

    def perform(asked: NormalizedRequest) -> DataSet:
        seen.append(asked)
        return DataSet(PatientName="ANSWER")

    number = 3 if operation in ("N-ACTION", "N-EVENT-REPORT") else None
    attributes = ["PatientID", "PatientName"] if operation == "N-GET" else []
    data = None if operation in ("N-GET", "N-DELETE") else DataSet(PatientID="4711")
    with served(driver, perform) as port:
        reply: Reply = driver.run(asking(port, operation, "1.2.3", data, number=number, attributes=attributes))
    [asked] = seen
    assert (asked.operation, asked.sop_class_uid, asked.sop_instance_uid) == (operation, MPPS, "1.2.3")
    assert asked.data == data
    assert asked.number == (number or 0)
    assert asked.attributes == tuple(map(Tag.of, attributes))
    assert asked.caller.calling_aet == "DICOMKIT"
    assert (reply.status.category, reply.sop_instance_uid) == ("Success", "1.2.3")
    assert reply.data is not None
    assert reply.data.PatientName == "ANSWER"


def test_the_provider_may_choose_the_instance(driver: Driver) -> None:
    with served(driver, lambda asked: NormalizedAnswer(sop_instance_uid="1.2.9", status=0x0107)) as port:
        reply = driver.run(asking(port, "N-CREATE", None, DataSet(PatientID="4711")))
    assert reply == Reply(reply.status, "1.2.9", None)
    assert reply.status.category == "Warning"


def refuse(asked: NormalizedRequest) -> None:
    raise Refused("the step is over", status=0x0110)


def fail(asked: NormalizedRequest) -> None:
    raise KeyError("a fault of ours")


@pytest.mark.parametrize(
    ("perform", "code", "comment"), [(refuse, 0x0110, "the step is over"), (fail, 0x0110, "processing failed")]
)
def test_errors_become_statuses(
    driver: Driver, perform: Callable[[NormalizedRequest], None], code: int, comment: str
) -> None:
    with served(driver, perform) as port, pytest.raises(StatusError) as caught:
        driver.run(asking(port, "N-SET", "1.2.3", DataSet(PatientID="4711")))
    assert caught.value.status.code == code
    assert comment in str(caught.value)


def test_an_operation_the_service_lacks_is_refused(driver: Driver) -> None:
    service = Service.of({(MPPS, "N-CREATE-RQ"): performing(lambda asked: None)})
    provider = with_services(Provider({}, lambda _: ()), [service])
    serve = driver.serve(lambda wire, address: provide(provider, wire, address))
    with serve as port, pytest.raises(StatusError) as caught:
        driver.run(asking(port, "N-SET", "1.2.3", DataSet(PatientID="4711")))
    assert caught.value.status.code == 0x0211


def test_a_report_may_follow_the_answer(driver: Driver) -> None:
    reported: list[NormalizedRequest] = []

    def then(association: Association) -> Operation:
        yield from request(
            association, "N-EVENT-REPORT", MPPS, "1.2.3", DataSet(PatientID="1"), number=2, provider=True
        )

    def body(association: Association) -> Operation:
        listen = performing(reported.append)
        yield from request(association, "N-ACTION", MPPS, "1.2.3", number=1)
        message = yield from association.read()
        yield from listen(association, message)

    with served(driver, lambda asked: NormalizedAnswer(then=then)) as port:
        driver.run(using(Peer(LOCALHOST, port), Proposal.of((MPPS, NATIVE)), body))
    assert [(asked.operation, asked.number) for asked in reported] == [("N-EVENT-REPORT", 2)]


def test_work_beside_outlives_the_association_and_ends_with_the_server(driver: Driver) -> None:
    happened: list[str] = []

    def beside() -> Operation:
        try:
            yield Sleep(0.01)
            happened.append("done")
            yield Sleep(3600)
            happened.append("never")
        finally:
            happened.append("closed")

    def then(association: Association) -> Operation:
        yield Beside(association.wire, beside())

    began = time.monotonic()
    with served(driver, lambda asked: NormalizedAnswer(then=then)) as port:
        driver.run(asking(port, "N-ACTION", "1.2.3", number=1))
        peers.wait_until(lambda: "done" in happened)
    assert happened == ["done", "closed"]
    assert time.monotonic() - began < 60


def test_only_what_is_asked_for_is_given() -> None:
    step = DataSet(PatientID="1", PatientName="DOE", StudyID="2")
    assert selected(step, [Tag.of("StudyID"), Tag.of("PatientID")]) == DataSet(PatientID="1", StudyID="2")
    assert selected(step, []) == step
