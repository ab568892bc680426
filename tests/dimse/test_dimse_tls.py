"""TLS 1.2 and 1.3, mutual, with either driver: among ourselves, with DCMTK, Orthanc and pynetdicom."""

from __future__ import annotations

import json
import socket
import ssl
from urllib.error import HTTPError

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, files_in, serving
from peers import needs
from served_archive import served

from dicomkit import read
from dicomkit.archive import MemoryArchive
from dicomkit.dimse.echo import echo
from dicomkit.dimse.find import find
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.retrieve import get, move
from dicomkit.dimse.steps import Serve, Sleep, Stop
from dicomkit.dimse.store import store
from dicomkit.net.audit_fold import AuditFold
from dicomkit.net.audit_messages import AuditSource
from dicomkit.net.errors import NetworkError
from dicomkit.net.timeouts import Timeouts
from dicomkit.net.tls import client, server

certificates = peers.certificates
both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)


def as_client(made, version=None, who="client", **options):
    own = getattr(made, who)
    secure = client(
        authorities=made.authority,
        certificate=own.certificate,
        key=own.key,
        password=made.password,
        check_name=False,
        **options,
    )
    return limited(secure, version)


def as_server(made, version=None):
    own = made.server
    return limited(server(own.certificate, own.key, password=made.password, client_authorities=made.authority), version)


def limited(secure, version):
    if version is not None:
        secure.context.minimum_version = secure.context.maximum_version = version
    return secure


def secured(port: int, secure, aet: str = "ANY-SCP") -> Peer:
    return Peer(LOCALHOST, port, aet, tls=secure, timeouts=Timeouts(connect=5, read=5, write=5))


@both
@versions
def test_among_ourselves(driver, version, certificates, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=2)
    with serving(driver, tmp_path / "out", as_server(certificates, version)) as peer:
        peer = secured(peer.port, as_client(certificates))
        assert driver.run(echo(peer)).category == "Success"
        assert len(driver.run(store(peer, files)).stored) == 2
    assert len(files_in(tmp_path / "out")) == 2


@both
def test_an_ssl_context_will_do(driver, certificates):
    context = ssl.create_default_context(cafile=str(certificates.authority))
    context.check_hostname = False
    context.load_cert_chain(certificates.client.certificate, certificates.client.key, certificates.password)
    with serving(driver, list, as_server(certificates)) as peer:
        driver.run(echo(secured(peer.port, context)))


@both
def test_strangers_are_refused(driver, certificates):
    with serving(driver, list, as_server(certificates)) as peer:
        for secure in (
            as_client(certificates, who="stranger"),
            client(authorities=certificates.authority, check_name=False),
        ):
            with pytest.raises(NetworkError) as caught:
                driver.run(echo(secured(peer.port, secure)))
            assert caught.value.category == "security"
        with pytest.raises(NetworkError):
            driver.run(echo(secured(peer.port, None)))
        driver.run(echo(secured(peer.port, as_client(certificates))))


@both
def test_a_server_tells_who_could_not_be_secured(driver, certificates):
    told, trail = [], []
    fold = AuditFold(AuditSource("ours"), {"SecurityAlert"})

    def listen(event):
        told.append(event)
        trail.extend(fold.feed(event))

    def refused(count):
        peers.wait_until(lambda: len([event for event in told if event.name == "connection refused"]) == count)
        return told[-1]

    with served(driver, MemoryArchive(), tls=as_server(certificates), on_event=listen) as peer:
        with socket.create_connection((LOCALHOST, peer.port), timeout=5) as plain:
            plain.sendall(b"\x01\x00 this is no TLS" * 10)
            assert refused(1).data["cause"] == "security"
            assert refused(1).peer == "{}:{}".format(*plain.getsockname())
        nobody = client(authorities=certificates.authority, check_name=False)
        for count, secure in enumerate([nobody, as_client(certificates, who="stranger")], 2):
            with pytest.raises(NetworkError):
                driver.run(echo(secured(peer.port, secure)))
            assert refused(count).data["cause"] == "security"
        driver.run(echo(secured(peer.port, as_client(certificates), peer.aet)))
    assert [message.kind for message in trail] == ["SecurityAlert"] * 3


@both
def test_a_server_waits_for_no_handshake_for_long(driver, certificates):
    refused = []

    def nothing(wire, remote):
        raise AssertionError("nobody was let in")
        yield

    serve = Serve(
        nothing, LOCALHOST, 0, as_server(certificates), handshake=0.3, refused=lambda _, error: refused.append(error)
    )

    def waiting():
        running = yield serve
        with socket.create_connection((LOCALHOST, running.port), timeout=5) as silent:
            while not refused:
                yield Sleep(0.05)
            silent.settimeout(5)
            assert silent.recv(1) == b""
        yield Stop(running)

    driver.run(waiting())
    assert len(refused) == 1


@both
def test_a_server_that_is_not_trusted(driver, certificates):
    with serving(driver, list, as_server(certificates)) as peer:
        with pytest.raises(NetworkError, match="certificate") as caught:
            driver.run(echo(secured(peer.port, client())))
        assert caught.value.category == "security"
        pinned = as_client(certificates, pins=[certificates.server.fingerprint])
        driver.run(echo(secured(peer.port, pinned)))
        with pytest.raises(NetworkError, match="pinned"):
            driver.run(echo(secured(peer.port, as_client(certificates, pins=["0" * 64]))))


@both
@versions
@needs("storescp")
def test_to_dcmtk(driver, version, certificates, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=2)
    with peers.storescp(tls=certificates) as scp:
        peer = secured(scp.port, as_client(certificates, version), scp.aet)
        driver.run(echo(peer))
        assert len(driver.run(store(peer, files)).stored) == 2


@both
@versions
@needs("storescu", "echoscu")
def test_from_dcmtk(driver, version, certificates, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=2)
    with serving(driver, tmp_path / "out", as_server(certificates, version)) as peer:
        options = peers.tls_options(certificates, "client")
        peers.echoscu(peer.port, *options).check()
        peers.storescu(peer.port, files, *options).check()
        assert peers.echoscu(peer.port, timeout=20).code != 0
    assert len(files_in(tmp_path / "out")) == 2


@both
@versions
@needs("findscu")
def test_queries_of_dcmtk(driver, version, certificates, tmp_path):
    """Of the other programs of DCMTK neither getscu, movescu nor dcmqrscp speaks TLS."""
    (path,) = peers.small_instances(tmp_path / "in", slices=1)
    archive = MemoryArchive()
    archive.store(path)
    with served(driver, archive, tls=as_server(certificates, version)) as peer:
        found = peers.findscu(peer.port, ["QueryRetrieveLevel=STUDY"], *peers.tls_options(certificates, "client"))
        assert found.check().output.count("Find Response: 1 (Pending)") == 1
        assert peers.findscu(peer.port, ["QueryRetrieveLevel=STUDY"], timeout=20).code != 0


@both
@versions
@needs("Orthanc")
def test_to_orthanc(driver, version, certificates, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=2)
    with peers.orthanc(tls=certificates) as scp:
        peer = secured(scp.port, as_client(certificates, version), scp.aet)
        driver.run(echo(peer))
        assert len(driver.run(store(peer, files)).stored) == 2


@both
@versions
def test_with_pynetdicom(driver, version, certificates, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=2)
    with peers.pynetdicom_scp(tls=as_server(certificates, version).context) as scp:
        peer = secured(scp.port, as_client(certificates, version), scp.aet)
        assert len(driver.run(store(peer, files)).stored) == 2
    pynetdicom = pytest.importorskip("pynetdicom")
    with serving(driver, list, as_server(certificates, version)) as peer:
        ae = pynetdicom.AE()
        ae.add_requested_context("1.2.840.10008.1.1")
        association = ae.associate(LOCALHOST, peer.port, tls_args=(as_client(certificates, version).context, None))
        assert association.is_established
        assert association.send_c_echo().Status == 0
        association.release()


@both
@needs("Orthanc")
def test_from_orthanc(driver, certificates, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=2)
    with serving(driver, tmp_path / "out", as_server(certificates)) as peer:
        ours = {"AET": "OURS", "Host": LOCALHOST, "Port": peer.port, "UseDicomTls": True}
        with peers.orthanc(tls=certificates, options={"DicomModalities": {"OURS": ours}}) as orthanc:
            peers.upload(orthanc, files)
            peers.rest(orthanc, "/modalities/OURS/echo", b"{}")
            uids = json.dumps(peers.rest(orthanc, "/instances")).encode()
            assert peers.rest(orthanc, "/modalities/OURS/store", uids)["FailedInstancesCount"] == 0
            plain = json.dumps({**ours, "UseDicomTls": False}).encode()
            peers.rest(orthanc, "/modalities/OURS", plain, "PUT")
            with pytest.raises(HTTPError):
                peers.rest(orthanc, "/modalities/OURS/echo", b"{}")
    assert len(files_in(tmp_path / "out")) == 2


@both
@needs("Orthanc")
def test_everything_with_orthanc(driver, certificates, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=2)
    key = {"StudyInstanceUID": read(files[0]).StudyInstanceUID}
    port = peers.free_port()
    ours = {"AET": "DICOMKIT", "Host": LOCALHOST, "Port": port, "UseDicomTls": True}
    with peers.orthanc(tls=certificates, options={"DicomModalities": {"DICOMKIT": ours}}) as orthanc:
        peers.upload(orthanc, files)
        peer = secured(orthanc.port, as_client(certificates), orthanc.aet)
        assert len(driver.collect(find(peer, "study"))) == 1
        assert len(driver.collect(get(peer, "study", **key))) == 2
        moved = driver.collect(move(peer, "study", port=port, tls=as_server(certificates), **key))
    assert len(moved) == 2
