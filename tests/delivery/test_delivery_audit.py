"""What `deliver` sends has its audit messages: one for each association and study, and another one for what failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peers
import pytest
from clock_driver import ClockDriver
from dimse_drivers import DRIVERS, Driver

import dicomkit as dk
from dicomkit.delivery.delivering import deliver
from dicomkit.dimse.provider import Refused
from dicomkit.net.audit import AuditMessage, audit_trail
from dicomkit.net.retry import Retry

TRANSFERRED, ALERT = "DicomInstancesTransferred", "SecurityAlert"
DOWN = dk.Peer("127.0.0.1", 1, "DOWN")
QUICK = Retry("fixed", attempts=3, first=7, jitter=0)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> ClockDriver:
    found: Driver = request.param
    return ClockDriver(found)


@pytest.fixture
def studies() -> list[dk.DataSet]:
    """Two studies of three and two instances."""
    return [*dk.samples.ct_series(3, 8), *dk.samples.ct_series(2, 8, seed=7)]


def sent(driver: ClockDriver, instances: Sequence[dk.DataSet], to: Any, **options: Any) -> list[AuditMessage]:
    """The messages of a delivery that is complete."""
    messages: list[AuditMessage] = []
    with audit_trail(messages.append) as trail:
        ran = driver.run(deliver(instances, to, clock=driver.clock, on_event=trail, retry=QUICK, **options))
        assert ran.error is None
        assert ran.value.is_complete
    assert trail.failures == 0
    return messages


def counted(messages: Sequence[AuditMessage], outcome: int = 0) -> list[int]:
    """How many instances each transfer message of an outcome tells of."""
    return sorted(
        sum(entry.count for told in message.objects for entry in told.sop_classes)
        for message in messages
        if message.kind == TRANSFERRED and message.event.outcome == outcome
    )


def test_one_message_for_each_association_and_study(driver: ClockDriver, studies: list[dk.DataSet]) -> None:
    with dk.serve_dimse(dk.MemoryArchive(), port=0) as server:
        assert counted(sent(driver, studies, server.peer())) == [2, 3]
        messages = sent(driver, studies, server.peer(), batch=2)
    assert counted(messages) == [1, 1, 1, 2]
    assert {message.kind for message in messages} == {TRANSFERRED}


def test_with_failover(driver: ClockDriver, studies: list[dk.DataSet]) -> None:
    with dk.serve_dimse(dk.MemoryArchive(), port=0) as server:
        messages = sent(driver, studies, [DOWN, server.peer()])
    assert counted(messages) == [2, 3]
    assert [message.kind for message in messages].count(ALERT) == 1
    assert len(messages) == 3


def test_what_one_peer_does_not_support_and_the_next_does(driver: ClockDriver, studies: list[dk.DataSet]) -> None:
    with (
        dk.serve_dimse(dk.MemoryArchive(), port=0, sop_classes=[]) as lacking,
        dk.serve_dimse(dk.MemoryArchive(), port=0) as server,
    ):
        messages = sent(driver, studies, [lacking.peer(), server.peer()])
    assert counted(messages) == [2, 3]
    assert counted(messages, 8) == [2, 3]
    assert len(messages) == 4


def test_with_retries(driver: ClockDriver, studies: list[dk.DataSet]) -> None:
    refused = {str(studies[0].SOPInstanceUID): 2}

    def before(incoming: Any) -> None:
        if refused.get(incoming.sop_instance_uid):
            refused[incoming.sop_instance_uid] -= 1
            raise Refused("as the test says", status=0xA700)

    with dk.serve_dimse(dk.MemoryArchive(), port=peers.free_port(), hooks=dk.serve.Hooks(before=before)) as server:
        messages = sent(driver, studies, server.peer())
    assert counted(messages) == [1, 2, 2]
    assert counted(messages, 12) == [1, 1]
    assert len(messages) == 5
