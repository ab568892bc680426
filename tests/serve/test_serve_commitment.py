"""Storage commitment, as user and as provider: between ours, with Orthanc and with pynetdicom, in both roles."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import peers
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicomkit as dk
from dicomkit.archive import Transactions
from dicomkit.dimse import aio
from dicomkit.dimse.blocking_driver import run
from dicomkit.dimse.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, commitment_reports
from dicomkit.dimse.commitment_provider import Due, report
from dicomkit.dimse.commitments import (
    SERVICE,
    Commitment,
    Reference,
    make_report,
    make_request,
    read_report,
    read_request,
    references,
)
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.pool import using
from dicomkit.net.errors import ContextNotAcceptedError, StatusError
from dicomkit.serve.storage_commitment import commitment
from dicomkit.standard.statuses import status

CT = "1.2.840.10008.5.1.4.1.1.2"
PULL_MODEL = "1.2.840.10008.1.20.2"
UNKNOWN = Reference(CT, "1.2.3.4")


@pytest.fixture
def series() -> list[dk.DataSet]:
    return dk.samples.ct_series(3, 8)


@pytest.fixture
def archive(series: list[dk.DataSet]) -> dk.MemoryArchive:
    archive = dk.MemoryArchive()
    for ds in series:
        archive.store(ds)
    return archive


# ---- ours and ours -------------------------------------------------------------------------------------------------


def test_what_is_there_is_committed(archive: dk.MemoryArchive, series: list[dk.DataSet]) -> None:
    with dk.serve_dimse(archive, port=0, services=[commitment(archive, retrieve_aet="HERE")]) as server:
        result = dk.commit(server.peer(), series)
    assert result.is_committed
    assert result.committed == references(series)
    assert result.retrieve_aet == "HERE"
    assert result.received is not None
    result.raise_for_failures()


def test_reasons_tell_what_is_missing_and_what_is_something_else(archive: Any, series: list[dk.DataSet]) -> None:
    other = Reference("1.2.840.10008.5.1.4.1.1.4", str(series[2].SOPInstanceUID))
    with dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server:
        result = dk.commit(server.peer(), [series[0], series[1], other, UNKNOWN, series[0]])
    assert result.state == "partly failed"
    assert result.committed == references(series[:2])
    assert {reference: reason.code for reference, reason in result.failed} == {other: 0x0119, UNKNOWN: 0x0112}
    with pytest.raises(dk.DicomError, match="2 of 4 instances are not committed: 0x0119"):
        result.raise_for_failures()
    assert list(result.to_table().state) == ["failed", "failed", "committed", "committed"]


def test_the_report_of_store_may_be_committed(series: list[dk.DataSet]) -> None:
    archive = dk.MemoryArchive()
    with dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server:
        result = dk.commit(server.peer(), dk.store(server.peer(), series))
    assert result.is_committed
    assert len(result.committed) == 3


def test_a_file_that_was_cut_is_not_committed(tmp_path: Path, series: list[dk.DataSet]) -> None:
    with dk.FolderArchive(tmp_path) as archive:
        stored = [archive.store(ds) for ds in series]
        for path, size in ((stored[0].path, 100), (stored[1].path, None)):
            assert path is not None
            if size is None:
                Path(path).unlink()
            else:
                Path(path).write_bytes(Path(path).read_bytes()[:size])
        with dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server:
            result = dk.commit(server.peer(), series)
    assert result.committed == references(series[2:])
    assert [reason.code for _, reason in result.failed] == [0x0112, 0x0112]


def test_the_report_may_come_over_a_new_association(archive: Any, series: list[dk.DataSet]) -> None:
    port = peers.free_port()
    back = dk.Peer("127.0.0.1", port, "DICOMKIT", calling_aet="DICOMKIT")
    service = commitment(archive, destinations={"DICOMKIT": back})
    with dk.serve_dimse(archive, port=0, services=[service]) as server:
        assert dk.commit(server.peer(), [*series, UNKNOWN], port=port).state == "partly failed"


def test_both_drivers_do_the_same(archive: Any, series: list[dk.DataSet]) -> None:
    async def whole() -> list[Commitment]:
        port = peers.free_port()
        destinations = {"LISTENS": dk.Peer("127.0.0.1", port, "LISTENS")}
        services = [commitment(archive, destinations=destinations)]
        async with dk.serve.serve_dimse_async(archive, port=0, services=services) as peer:
            listening = dk.Peer(peer.host, peer.port, calling_aet="LISTENS")
            return [await aio.commit(peer, series), await aio.commit(listening, series, port=port)]

    assert [result.state for result in asyncio.run(whole())] == ["committed", "committed"]


def test_over_a_pool(archive: Any, series: list[dk.DataSet]) -> None:
    with dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server, dk.connect(server.peer()) as pool:
        assert dk.commit(pool, series[:1]).is_committed
        assert dk.commit(pool, series[1:]).is_committed
        assert pool.counts == (0, 1)


def test_a_request_whose_answer_was_lost_is_made_anew(archive: Any, series: list[dk.DataSet]) -> None:
    ledger = Transactions()
    well = commitment(archive)
    perform = well.performers[PUSH_MODEL, "N-ACTION-RQ"]
    came: list[str] = []

    def breaks_once(association: Any, message: Any) -> Any:
        came.append(message.command.name)
        if len(came) == 1:
            yield from association.abort()
        else:
            yield from perform(association, message)

    moody = replace(well, performers={(PUSH_MODEL, "N-ACTION-RQ"): breaks_once})
    with dk.serve_dimse(archive, port=0, services=[moody]) as server:
        peer = server.peer(retry=dk.net.Retry(first=0.01, jitter=0))
        assert dk.commit(peer, series, ledger=ledger).is_committed
    assert sorted(ledger.to_table().state) == ["committed", "pending"]


# ---- what may go wrong ---------------------------------------------------------------------------------------------


def action(uid: str, instances: Any, *, number: int = 1, instance: str = PUSH_MODEL_INSTANCE) -> Any:
    def body(association: Any) -> Any:
        data = None if instances is None else make_request(uid, instances)
        return (yield from request(association, "N-ACTION", PUSH_MODEL, instance, data, number=number))

    return body


def status_of(archive: Any, *bodies: Any) -> list[int]:
    """What a provider answers to requests, each over an association of its own."""
    answers = []
    with dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server:
        for body in bodies:
            try:
                answers.append(run(using(server.peer(), Proposal.of((PUSH_MODEL, NATIVE)), body)).status.code)
            except StatusError as error:
                answers.append(error.status.code)
    return answers


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (action("1.2", [UNKNOWN], number=2), 0x0123),
        (action("1.2", [UNKNOWN], instance="1.2.3"), 0x0112),
        (action("1.2", None), 0x0120),
        (action("", [UNKNOWN]), 0x0120),
        (action("1.2", []), 0x0120),
    ],
    ids=["action", "instance", "no data", "no transaction", "no instances"],
)
def test_what_cannot_be_asked_is_refused(archive: Any, body: Any, code: int) -> None:
    with (
        dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server,
        pytest.raises(StatusError) as caught,
    ):
        run(using(server.peer(), Proposal.of((PUSH_MODEL, NATIVE)), body))
    assert caught.value.status.code == code


def test_a_transaction_uid_is_used_once(archive: Any) -> None:
    body = action("1.2.9", [UNKNOWN])
    assert status_of(archive, body, body) == [0, 0x0131]


def test_the_retired_pull_model_is_refused_in_negotiation(archive: Any) -> None:
    def body(association: Any) -> Any:
        yield from request(association, "N-ACTION", PULL_MODEL, "1.2.3", number=1)

    refused = pytest.raises(ContextNotAcceptedError, match="abstract-syntax-not-supported")
    with dk.serve_dimse(archive, port=0, services=[commitment(archive)]) as server, refused:
        run(using(server.peer(), Proposal.of((PULL_MODEL, NATIVE)), body))


def test_no_report_in_time_leaves_it_pending_and_a_later_one_is_understood(archive: Any, series: Any) -> None:
    port = peers.free_port()
    ledger = Transactions()
    service = commitment(
        archive, destinations={"DICOMKIT": dk.Peer("127.0.0.1", port, "DICOMKIT")}, waits=(0.0, *[0.1] * 100)
    )
    with dk.serve_dimse(archive, port=0, services=[service]) as server:
        result = dk.commit(server.peer(), series, wait=0.2, ledger=ledger)
        assert (result.state, result.pending) == ("pending", references(series))
        [waiting] = ledger.pending()
        assert (waiting.transaction_uid, waiting.requested) == (result.transaction_uid, references(series))
        with dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]):
            peers.wait_until(lambda: ledger.result(result.transaction_uid) is not None)
    settled = ledger.result(result.transaction_uid)
    assert settled is not None
    assert settled.is_committed
    assert not ledger.pending()


def test_what_has_no_report_is_asked_for_again(archive: Any, series: Any) -> None:
    reached = threading.Event()
    service = commitment(archive, destinations=lambda aet: NOWHERE if not reached.is_set() else None, waits=())
    ledger = Transactions()

    def watch(event: Any) -> None:
        if event.label == "N-ACTION-RSP" and event.direction == "received":
            reached.set()

    with dk.serve_dimse(archive, port=0, services=[service]) as server:
        result = dk.commit(server.peer(), series, wait=0.5, attempts=2, ledger=ledger, on_event=watch)
    assert result.is_committed
    assert sorted(ledger.to_table().state) == ["committed", "pending"]


NOWHERE = dk.Peer("127.0.0.1", 1, "NOWHERE")


def test_reports_that_were_not_delivered_are_after_a_restart(tmp_path: Path, archive: Any, series: Any) -> None:
    port = peers.free_port()
    destinations = {"DICOMKIT": dk.Peer("127.0.0.1", port, "DICOMKIT")}
    ledger = Transactions()
    with Transactions(tmp_path / "provider.db") as provider:
        service = commitment(archive, destinations=destinations, transactions=provider, waits=())
        with dk.serve_dimse(archive, port=0, services=[service]) as server:
            asked = dk.commit(server.peer(), series, wait=0, ledger=ledger)
        assert len(provider.undelivered()) == 1
    with (
        Transactions(tmp_path / "provider.db") as provider,
        dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]),
    ):
        service = commitment(archive, destinations=destinations, transactions=provider, waits=(0.0,))
        with dk.serve_dimse(archive, port=0, services=[service]):
            peers.wait_until(lambda: not provider.undelivered())
    result = ledger.result(asked.transaction_uid)
    assert result is not None
    assert result.is_committed


def test_a_report_that_nobody_waits_for_is_refused_and_never_told_again() -> None:
    stray = Commitment("1.2.3", (UNKNOWN,), (UNKNOWN,))
    reports = Transactions()
    assert reports.due(Due("DICOMKIT", "PACS", stray))
    with dk.serve_dimse(None, port=0, services=[commitment_reports(Transactions())]) as server:
        assert not run(report(server.peer(), stray, reports))
    assert not reports.undelivered()
    assert list(reports.to_table().state) == ["unwanted"]


def test_a_database_that_is_none_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "transactions.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(dk.DicomError, match=r"transactions\.db"):
        Transactions(path)


# ---- values --------------------------------------------------------------------------------------------------------

uids = st.from_regex(r"1\.2\.[1-9][0-9]{0,8}", fullmatch=True)
some = st.lists(st.builds(Reference, uids, uids), max_size=6, unique=True)


@given(uids, some, some)
def test_requests_and_reports_come_back(uid: str, committed: list[Reference], failed: list[Reference]) -> None:
    everything = tuple(dict.fromkeys([*committed, *failed]))
    assert read_request(make_request(uid, everything)) == (uid, everything)
    bad = tuple((reference, status(0x0213, SERVICE)) for reference in failed)
    good = tuple(reference for reference in committed if reference not in set(failed))
    told = Commitment(uid, everything, good, bad, received=1.0)
    number, information = make_report(told)
    assert number == (2 if failed else 1)
    assert read_report(information, everything, 1.0) == told


def test_what_was_not_asked_for_does_not_count() -> None:
    _, information = make_report(Commitment("1.2", (UNKNOWN,), (UNKNOWN, Reference(CT, "1.9"))))
    found = read_report(information, [UNKNOWN, Reference(CT, "1.8")], 0.0)
    assert (found.committed, found.pending) == ((UNKNOWN,), (Reference(CT, "1.8"),))


def test_the_ledger_forgets_what_is_old_and_shows_itself() -> None:
    now = [100.0]
    ledger = Transactions(clock=lambda: now[0])
    ledger.asked("A@b:104", "1.2", [UNKNOWN])
    ledger.asked("A@b:104", "1.3", [UNKNOWN])
    ledger.settled(Commitment("1.2", (UNKNOWN,), (UNKNOWN,), received=100.0))
    now[0] = 200.0
    assert [waiting.transaction_uid for waiting in ledger.pending(older_than=100)] == ["1.3"]
    assert not ledger.pending(older_than=101)
    assert "1 under way" in repr(ledger)
    assert "1.3" in ledger._repr_html_()
    assert ledger.forget(older_than=50) == 1
    ledger.give_up("1.3")
    assert ledger.waiting("1.3") is None
    assert list(ledger.to_table().state) == ["given up"]


# ---- Orthanc -------------------------------------------------------------------------------------------------------


@peers.needs("Orthanc")
def test_orthanc_commits_over_a_new_association(series: list[dk.DataSet]) -> None:
    port = peers.free_port()
    with peers.orthanc(modalities={"DICOMKIT": port}) as server:
        peer = dk.Peer("127.0.0.1", server.port, server.aet)
        dk.store(peer, series).raise_for_failures()
        result = dk.commit(peer, [*series, UNKNOWN], port=port)
    assert result.committed == references(series)
    assert [(reference, reason.code) for reference, reason in result.failed] == [(UNKNOWN, 0x0112)]


@peers.needs("Orthanc")
def test_orthanc_asks_ours(archive: Any, series: list[dk.DataSet]) -> None:
    here = peers.free_port()
    with peers.orthanc(modalities={"DICOMKIT": here}) as server:
        service = commitment(archive, destinations={server.aet: dk.Peer("127.0.0.1", server.port, server.aet)})
        wanted = [*references(series), UNKNOWN]
        with dk.serve_dimse(archive, port=here, services=[service]):
            body = json.dumps({"DicomInstances": [list(reference) for reference in wanted]}).encode()
            asked = peers.rest(server, "/modalities/DICOMKIT/storage-commitment", body)

            def answer() -> Any:
                return peers.rest(server, asked["Path"])

            peers.wait_until(lambda: answer()["Status"] != "Pending")
            told = answer()
    assert told["Status"] == "Failure"
    assert {entry["SOPInstanceUID"] for entry in told["Success"]} == {str(ds.SOPInstanceUID) for ds in series}
    assert [(entry["SOPInstanceUID"], entry["FailureReason"]) for entry in told["Failures"]] == [("1.2.3.4", 0x0112)]


# ---- pynetdicom ----------------------------------------------------------------------------------------------------


@contextmanager
def pynetdicom_commits(present: set[str], *, same_association: bool, port: int = 0) -> Iterator[peers.PythonServer]:
    """A provider made of pynetdicom: reports over the association of the request, or over a new one."""
    pynetdicom = pytest.importorskip("pynetdicom")
    from pydicom.dataset import Dataset

    def tell(association: Any, information: Any) -> None:
        answer = Dataset()
        answer.TransactionUID = information.TransactionUID
        items = list(information.ReferencedSOPSequence)
        answer.ReferencedSOPSequence = [item for item in items if item.ReferencedSOPInstanceUID in present]
        failed = [item for item in items if item.ReferencedSOPInstanceUID not in present]
        for item in failed:
            item.FailureReason = 0x0112
        if failed:
            answer.FailedSOPSequence = failed
        association.send_n_event_report(answer, 2 if failed else 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)

    def elsewhere(information: Any) -> None:
        ae = pynetdicom.AE("PYNETDICOM")
        ae.add_requested_context(PUSH_MODEL)
        role = pynetdicom.build_role(PUSH_MODEL, scp_role=True)
        association = ae.associate("127.0.0.1", port, ae_title="DICOMKIT", ext_neg=[role])
        tell(association, information)
        association.release()

    def act(event: Any) -> tuple[int, None]:
        work = (
            (tell, event.assoc, event.action_information) if same_association else (elsewhere, event.action_information)
        )
        threading.Timer(0.1, work[0], work[1:]).start()
        return 0, None

    contexts = [pynetdicom.build_context(PUSH_MODEL)]
    with peers.pynetdicom_scp(handlers=[(pynetdicom.evt.EVT_N_ACTION, act)], contexts=contexts) as server:
        yield server


@pytest.mark.parametrize("same_association", [True, False])
def test_pynetdicom_commits(series: list[dk.DataSet], same_association: bool) -> None:
    port = 0 if same_association else peers.free_port()
    present = {str(ds.SOPInstanceUID) for ds in series}
    with pynetdicom_commits(present, same_association=same_association, port=port) as server:
        peer = dk.Peer("127.0.0.1", server.port, server.aet)
        result = dk.commit(peer, [*series, UNKNOWN], port=port or None)
    assert result.committed == references(series)
    assert [reference for reference, _ in result.failed] == [UNKNOWN]


@pytest.mark.parametrize("same_association", [True, False])
def test_pynetdicom_asks_ours(archive: Any, series: list[dk.DataSet], same_association: bool) -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    from pydicom.dataset import Dataset

    came: list[Any] = []

    def take(event: Any) -> tuple[int, None]:
        came.append((event.event_type, event.event_information))
        return 0, None

    handlers = [(pynetdicom.evt.EVT_N_EVENT_REPORT, take)]
    ae = pynetdicom.AE("PYNETDICOM")
    ae.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
    ae.add_requested_context(PUSH_MODEL)
    listening = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    back = dk.Peer("127.0.0.1", listening.socket.getsockname()[1], "PYNETDICOM")
    service = commitment(archive, destinations=None if same_association else {"PYNETDICOM": back})
    information = Dataset()
    information.TransactionUID = "1.2.3.9"
    information.ReferencedSOPSequence = []
    for reference in (*references(series), UNKNOWN):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
        information.ReferencedSOPSequence.append(item)
    try:
        with dk.serve_dimse(archive, port=0, services=[service]) as server:
            association = ae.associate(server.host, server.port, evt_handlers=handlers if same_association else [])
            answer, _ = association.send_n_action(information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
            assert answer.Status == 0
            peers.wait_until(lambda: bool(came))
            association.release()
    finally:
        listening.shutdown()
    [(number, told)] = came
    assert number == 2
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == [
        str(ds.SOPInstanceUID) for ds in series
    ]
    assert [item.FailureReason for item in told.FailedSOPSequence] == [0x0112]
