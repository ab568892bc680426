"""Echo and store, with either driver: to ourselves, to DCMTK, Orthanc and pynetdicom, and from them."""

from __future__ import annotations

import socket
import threading
import time
from functools import partial
from pathlib import Path

import peers
import pytest
from dimse_drivers import ASYNCIO, BLOCKING, DRIVERS, LOCALHOST, files_in, serving, storage
from peers import needs

from dicomkit import read
from dicomkit.dimse.echo import echo
from dicomkit.dimse.outgoing import Outgoing, outgoing
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.policies import called, limited
from dicomkit.dimse.pool import Pool, close_pool
from dicomkit.dimse.provider import provide
from dicomkit.dimse.store import store
from dicomkit.errors import DicomError
from dicomkit.files.write import write_file
from dicomkit.net.errors import (
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    NetworkError,
    PeerTimeoutError,
)
from dicomkit.net.timeouts import Timeouts
from dicomkit.pixels.transcode import transcode
from dicomkit.samples import ct_series

both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)


def data_set_bytes(path: Path) -> bytes:
    found = outgoing(path)
    data = found.data()
    return data if isinstance(data, bytes) else data.read(0, len(data))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return peers.small_instances(tmp_path / "in", patients=2, slices=3)


def peer_of(server: object, **options: object) -> Peer:
    return Peer(LOCALHOST, server.port, server.aet, **options)


@both
def test_echo(driver):
    with serving(driver, list) as peer:
        assert driver.run(echo(peer)).category == "Success"


@both
def test_what_is_stored_is_the_same_bytes(driver, files, tmp_path):
    with serving(driver, tmp_path / "out") as peer:
        report = driver.run(store(peer, files))
    assert [outcome.kind for outcome in report] == ["stored"] * len(files)
    assert [outcome.source for outcome in report] == [str(path) for path in files]
    assert report.size == sum(len(data_set_bytes(path)) for path in files)
    stored = {read(path).SOPInstanceUID: path for path in files_in(tmp_path / "out")}
    for path in files:
        copy = stored.pop(read(path).SOPInstanceUID)
        assert data_set_bytes(copy) == data_set_bytes(path)
        assert read(copy).meta.SourceApplicationEntityTitle == "DICOMKIT"
    assert not stored


@both
def test_sources_of_every_kind(driver, files, tmp_path):
    ds = read(files[0])
    edited = ds.assign(PatientID="EDITED", SOPInstanceUID="2.25.77")
    bare = Outgoing.of_bytes(
        data_set_bytes(files[1]),
        sop_class_uid=ds.SOPClassUID,
        sop_instance_uid=read(files[1]).SOPInstanceUID,
        transfer_syntax_uid=ds.transfer_syntax.uid,
    )
    got = []
    with serving(driver, got.append) as peer:
        report = driver.run(
            store(peer, (source for source in [ds, edited, bare, files[2].read_bytes(), str(files[3])]))
        )
    assert len(report.stored) == 5
    assert [stored.get("PatientID") for stored in got][1] == "EDITED"
    assert got[0] == ds
    assert got[2] == read(files[1])


@both
def test_a_folder(driver, files, tmp_path):
    with serving(driver, tmp_path / "out") as peer:
        assert len(driver.run(store(peer, tmp_path / "in")).stored) == len(files)
        assert len(driver.run(store(peer, [str(tmp_path / "in" / "patient0"), files[-1]])).stored) == 4


@both
def test_what_can_not_be_sent_is_in_the_report(driver, files, tmp_path):
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(b"nonsense" * 100)
    emitted = []
    with serving(driver, tmp_path / "out") as peer:
        wanted = [nonsense, files[0], tmp_path / "missing", files[1]]
        report = driver.run(store(peer, wanted))
        emitted = driver.collect(store(peer, wanted))
        with pytest.raises(DicomError, match="2 of 4 instances are not stored"):
            report.raise_for_failures()
        quick = driver.run(store(peer, wanted, fail_fast=True))
    assert [outcome.kind for outcome in report] == ["not sent", "stored", "not sent", "stored"]
    assert [progress.done for progress in emitted] == [1, 2, 3, 4]
    assert emitted[-1].failed == 2
    assert emitted[-1].remaining == 0
    assert emitted[-1].eta == 0
    assert not quick.stored
    assert quick.ended_by is not None


@both
def test_conversion_where_the_peer_takes_other_syntaxes(driver, files, tmp_path):
    compressed = tmp_path / "rle.dcm"
    original = read(files[0])
    write_file(transcode(original, "RLELossless"), compressed)
    got = []
    implicit_only = {"supports": lambda _: ("1.2.840.10008.1.2",)}
    with serving(driver, got.append, **implicit_only) as peer:
        report = driver.run(store(peer, [compressed, files[1]]))
        refused = driver.run(store(peer, [compressed, files[1]], convert=False))
    assert [outcome.converted for outcome in report] == [True, True]
    assert got[0].PixelData == original.PixelData
    assert got[0].transfer_syntax.implicit_vr
    assert isinstance(refused[0].error, ContextNotAcceptedError)
    assert refused[0].error.category == "configuration"


@both
def test_compression_on_the_way(driver, files):
    got = []
    with serving(driver, got.append) as peer:
        report = driver.run(store(peer, files[:2], transfer_syntaxes=["JPEGLSLossless"]))
    assert [outcome.transfer_syntax_uid for outcome in report] == ["1.2.840.10008.1.2.4.80"] * 2
    assert got[0].transfer_syntax.uid == "1.2.840.10008.1.2.4.80"


@both
def test_several_associations_and_limits(driver, files, tmp_path):
    events = []
    with serving(driver, tmp_path / "out") as peer:
        report = driver.run(store(peer, files, associations=3, most_per_association=1, on_event=events.append))
    assert len(report.stored) == len(files)
    assert sum(event.name == "association accepted" for event in events) == len(files)


@both
def test_more_contexts_than_an_association_has(driver):
    series = ct_series(1, 8)
    instances = [
        series[0].assign(SOPClassUID=f"1.2.3.{number}", SOPInstanceUID=f"2.25.{number}") for number in range(90)
    ]
    got, events = [], []
    with serving(driver, got.append) as peer:
        report = driver.run(store(peer, instances, on_event=events.append))
    assert len(report.stored) == 90
    assert len({ds.SOPClassUID for ds in got}) == 90
    assert sum(event.name == "association accepted" for event in events) == 2


@both
def test_the_window_is_used_where_it_is_granted(driver, files):
    under_way, most = set(), 0

    def watch(event):
        nonlocal most
        command = event.data.get("command")
        if event.name == "message sent" and command.name == "C-STORE-RQ":
            under_way.add(command.MessageID)
        elif event.name == "message received":
            under_way.discard(command.MessageIDBeingRespondedTo)
        most = max(most, len(under_way))

    got = []
    with serving(driver, got.append, window=4) as peer:
        wide = Peer(peer.host, peer.port, window=8)
        report = driver.run(store(wide, files, on_event=watch))
    assert len(report.stored) == len(files) == len(got)
    assert most == 4


@both
def test_cancelling_and_slowing_down(driver, files):
    got = []
    with serving(driver, got.append) as peer:
        report = driver.run(store(peer, files, cancelled=lambda: len(got) >= 2))
        began = time.monotonic()
        driver.run(store(peer, files[:3], delay=0.1))
        delayed = time.monotonic() - began
        size = len(data_set_bytes(files[0]))
        began = time.monotonic()
        driver.run(store(peer, files[:3], rate_limit=size * 10))
        limited_to = time.monotonic() - began
    assert 2 <= len(report.stored) < len(files)
    assert delayed > 0.29
    assert limited_to > 0.29


@both
def test_a_failure_of_the_peer_is_an_outcome(driver, files):
    def refuse(ds):
        raise DicomError("not this one")

    with serving(driver, refuse) as peer:
        report = driver.run(store(peer, files[:2]))
    assert [outcome.kind for outcome in report] == ["failed", "failed"]
    assert report[0].status.code == 0xC000
    assert "0xC000" in report[0].reason


@both
def test_a_pool_shares_associations(driver, files, tmp_path):
    events = []
    with serving(driver, tmp_path / "out") as peer:
        pool = Pool(peer, on_event=events.append)

        def operations():
            for _ in range(5):
                yield from echo(pool)
            yield from store(pool, files)
            yield from echo(pool)
            yield from close_pool(pool)

        driver.run(operations())
    opened = [event for event in events if event.name == "association accepted"]
    assert len(opened) == 2
    assert pool.counts == (0, 0)
    assert sum(event.name == "association released" for event in events) == 2


def test_a_pool_replaces_what_the_peer_closed(files, tmp_path):
    provider = storage(tmp_path / "out", timeouts=Timeouts(idle=0.2))
    with BLOCKING.serve(partial(provide, provider)) as port:
        pool = Pool(Peer(LOCALHOST, port))
        BLOCKING.run(echo(pool))
        time.sleep(0.5)
        BLOCKING.run(echo(pool))
        BLOCKING.run(close_pool(pool))


def test_a_pool_is_shared_by_threads(files, tmp_path):
    with serving(BLOCKING, tmp_path / "out") as peer:
        pool = Pool(peer, size=2)
        failures = []

        def work():
            try:
                for _ in range(10):
                    BLOCKING.run(echo(pool))
            except NetworkError as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert pool.counts[0] == 0
        assert pool.counts[1] <= 2
        BLOCKING.run(close_pool(pool))


@both
def test_no_more_associations_than_allowed(driver):
    provider = storage(list)
    with driver.serve(limited(provider, most=1)) as port:
        peer = Peer(LOCALHOST, port)
        pool = Pool(peer)

        def operations():
            yield from echo(pool)
            try:
                yield from echo(peer)
            finally:
                yield from close_pool(pool)

        with pytest.raises(AssociationRejectedError) as caught:
            driver.run(operations())
        assert caught.value.category == "transient"
        time.sleep(0.1)
        driver.run(echo(peer))


@both
def test_nobody_there(driver):
    with socket.socket() as unused:
        unused.bind((LOCALHOST, 0))
        port = unused.getsockname()[1]
        with pytest.raises(ConnectionFailedError, match="check host and port") as caught:
            driver.run(echo(Peer(LOCALHOST, port)))
    assert caught.value.category == "transient"


@both
def test_a_peer_that_says_nothing(driver):
    with socket.create_server((LOCALHOST, 0)) as listener:
        peer = Peer(LOCALHOST, listener.getsockname()[1], timeouts=Timeouts(read=0.3))
        began = time.monotonic()
        with pytest.raises(PeerTimeoutError):
            driver.run(echo(peer))
        assert time.monotonic() - began < 3


@both
def test_a_requestor_that_says_nothing_is_dropped(driver):
    provider = storage(list, timeouts=Timeouts(artim=0.3))
    with driver.serve(partial(provide, provider)) as port, socket.create_connection((LOCALHOST, port)) as silent:
        silent.settimeout(5)
        assert silent.recv(100) == b""


# ---- other people's programs ---------------------------------------------------------------------------------------


@both
@needs("storescp")
def test_to_dcmtk(driver, files, tmp_path):
    with peers.storescp() as server:
        driver.run(echo(peer_of(server)))
        report = driver.run(store(peer_of(server), files))
        assert len(report.stored) == len(files)
        peers.wait_until(lambda: len(server.files()) == len(files))
        sent = sorted(data_set_bytes(path) for path in files)
        assert sorted(data_set_bytes(path) for path in server.files()) == sent


@both
@needs("storescp")
@pytest.mark.parametrize("options", [("--max-pdu", 4096), ("--prefer-little",), ("--implicit",)])
def test_to_dcmtk_with_other_preferences(driver, files, options):
    with peers.storescp(*options) as server:
        assert len(driver.run(store(peer_of(server), files)).stored) == len(files)


@both
@needs("Orthanc")
def test_to_orthanc(driver, files):
    with peers.orthanc() as server:
        driver.run(echo(peer_of(server)))
        assert len(driver.run(store(peer_of(server), files)).stored) == len(files)
        assert len(peers.rest(server, "/instances")) == len(files)


@both
def test_to_pynetdicom(driver, files):
    with peers.pynetdicom_scp() as server:
        driver.run(echo(peer_of(server)))
        report = driver.run(store(peer_of(server), files))
        assert len(report.stored) == len(files) == len(server.stored)


@both
def test_statuses_of_pynetdicom(driver, files):
    with peers.pynetdicom_scp(status=0xB000) as server:
        assert [outcome.kind for outcome in driver.run(store(peer_of(server), files))] == ["warning"] * len(files)
    with peers.pynetdicom_scp(status=0xA700) as server:
        report = driver.run(store(peer_of(server), files))
        assert [outcome.kind for outcome in report] == ["failed"] * len(files)
        assert report[0].status.nature == "transient"


@both
@needs("storescu", "echoscu")
def test_from_dcmtk(driver, files, tmp_path):
    with serving(driver, tmp_path / "out", accept=called("OURS")) as peer:
        peers.echoscu(peer.port, aec="OURS").check()
        peers.storescu(peer.port, files, aec="OURS").check()
        refused = peers.storescu(peer.port, files[:1], aec="OTHER")
    assert refused.code != 0
    assert "Called AE Title Not Recognized" in refused.output
    sent = sorted(data_set_bytes(path) for path in files)
    assert sorted(data_set_bytes(path) for path in files_in(tmp_path / "out")) == sent


@both
def test_from_pynetdicom(driver, files, tmp_path):
    pynetdicom, pydicom = pytest.importorskip("pynetdicom"), pytest.importorskip("pydicom")
    with serving(driver, tmp_path / "out") as peer:
        ae = pynetdicom.AE()
        ae.add_requested_context("1.2.840.10008.1.1")
        ae.add_requested_context("1.2.840.10008.5.1.4.1.1.2", ["1.2.840.10008.1.2.1"])
        association = ae.associate(LOCALHOST, peer.port)
        assert association.is_established
        assert association.send_c_echo().Status == 0
        for path in files:
            assert association.send_c_store(pydicom.dcmread(path)).Status == 0
        association.release()
    assert len(files_in(tmp_path / "out")) == len(files)


@needs("Orthanc")
def test_from_orthanc(files, tmp_path):
    with serving(ASYNCIO, tmp_path / "out") as peer, peers.orthanc(modalities={"OURS": peer.port}) as server:
        peers.upload(server, files)
        found = peers.rest(server, "/instances")
        peers.rest(server, "/modalities/OURS/store", b"[" + ",".join(f'"{uid}"' for uid in found).encode() + b"]")
        assert len(files_in(tmp_path / "out")) == len(files)


# ---- many at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_fifty_associations_two_thousand_instances(driver, tmp_path):
    base = ct_series(1, 16)[0]
    instances = [base.assign(SOPInstanceUID=f"2.25.{number}", InstanceNumber=number) for number in range(1, 2001)]
    expected = {ds.SOPInstanceUID: b"".join(outgoing(ds).data().pieces) for ds in instances}
    with serving(driver, tmp_path / "out") as peer:
        shares = [instances[number::50] for number in range(50)]
        if driver is ASYNCIO:
            from dicomkit.dimse.steps import Together

            def operation():
                return (yield Together([store(peer, share) for share in shares]))

            reports = driver.run(operation())
        else:
            reports = []
            threads = [
                threading.Thread(target=lambda share=share: reports.append(driver.run(store(peer, share))))
                for share in shares
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert sum(len(report.stored) for report in reports) == 2000
    stored = files_in(tmp_path / "out")
    assert {path.stem: data_set_bytes(path) for path in stored} == expected
