"""Performed procedure steps over the wire: our user and provider with both drivers, and pynetdicom both ways."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, Driver
from worklist_items import ITEMS

from dicomkit.archive.performed_steps import MemorySteps, SqliteSteps
from dicomkit.archive.worklist import FolderWorklist, MemoryWorklist
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import aio
from dicomkit.dimse import performed_procedure_steps as user
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.commands import command
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import read_data_set
from dicomkit.dimse.normalized import request as ask
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.performed_procedure_steps import PerformedStep
from dicomkit.dimse.pool import using
from dicomkit.dimse.provider import Caller, provide
from dicomkit.dimse.steps import Operation
from dicomkit.dimse.sync import connect, mpps_complete, mpps_create, mpps_discontinue, mpps_get, mpps_set
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import AssociationAbortedError, StatusError
from dicomkit.net.retry import Retry
from dicomkit.objects.performed_step import (
    COMPLETED,
    DISCONTINUED,
    IN_PROGRESS,
    PERFORMED_STEP,
    PerformedStepError,
    state_of,
)
from dicomkit.objects.performed_step_lists import mpps_from_item
from dicomkit.samples import ct_series, write_series
from dicomkit.serve import archive_provider
from dicomkit.serve.performed_steps import (
    StepChange,
    mpps,
    performed_step_notices,
    taken_off,
    tell_of_step,
)

CT = ct_series(3, 8)
END = datetime(2024, 2, 29, 9, 45)
STEP = mpps_from_item(ITEMS[0], start=datetime(2024, 2, 29, 9, 31))


@contextmanager
def serving(*services: Any, driver: Driver = DRIVERS[0]) -> Iterator[Peer]:
    provider = archive_provider(None, services=services)
    with driver.serve(lambda wire, address: provide(provider, wire, address)) as port:
        yield Peer(LOCALHOST, port)


def refused(function: Any, *arguments: Any, **options: Any) -> tuple[int, StatusError]:
    with pytest.raises(StatusError) as caught:
        function(*arguments, **options)
    return caught.value.status.code, caught.value


def sent(peer: Peer, operation: str, uid: str | None, data: DataSet | None, sop_class: str = PERFORMED_STEP) -> Any:
    """Send what our verbs would not."""

    def body(association: Association) -> Operation:
        return (yield from ask(association, operation, sop_class, uid, data, service="MPPS"))

    return DRIVERS[0].run(using(peer, Proposal.of((sop_class, NATIVE)), body))


# ---- our user and our provider -------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
@pytest.mark.parametrize("keep", ["memory", "sqlite"])
def test_a_step_from_its_beginning_to_its_end(driver: Driver, keep: str, tmp_path: Path) -> None:
    steps = MemorySteps() if keep == "memory" else SqliteSteps(tmp_path / "steps")
    seen: list[StepChange] = []
    with serving(mpps(steps, on_change=seen.append), driver=driver) as peer:
        step: PerformedStep = driver.run(user.mpps_create(peer, ITEMS[2], start=datetime(2024, 3, 1, 8, 2)))
        assert step.state == IN_PROGRESS
        assert step.status is not None
        assert step.status.category == "Success"
        assert steps.get(str(step)) == step.attributes
        changed = driver.run(user.mpps_set(peer, step, {"PerformedProcedureStepDescription": "Becken größer"}))
        assert steps.get(str(step)).PerformedProcedureStepDescription == "Becken größer"
        paths = write_series(CT, tmp_path / "ct")
        ended = driver.run(user.mpps_complete(peer, changed, paths, end=END, protocol_name="Becken", retrieve_aet="A"))
        assert ended.state == COMPLETED
        known = driver.run(user.mpps_get(peer, step))
        assert known.attributes == steps.get(str(step)) == ended.attributes
        assert known.attributes.PatientName == "Müller^Jörg"
        [series] = known.attributes.PerformedSeriesSequence
        assert [str(one.ReferencedSOPInstanceUID) for one in series.ReferencedImageSequence] == [
            str(ds.SOPInstanceUID) for ds in CT
        ]
        part = driver.run(user.mpps_get(peer, step, ["PatientID", "PerformedProcedureStepStatus"])).attributes
        assert sorted(tag.keyword for tag in part) == [
            *("PatientID", "PerformedProcedureStepStatus", "SpecificCharacterSet")
        ]
        short = driver.run(user.mpps_get(peer, step, ["PatientID", "PatientComments"]))
        assert (short.status.code, short.status.category) == (0x0001, "Warning")
    assert [(change.event, change.before is None) for change in seen] == [
        *((IN_PROGRESS, True), ("UPDATED", False), (COMPLETED, False))
    ]
    assert seen[-1].after.PatientID == "B1"
    assert seen[0].caller.calling_aet == "DICOMKIT"


def test_a_step_that_is_given_up() -> None:
    steps = MemorySteps()
    with serving(mpps(steps)) as peer, connect(peer) as pool:
        step = mpps_create(pool, STEP, sop_instance_uid="1.2.3.77")
        mpps_discontinue(pool, "1.2.3.77", reason="110512")
        other = mpps_discontinue(pool, mpps_create(pool, STEP), CT)
        assert pool.counts == (0, 1)
    kept = steps.get(str(step))
    assert state_of(kept) == DISCONTINUED
    assert kept["PerformedProcedureStepDiscontinuationReasonCodeSequence", 0, "CodeMeaning"] == "Incorrect side ordered"
    [series] = kept.PerformedSeriesSequence
    assert (series.ReferencedImageSequence, series.ProtocolName) == ((), "unknown")
    assert len(other.attributes["PerformedSeriesSequence", 0, "ReferencedImageSequence"]) == 3


def test_asyncio_has_the_same_verbs() -> None:
    steps = MemorySteps()

    async def perform(peer: Peer) -> PerformedStep:
        step = await aio.mpps_create(peer, ITEMS[0])
        await aio.mpps_set(peer, step, {"CommentsOnThePerformedProcedureStep": "fine"})
        step = await aio.mpps_complete(peer, step, CT)
        found: PerformedStep = await aio.mpps_get(peer, step)
        return found

    with serving(mpps(steps)) as peer:
        step = asyncio.run(perform(peer))
    assert step.state == COMPLETED
    assert "COMPLETED" in step._repr_html_()


def test_nothing_is_sent_that_the_standard_forbids() -> None:
    steps = MemorySteps()
    with serving(mpps(steps)) as peer:
        with pytest.raises(PerformedStepError, match="PatientID"):
            mpps_create(peer, STEP.drop("PatientID"))
        step = mpps_create(peer, STEP)
        with pytest.raises(PerformedStepError, match="only when a step begins"):
            mpps_set(peer, step, {"PatientID": "OTHER"})
        with pytest.raises(PerformedStepError, match="not created"):
            mpps_set(peer, step, {"TotalNumberOfExposures": 3})
        with pytest.raises(ValueFormatError, match="nothing to change"):
            mpps_set(peer, step, {})
        with pytest.raises(PerformedStepError, match="no status"):
            mpps_set(peer, str(step), {"PerformedProcedureStepStatus": "READY"})
        ended = mpps_complete(peer, step, CT)
        with pytest.raises(PerformedStepError, match="no longer be updated"):
            mpps_set(peer, ended, {"PerformedProcedureStepDescription": "x"})
        code, error = refused(mpps_complete, peer, step, CT)  # what was known before the end allows it
    assert (code, error.comment) == (0x0110, "Performed Procedure Step Object may no longer be updated")
    assert error.status.meaning.startswith("Processing Failure: Performed Procedure Step Object")
    assert len(steps) == 1


@pytest.mark.parametrize(
    ("operation", "uid", "data", "code", "blamed"),
    [
        ("N-CREATE", "1.2.1", STEP, 0x0111, None),
        ("N-CREATE", "1.2.2", STEP.assign(PerformedProcedureStepStatus="COMPLETED"), 0x0106, "COMPLETED"),
        ("N-CREATE", "1.2.2", STEP.drop("PatientID"), 0x0120, None),
        ("N-CREATE", "1.2.2", STEP.assign(PerformedProcedureStepID=None), 0x0121, None),
        ("N-CREATE", "1.2.2", None, 0x0120, None),
        ("N-CREATE", "1.02.x", STEP, 0x0117, None),
        ("N-SET", "1.2.9", DataSet(PerformedProcedureStepStatus="COMPLETED"), 0x0112, None),
        ("N-SET", "1.2.1", DataSet(PerformedProcedureStepStatus="STARTED"), 0x0106, "STARTED"),
        ("N-SET", "1.2.1", DataSet(PerformedProcedureStepStatus="COMPLETED"), 0x0121, None),
        ("N-SET", "1.2.1", DataSet(TotalNumberOfExposures=1), 0x0105, None),
        ("N-SET", "1.2.1", None, 0x0120, None),
    ],
)
def test_what_the_provider_answers(
    operation: str, uid: str, data: DataSet | None, code: int, blamed: str | None
) -> None:
    steps = MemorySteps()
    steps.create("1.2.1", STEP)
    with serving(mpps(steps)) as peer:
        found, error = refused(sent, peer, operation, uid, data)
        assert (found, bool(error.comment)) == (code, True)
        if blamed:
            assert error.data_set is not None
            assert error.data_set.PerformedProcedureStepStatus == blamed
        assert refused(mpps_get, peer, "1.2.9")[0] == 0x0112
    assert list(steps) == [("1.2.1", STEP)]


def test_the_provider_chooses_a_uid_where_the_peer_gives_none() -> None:
    steps = MemorySteps()
    with serving(mpps(steps)) as peer:
        reply = sent(peer, "N-CREATE", None, STEP)
    assert [uid for uid, _ in steps] == [reply.sop_instance_uid]


def test_a_lenient_provider_takes_what_modalities_leave_out() -> None:
    steps = MemorySteps()
    with serving(mpps(steps, strict=False)) as peer:
        sent(peer, "N-CREATE", "1.2.1", DataSet(PerformedProcedureStepStatus="IN PROGRESS", PatientID="A"))
        sent(peer, "N-SET", "1.2.1", DataSet(PatientID="B", TotalNumberOfExposures=3))
        sent(peer, "N-SET", "1.2.1", DataSet(PerformedProcedureStepStatus="COMPLETED"))
        assert refused(sent, peer, "N-SET", "1.2.1", DataSet(TotalNumberOfExposures=4))[0] == 0x0110
    assert steps.get("1.2.1") == DataSet(
        PerformedProcedureStepStatus="COMPLETED", PatientID="A", TotalNumberOfExposures=3
    )


def test_a_full_house_and_a_listener_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    steps = MemorySteps(most=1)

    def fail(change: StepChange) -> None:
        raise KeyError(change.event)

    with serving(mpps(steps, on_change=fail)) as peer:
        mpps_create(peer, STEP)
        assert refused(mpps_create, peer, STEP)[0] == 0x0213
    assert "on_change failed" in caplog.text
    assert len(steps) == 1


def test_of_many_users_one_ends_the_step() -> None:
    steps = MemorySteps()
    outcomes: list[int] = []
    with serving(mpps(steps)) as peer:
        step = mpps_create(peer, STEP)

        def end() -> None:
            try:
                mpps_complete(peer, step, CT)
                outcomes.append(0)
            except StatusError as error:
                outcomes.append(error.status.code)

        threads = [threading.Thread(target=end) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(outcomes) == [0, *[0x0110] * 5]


def nested(depth: int) -> bytes:
    """A Performed Series Sequence within itself."""
    begin = struct.pack("<HH2sHIHHI", 0x0040, 0x0340, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    return begin * depth + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0) * depth


HEAD = to_bytes(STEP.drop("PerformedSeriesSequence"), NATIVE[0])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (HEAD + nested(90), 0x0120),
        (HEAD + nested(5000), 0x0110),
        (HEAD[:-3], 0x0120),
        (b"\xff" * 1000, 0x0120),
        (b"", 0x0120),
    ],
    ids=["deep", "deeper", "cut off", "noise", "nothing"],
)
def test_bytes_that_are_no_step(data: bytes, code: int) -> None:
    steps = MemorySteps()

    def body(association: Association) -> Operation:
        context = association.context_for(PERFORMED_STEP)
        asked = command(
            "N-CREATE-RQ",
            has_data_set=True,
            MessageID=association.next_message_id(),
            AffectedSOPClassUID=PERFORMED_STEP,
            AffectedSOPInstanceUID="1.2.3",
        )
        yield from association.write(context, asked, data)
        message = yield from association.response(asked.MessageID)
        if message.command.has_data_set:
            yield from association.read_data(message.context)
        return message.command.Status

    with serving(mpps(steps)) as peer:
        found = DRIVERS[0].run(using(peer, Proposal.of((PERFORMED_STEP, NATIVE[:1])), body))
        assert f"{found:04X}" == f"{code:04X}"
        mpps_create(peer, STEP)
    assert len(steps) == 1


def test_what_may_be_done_already_is_not_repeated() -> None:
    asked: list[str] = []

    def lose(association: Association, message: Message) -> Operation:
        yield from read_data_set(association, message)
        asked.append(message.command.name)
        yield from association.abort()

    kinds = {(PERFORMED_STEP, "N-CREATE-RQ"), (PERFORMED_STEP, "N-SET-RQ"), (user.RETRIEVE_PERFORMED_STEP, "N-GET-RQ")}
    with serving(Service.of(dict.fromkeys(kinds, lose))) as peer:
        stubborn = replace(peer, retry=Retry("fixed", attempts=3, first=0.001, jitter=0))
        for function, arguments in (
            (mpps_create, [STEP]),
            (mpps_set, ["1.2", {"PerformedProcedureStepDescription": "x"}]),
            (mpps_get, ["1.2"]),
        ):
            with pytest.raises(AssociationAbortedError):
                function(stubborn, *arguments)
    assert asked == ["N-CREATE-RQ", "N-SET-RQ", *["N-GET-RQ"] * 3]


# ---- notifications, and the worklist -------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_peers_are_told_of_changes(driver: Driver) -> None:
    told: list[tuple[str, str]] = []

    def listen(event: str, uid: str, caller: Caller) -> None:
        told.append((event, uid))

    nobody = Peer(LOCALHOST, peers.free_port())
    with (
        serving(performed_step_notices(listen), driver=driver) as listener,
        serving(mpps(notify=[nobody, listener]), driver=driver) as peer,
    ):
        step = mpps_create(peer, STEP)
        peers.wait_until(lambda: len(told) == 1)
        step = mpps_set(peer, step, {"CommentsOnThePerformedProcedureStep": "fine"})
        peers.wait_until(lambda: len(told) == 2)
        mpps_complete(peer, step, CT)
        peers.wait_until(lambda: len(told) == 3)
        reasons = driver.run(tell_of_step([nobody, listener], "1.2.3", "DELETED"))
    assert told == [(event, str(step)) for event in (IN_PROGRESS, "UPDATED", COMPLETED)] + [("DELETED", "1.2.3")]
    assert [reason is None for reason in reasons] == [False, True]


def test_what_was_performed_is_taken_off_the_list(tmp_path: Path) -> None:
    folder = FolderWorklist(tmp_path)
    for item in ITEMS:
        folder.add(item)
    for held in (MemoryWorklist(ITEMS), folder):
        with serving(mpps(on_change=taken_off(held))) as peer:
            step = mpps_create(peer, ITEMS[0])
            other = mpps_create(peer, ITEMS[1])
            assert len(held) == 5
            mpps_complete(peer, step, CT)
            mpps_discontinue(peer, other)
            assert len(held) == 4
        assert ITEMS[0].StudyInstanceUID not in [item.StudyInstanceUID for item in held]


# ---- pynetdicom ----------------------------------------------------------------------------------------------------


def test_pynetdicom_uses_our_provider() -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    pytest.importorskip("pydicom")
    from dicomkit.neighbours.pydicom import to_pydicom
    from dicomkit.objects.performed_step_lists import ending

    steps = MemorySteps()
    ae = pynetdicom.AE()
    retrieve = user.RETRIEVE_PERFORMED_STEP
    for context in (PERFORMED_STEP, retrieve):
        ae.add_requested_context(context)
    with serving(mpps(steps)) as peer:
        association = ae.associate(LOCALHOST, peer.port)
        assert association.is_established
        status, _ = association.send_n_create(to_pydicom(STEP), PERFORMED_STEP, "1.2.3.8")
        assert status.Status == 0
        assert association.send_n_create(to_pydicom(STEP), PERFORMED_STEP, "1.2.3.8")[0].Status == 0x0111
        end = to_pydicom(ending(COMPLETED, steps_series(), end=END))
        assert association.send_n_set(end, PERFORMED_STEP, "1.2.3.8")[0].Status == 0
        again, _ = association.send_n_set(end, PERFORMED_STEP, "1.2.3.8")
        assert (again.Status, again.ErrorComment) == (
            *(0x0110, "Performed Procedure Step Object may no longer be updated"),
        )
        wrong, blamed = association.send_n_create(end, PERFORMED_STEP, "1.2.3.9")
        assert wrong.Status == 0x0106
        assert blamed is None or blamed.PerformedProcedureStepStatus == "COMPLETED"
        status, found = association.send_n_get([0x00100020, 0x00400252], retrieve, "1.2.3.8")
        assert (status.Status, found.PatientID, found.PerformedProcedureStepStatus) == (0, "A1", "COMPLETED")
        association.release()
    assert state_of(steps.get("1.2.3.8")) == COMPLETED


def steps_series() -> list[DataSet]:
    from dicomkit.dimse.instance_references import performed_series

    return performed_series(CT)


def test_our_user_uses_pynetdicom() -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    evt = pynetdicom.evt
    held: dict[str, Any] = {}

    def create(event: Any) -> tuple[int, Any]:
        uid = event.request.AffectedSOPInstanceUID
        if uid in held:
            return 0x0111, None
        held[uid] = event.attribute_list
        return 0x0107 if event.attribute_list.PatientID == "A2" else 0x0000, event.attribute_list

    def change(event: Any) -> tuple[int, Any]:
        uid = event.request.RequestedSOPInstanceUID
        if uid not in held:
            return 0x0112, None
        if held[uid].PerformedProcedureStepStatus != "IN PROGRESS":
            return 0x0110, None
        held[uid].update(event.modification_list)
        return 0x0000, held[uid]

    def give(event: Any) -> tuple[int, Any]:
        return 0x0000, held[event.request.RequestedSOPInstanceUID]

    def configure(ae: Any) -> None:
        ae.add_supported_context(PERFORMED_STEP)
        ae.add_supported_context(user.RETRIEVE_PERFORMED_STEP)

    handlers = [(evt.EVT_N_CREATE, create), (evt.EVT_N_SET, change), (evt.EVT_N_GET, give)]
    with peers.pynetdicom_scp(handlers=handlers, configure=configure) as server:
        peer = Peer(LOCALHOST, server.port)
        step = mpps_create(peer, ITEMS[2])
        mpps_complete(peer, step, CT, protocol_name="Becken")
        assert refused(mpps_discontinue, peer, str(step))[0] == 0x0110
        assert refused(mpps_discontinue, peer, "1.2.3")[0] == 0x0112
        assert refused(mpps_create, peer, STEP, sop_instance_uid=str(step))[0] == 0x0111
        warned = mpps_create(peer, ITEMS[1]).status
        assert warned is not None
        assert (warned.code, warned.category) == (0x0107, "Warning")
        assert mpps_get(peer, step).attributes.PatientName == "Müller^Jörg"
    known = held[str(step)]
    assert known.PerformedProcedureStepStatus == "COMPLETED"
    assert len(known.PerformedSeriesSequence[0].ReferencedImageSequence) == 3


def test_pynetdicom_is_told_of_a_step() -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    from dicomkit.serve.performed_steps import PERFORMED_STEP_NOTIFICATION

    told: list[tuple[str, int]] = []

    def listen(event: Any) -> tuple[int, None]:
        told.append((event.request.AffectedSOPInstanceUID, event.request.EventTypeID))
        return 0x0000, None

    with peers.pynetdicom_scp(
        handlers=[(pynetdicom.evt.EVT_N_EVENT_REPORT, listen)],
        configure=lambda ae: ae.add_supported_context(PERFORMED_STEP_NOTIFICATION, scu_role=True, scp_role=True),
    ) as server:
        reasons = DRIVERS[0].run(tell_of_step([Peer(LOCALHOST, server.port)], "1.2.3", COMPLETED))
    assert reasons == [None]
    assert told == [("1.2.3", 2)]
