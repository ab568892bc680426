"""Storage commitment when much goes wrong: strangers, reports that come twice or in part, peers that are down."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peers
import pytest

import dicomkit as dk
from dicomkit.archive import Transactions, transactions
from dicomkit.dimse.blocking_driver import run
from dicomkit.dimse.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, MemoryLedger, commitment_reports
from dicomkit.dimse.commitment_provider import Due, committing, report
from dicomkit.dimse.commitments import Commitment, Reference, make_request, read_report
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.pool import using
from dicomkit.net.errors import StatusError

CT = "1.2.840.10008.5.1.4.1.1.2"
ONE, TWO = Reference(CT, "1.2.3.1"), Reference(CT, "1.2.3.2")
DOWN = dk.Peer("127.0.0.1", 1, "DOWN")


def told(uid: str, *committed: Reference) -> Commitment:
    return Commitment(uid, committed, committed)


def ask(peer: dk.Peer, uid: str, instances: Sequence[Reference] = (ONE,)) -> int:
    """The status of a request, of whose report nobody waits."""

    def body(association: Any) -> Any:
        data = make_request(uid, instances)
        yield from request(association, "N-ACTION", PUSH_MODEL, PUSH_MODEL_INSTANCE, data, number=1)

    try:
        run(using(peer, Proposal.of((PUSH_MODEL, NATIVE)), body))
    except StatusError as error:
        return error.status.code
    return 0


def calling(aet: str, port: int) -> dk.Peer:
    return dk.Peer("127.0.0.1", port, "PACS", calling_aet=aet)


# ---- as the user ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=[MemoryLedger, Transactions])
def ledger(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_the_report_of_a_stranger_settles_nothing(ledger: Any) -> None:
    ledger.asked("PACS@pacs.local:104", "1.2.9", [ONE])
    reports = Transactions()
    with dk.serve_dimse(None, port=0, services=[commitment_reports(ledger)]) as server:
        assert not run(report(server.peer(calling_aet="STRANGER"), told("1.2.9", ONE), reports))
        assert ledger.result("1.2.9") is None
        assert run(report(server.peer(calling_aet="PACS"), told("1.2.9", ONE), reports))
    assert ledger.result("1.2.9").is_committed


def test_a_peer_that_was_called_by_no_name_may_have_any(ledger: Any) -> None:
    ledger.asked("ANY-SCP@pacs.local:104", "1.2.9", [ONE])
    with dk.serve_dimse(None, port=0, services=[commitment_reports(ledger)]) as server:
        assert run(report(server.peer(calling_aet="WHOEVER"), told("1.2.9", ONE), Transactions()))


def test_a_report_that_comes_again_is_answered_as_before(ledger: Any) -> None:
    ledger.asked("PACS@pacs.local:104", "1.2.9", [ONE])
    with dk.serve_dimse(None, port=0, services=[commitment_reports(ledger)]) as server:
        peer = server.peer(calling_aet="PACS")
        assert run(report(peer, told("1.2.9", ONE), Transactions()))
        first = ledger.result("1.2.9")
        assert run(report(peer, Commitment("1.2.9", ()), Transactions()))
    assert ledger.result("1.2.9") == first


def test_a_report_of_some_leaves_the_others_pending(ledger: Any) -> None:
    ledger.asked("PACS@pacs.local:104", "1.2.9", [ONE, TWO])
    other_class = Reference("1.2.840.10008.5.1.4.1.1.4", TWO.sop_instance_uid)
    with dk.serve_dimse(None, port=0, services=[commitment_reports(ledger)]) as server:
        peer = server.peer(calling_aet="PACS")
        assert run(report(peer, told("1.2.9", ONE, other_class), Transactions()))
        assert ledger.result("1.2.9").pending == (TWO,)
        assert run(report(peer, told("1.2.9", ONE, TWO), Transactions()))
    assert ledger.result("1.2.9").is_committed


def test_what_is_pending_is_not_forgotten() -> None:
    now = [100.0]
    ledger = Transactions(clock=lambda: now[0])
    ledger.asked("PACS@pacs.local:104", "1.2.9", [ONE, TWO])
    ledger.settled(Commitment("1.2.9", (ONE, TWO), (ONE,), received=100.0))
    now[0] = 900.0
    assert ledger.forget(older_than=10) == 0
    assert [waiting.transaction_uid for waiting in ledger.pending()] == ["1.2.9"]


def test_one_may_wait_for_a_report_of_long_ago() -> None:
    ledger = Transactions()
    ledger.asked("PACS@pacs.local:104", "1.2.9", [ONE])
    assert ledger.wait_for("1.2.9", 0.01) is None
    timer = threading.Timer(0.1, ledger.settled, [told("1.2.9", ONE)])
    timer.start()
    result = ledger.wait_for("1.2.9")
    timer.join()
    assert result is not None
    assert result.is_committed


def test_a_failure_without_a_reason_is_one_nevertheless() -> None:
    item = dk.DataSet(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID="1.2.3.1")
    found = read_report(dk.DataSet(TransactionUID="1.2.9", FailedSOPSequence=[item]), [ONE], 0.0)
    assert [(reference, reason.code) for reference, reason in found.failed] == [(ONE, 0x0110)]


def test_memory_is_bounded() -> None:
    ledger = MemoryLedger(most=3)
    for number in range(9):
        ledger.asked("PACS@pacs.local:104", f"1.2.{number}", [ONE])
        ledger.settled(told(f"1.2.{number}", ONE))
    assert [number for number in range(9) if ledger.result(f"1.2.{number}")] == [6, 7, 8]


def test_who_listens_already_takes_the_report() -> None:
    archive, ledger, port = dk.MemoryArchive(), MemoryLedger(), peers.free_port()
    back = {"DICOMKIT": dk.Peer("127.0.0.1", port, "DICOMKIT")}
    service = dk.serve.commitment(archive, destinations=back)
    series = dk.samples.ct_series(2, 8)
    with (
        dk.serve_dimse(archive, ae="PACS", port=0, services=[service]) as server,
        dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]),
    ):
        dk.store(server.peer(), series).raise_for_failures()
        assert dk.commit(server.peer(), series, ledger=ledger, listening=True).is_committed


# ---- as the provider -----------------------------------------------------------------------------------------------


def test_a_caller_that_is_down_keeps_no_other_waiting_and_costs_one_thread() -> None:
    port = peers.free_port()
    reports, ledger = Transactions(), Transactions()
    up = dk.Peer("127.0.0.1", port, "UP")
    service = committing(lambda _: {}, where_to={"DOWN": DOWN, "UP": up}.get, reports=reports)
    with dk.serve_dimse(None, ae="PACS", port=0, services=[service]) as server:
        before = threading.active_count()
        for number in range(20):
            assert ask(calling("DOWN", server.port), f"1.2.1.{number}") == 0
        assert threading.active_count() - before < 5
        ledger.asked("PACS@here:104", "1.2.2.1", [ONE])
        with dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]):
            assert ask(calling("UP", server.port), "1.2.2.1") == 0
            peers.wait_until(lambda: ledger.result("1.2.2.1") is not None)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    assert {due.caller for due in reports.undelivered()} == {"DOWN"}


def test_in_an_event_loop_too() -> None:
    port = peers.free_port()
    reports, ledger = Transactions(), Transactions()
    assert reports.due(Due("DOWN", "PACS", told("1.2.1", ONE)))
    assert reports.due(Due("UP", "PACS", told("1.2.2", ONE)))
    for uid in ("1.2.2", "1.2.3"):
        ledger.asked("PACS@here:104", uid, [ONE])
    where_to = {"DOWN": DOWN, "UP": dk.Peer("127.0.0.1", port, "UP")}.get
    service = committing(lambda _: {}, where_to=where_to, reports=reports)

    async def whole() -> None:
        async with (
            dk.serve.serve_dimse_async(None, port=port, services=[commitment_reports(ledger)]),
            dk.serve.serve_dimse_async(None, ae="PACS", port=0, services=[service]) as peer,
        ):
            assert await asyncio.to_thread(ask, calling("UP", peer.port), "1.2.3") == 0
            while len(reports.undelivered()) > 1:
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(whole(), 30))
    assert ledger.result("1.2.2") is not None
    assert ledger.result("1.2.3") is not None
    assert [due.caller for due in reports.undelivered()] == ["DOWN"]


def test_after_a_restart_one_that_is_down_keeps_no_other_waiting() -> None:
    port = peers.free_port()
    reports, ledger = Transactions(), Transactions()
    for caller in ("DOWN", "UP"):
        assert reports.due(Due(caller, "PACS", told(f"1.2.{len(caller)}", ONE)))
    ledger.asked("PACS@here:104", "1.2.2", [ONE])
    where_to = {"DOWN": DOWN, "UP": dk.Peer("127.0.0.1", port, "UP")}.get
    service = committing(lambda _: {}, where_to=where_to, reports=reports)
    with (
        dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]),
        dk.serve_dimse(None, port=0, services=[service]),
    ):
        peers.wait_until(lambda: len(reports.undelivered()) == 1)
    assert ledger.result("1.2.2") is not None


def test_a_report_that_fails_keeps_no_other_of_its_caller_waiting() -> None:
    port = peers.free_port()
    reports, ledger = Transactions(), Transactions()
    for uid in ("1.2.1", "1.2.2"):
        assert reports.due(Due("UP", "PACS", told(uid, ONE)))
        ledger.asked("PACS@here:104", uid, [ONE])
    called = ledger.called

    def moody(uid: str) -> str | None:
        if uid == "1.2.1":
            raise dk.DicomError("the ledger is ill")
        return called(uid)

    ledger.called = moody  # type: ignore[method-assign]
    where_to = {"UP": dk.Peer("127.0.0.1", port, "UP")}.get
    service = committing(lambda _: {}, where_to=where_to, reports=reports, waits=(0.0, 0.05, 0.05))
    with (
        dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]),
        dk.serve_dimse(None, port=0, services=[service]),
    ):
        peers.wait_until(lambda: ledger.result("1.2.2") is not None)


def test_a_ledger_that_can_not_be_used_is_no_fault_of_who_asks() -> None:
    reports = Transactions()
    service = committing(lambda _: {}, where_to=lambda _: None, reports=reports)
    reports.close()
    with dk.serve_dimse(None, port=0, services=[service]) as server:
        assert ask(server.peer(), "1.2.9") == 0x0110


def test_who_asks_and_asks_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "MOST_WAITING", 500)
    reports = Transactions()
    service = committing(lambda _: {}, where_to={"DOWN": DOWN}.get, reports=reports)
    with dk.serve_dimse(None, port=0, services=[service]) as server:
        answers = [ask(calling("DOWN", server.port), f"1.2.{number}") for number in range(10)]
    assert answers[0] == 0
    assert answers[-1] == 0x0213


def test_reports_that_arrived_are_not_remembered_for_ever() -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    reports = Transactions(clock=clock)
    for number in range(1200):
        assert reports.due(Due("CALLER", "PACS", told(f"1.2.{number}", ONE)))
        reports.reported(f"1.2.{number}")
    assert len(reports.to_table()) < 1010
    assert not reports.due(Due("CALLER", "PACS", told("1.2.1199", ONE)))


# ---- a ledger that several share -----------------------------------------------------------------------------------


def test_several_may_open_it_at_once(tmp_path: Path) -> None:
    opened: list[Any] = []

    def work() -> None:
        try:
            opened.append(Transactions(tmp_path / "a.db"))
        except dk.DicomError as error:
            opened.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [type(found) for found in opened] == [Transactions] * 8
    for found in opened:
        found.close()


def test_one_that_writes_is_waited_for(tmp_path: Path) -> None:
    with Transactions(tmp_path / "a.db") as ledger:
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        ledger.asked("PACS@here:104", "1.2.9", [ONE])
        timer.join()
        other.close()
        assert ledger.waiting("1.2.9") == (ONE,)
