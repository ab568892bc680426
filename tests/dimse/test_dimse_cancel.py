"""C-CANCEL of find, get and move, both ways, with DCMTK, Orthanc and pynetdicom: it arrives, and ends what is asked.

What is asked for would take seconds, or the request to cancel is there before the first answer: it comes in time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST
from peers import needs
from served_archive import served

import dicomkit as dk
from dicomkit.archive import MemoryArchive
from dicomkit.dimse.find import find
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.retrieve import get, move
from dicomkit.serve import Hooks

COUNT, PAUSE = 60, 0.05
CANCELLED = 0xFE00
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
CT = "1.2.840.10008.5.1.4.1.1.2"
both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return peers.small_instances(tmp_path_factory.mktemp("in"), patients=1, slices=COUNT, size=8)


@pytest.fixture(scope="module")
def keys(files: list[Path]) -> dict[str, str]:
    first = dk.read(files[0])
    return {"StudyInstanceUID": str(first.StudyInstanceUID), "SeriesInstanceUID": str(first.SeriesInstanceUID)}


class SlowArchive(MemoryArchive):
    """Takes its time for each match."""

    def search(self, *arguments: Any, **options: Any) -> Iterator[dk.DataSet]:
        for match in super().search(*arguments, **options):
            time.sleep(PAUSE)
            yield match


@pytest.fixture
def slow_archive(files: list[Path]) -> SlowArchive:
    archive = SlowArchive()
    for path in files:
        archive.store(path)
    return archive


def take_time(_: object) -> None:
    time.sleep(PAUSE)


@contextmanager
def slow_receiver() -> Iterator[Peer]:
    """A third party that takes its time for each instance."""
    with dk.serve_dimse(MemoryArchive(), ae="SLOW", port=0, hooks=Hooks(before=take_time)) as server:
        yield server.peer()


def cancel_finding(driver: Any, peer: Peer, keys: dict[str, str]) -> None:
    """Cancel after the first answer of a peer that takes its time."""
    assert driver.run(find(peer, "image", limit=1, **keys)).code == CANCELLED
    assert len(driver.collect(find(peer, "image", limit=2, **keys))) == 2


def cancel_before_it_goes_on(driver: Any, peer: Peer, keys: dict[str, str], pid: int) -> None:
    """Cancel while a quick peer is stopped, so that the query and the request to cancel are there at once."""
    events: list[Any] = []

    def listen(event: Any) -> None:
        if event.name == "association accepted":
            os.killpg(pid, signal.SIGSTOP)
            time.sleep(PAUSE)
        events.append(event.label)
        if event.label == "C-CANCEL-RQ":
            os.killpg(pid, signal.SIGCONT)

    try:
        asked = find(peer, "image", cancelled=lambda: "query issued" in events, on_event=listen, **keys)
        assert driver.run(asked).code == CANCELLED
    finally:
        os.killpg(pid, signal.SIGCONT)


def cancel_retrieving(driver: Any, peer: Peer, port: int, keys: dict[str, str]) -> None:
    """Ask a peer for everything, take one's time, and cancel after the first."""
    for verb, options in ((get, {}), (move, {"port": port})):
        got: list[dk.DataSet] = []

        def take(ds: dk.DataSet, got: list[dk.DataSet] = got) -> None:
            take_time(ds)
            got.append(ds)

        outcome = driver.run(verb(peer, "series", into=take, cancelled=lambda got=got: bool(got), **options, **keys))
        assert outcome.status.code == CANCELLED
        assert 1 <= len(got) < COUNT
        assert outcome.completed + outcome.remaining == COUNT


@both
@needs("dcmqrscp")
def test_dcmtk_is_asked_to_cancel(driver, files, keys):
    port = peers.free_port()
    with peers.dcmqrscp(files, destinations={"DICOMKIT": port}) as server:
        peer = Peer(LOCALHOST, server.port, server.aet)
        cancel_before_it_goes_on(driver, peer, keys, server.pid)
        cancel_retrieving(driver, peer, port, keys)


@both
@needs("Orthanc")
def test_orthanc_is_asked_to_cancel(driver, files, keys):
    port = peers.free_port()
    with peers.orthanc(modalities={"DICOMKIT": port}) as server:
        peers.upload(server, files)
        peer = Peer(LOCALHOST, server.port, server.aet)
        cancel_before_it_goes_on(driver, peer, keys, server.pid)
        cancel_retrieving(driver, peer, port, keys)


@both
def test_pynetdicom_is_asked_to_cancel(driver, files, keys):
    pynetdicom, pydicom = pytest.importorskip("pynetdicom"), pytest.importorskip("pydicom")
    port = peers.free_port()
    sets = [pydicom.dcmread(path) for path in files]

    def answer_slowly(event: Any) -> Iterator[tuple[int, Any]]:
        for _ in sets:
            take_time(event)
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield 0xFF00, event.identifier

    handlers = [(pynetdicom.evt.EVT_C_FIND, answer_slowly)]
    with peers.pynetdicom_scp(sets, destinations={"DICOMKIT": port}, handlers=handlers) as server:
        peer = Peer(LOCALHOST, server.port, server.aet)
        cancel_finding(driver, peer, keys)
        cancel_retrieving(driver, peer, port, keys)


@both
def test_we_are_asked_to_cancel_by_ourselves(driver, slow_archive, keys):
    port = peers.free_port()
    with served(driver, slow_archive, destinations={"DICOMKIT": Peer(LOCALHOST, port, "DICOMKIT")}) as peer:
        cancel_finding(driver, peer, keys)
        cancel_retrieving(driver, peer, port, keys)


@both
@needs("findscu", "movescu")
def test_dcmtk_asks_to_cancel(driver, slow_archive, keys):
    asked = [f"{keyword}={value}" for keyword, value in keys.items()]
    with slow_receiver() as third, served(driver, slow_archive, destinations={"SLOW": third}) as peer:
        found = peers.findscu(peer.port, ["QueryRetrieveLevel=IMAGE", "SOPInstanceUID", *asked], "--cancel", 2)
        assert "Cancel: MatchingTerminatedDueToCancelRequest" in found.check().output
        assert 2 <= found.output.count("(Pending)") < COUNT // 2
        moved = peers.movescu(peer.port, ["QueryRetrieveLevel=SERIES", *asked], "SLOW", "--cancel", 2)
        assert "Cancel: SubOperationsTerminatedDueToCancelIndication" in moved.output
        assert 2 <= moved.output.count("Received Move Response") < COUNT // 2


@both
def test_pynetdicom_asks_to_cancel(driver, slow_archive, keys):
    pynetdicom, pydicom = pytest.importorskip("pynetdicom"), pytest.importorskip("pydicom")
    got: list[Any] = []

    def take(event: Any) -> int:
        take_time(event)
        got.append(event.dataset)
        return 0

    with slow_receiver() as third, served(driver, slow_archive, destinations={"SLOW": third}) as peer:
        ae = pynetdicom.AE()
        for model in (STUDY_FIND, STUDY_GET, STUDY_MOVE, CT):
            ae.add_requested_context(model)
        role = pynetdicom.build_role(CT, scp_role=True)
        association = ae.associate(
            LOCALHOST, peer.port, ext_neg=[role], evt_handlers=[(pynetdicom.evt.EVT_C_STORE, take)]
        )
        assert association.is_established
        identifier = pydicom.Dataset()
        identifier.update(keys)
        identifier.SOPInstanceUID, identifier.QueryRetrieveLevel = "", "IMAGE"
        found = cancelled_after_the_first(association, STUDY_FIND, association.send_c_find(identifier, STUDY_FIND))
        del identifier.SOPInstanceUID
        identifier.QueryRetrieveLevel = "SERIES"
        gotten = cancelled_after_the_first(association, STUDY_GET, association.send_c_get(identifier, STUDY_GET))
        moving = association.send_c_move(identifier, "SLOW", STUDY_MOVE)
        moved = cancelled_after_the_first(association, STUDY_MOVE, moving)
        association.release()
    for answers in (found, gotten, moved):
        assert answers[-1].Status == CANCELLED
        assert 1 < len(answers) < COUNT // 2
    assert 1 <= len(got) < COUNT // 2
    assert gotten[-1].NumberOfCompletedSuboperations + gotten[-1].NumberOfRemainingSuboperations == COUNT


def cancelled_after_the_first(association: Any, model: str, answers: Any) -> list[Any]:
    statuses = []
    for status, _ in answers:
        if not statuses:
            association.send_c_cancel(1, query_model=model)
        statuses.append(status)
    return statuses
