"""TLS over real sockets: profiles, mutual trust, names, pins, PKCS#12; each refusal is a security error, in time."""

import os
import socket
import ssl
import stat
import threading
from contextlib import contextmanager
from pathlib import Path

import peers
import pytest
from peers import Certificates, needs, run

from dicomkit.errors import MissingFeatureError, SourceError, UnsupportedError, ValueFormatError
from dicomkit.net import certificates as certificate_files
from dicomkit.net import tls
from dicomkit.net.certificates import self_signed
from dicomkit.net.errors import ConnectionFailedError, PeerTimeoutError
from dicomkit.net.tls import PROFILES, Secure, client, fingerprint, secured, server

certificates = peers.certificates


def shake_hands(client_side: Secure, server_side: Secure, *, host="localhost", timeout=5):
    """Connect both over a socket pair; give what each side made of it, and what the client read."""
    ours, theirs = socket.socketpair()
    ours.settimeout(timeout)
    theirs.settimeout(timeout)
    results = {}

    def serve():
        try:
            with secured(theirs, server_side, server_side=True) as wrapped:
                results["server"] = wrapped.version()
                wrapped.sendall(b"hello")
        except (ConnectionFailedError, PeerTimeoutError, OSError) as error:
            results["server"] = error
        finally:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with secured(ours, client_side, host) as wrapped:
            results["client"] = wrapped.version(), wrapped.cipher()[0]
            results["read"] = wrapped.recv(5)
    except (ConnectionFailedError, PeerTimeoutError, OSError) as error:
        results.setdefault("client", error)
        results["read"] = b""
    finally:
        ours.close()
        thread.join(timeout)
    assert not thread.is_alive()
    return results


def mutual(certificates: Certificates, **more):
    return server(
        certificates.server.certificate,
        certificates.server.key,
        client_authorities=certificates.authority,
        **more,
    )


def as_client(certificates: Certificates, **more):
    own = {"certificate": certificates.client.certificate, "key": certificates.client.key}
    return client(**({"authorities": certificates.authority} | own | more))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_every_profile_speaks_both_versions(certificates, profile, version):
    ours = as_client(certificates, profile=profile)
    ours.context.maximum_version = ssl.TLSVersion[version.replace(".", "_")]
    done = shake_hands(ours, mutual(certificates, profile=profile))
    assert done["client"][0] == done["server"] == version
    assert done["read"] == b"hello"
    if version == "TLSv1.2":
        assert done["client"][1].startswith(("ECDHE-", "DHE-"))


@pytest.mark.parametrize("profile", PROFILES)
def test_no_profile_has_a_weak_suite_or_an_old_version(profile):
    context = client(profile=profile).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for suite in context.get_ciphers():
        assert suite["strength_bits"] >= 128
        assert suite["aead"]
        assert suite["kea"] in ("kx-ecdhe", "kx-dhe", "kx-any")
        assert "CCM8" not in suite["name"]
    assert {suite["protocol"] for suite in context.get_ciphers()} == {"TLSv1.2", "TLSv1.3"}


def test_the_modified_profile_has_the_suites_of_ps3_15_b_13():
    suites = {suite["name"] for suite in client(profile="Modified BCP 195 RFC 8996, 9325").context.get_ciphers()}
    assert suites == {
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES256-CCM",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-CCM",
    }


def test_old_versions_are_refused(certificates):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    done = shake_hands(Secure(old), server(certificates.server.certificate, certificates.server.key))
    assert isinstance(done["server"], ConnectionFailedError)
    assert done["server"].category == "security"


def test_a_client_without_certificate_or_with_a_strange_one_is_refused(certificates):
    nobody = client(authorities=certificates.authority)
    stranger = as_client(certificates, certificate=certificates.stranger.certificate, key=certificates.stranger.key)
    for who in (nobody, stranger):
        done = shake_hands(who, mutual(certificates))
        assert isinstance(done["server"], ConnectionFailedError)
        assert done["server"].category == "security"
        assert done["read"] == b""
    assert shake_hands(nobody, server(certificates.server.certificate, certificates.server.key))["read"] == b"hello"


def test_a_server_that_nobody_vouches_for_is_refused(certificates):
    done = shake_hands(client(), mutual(certificates))
    assert isinstance(done["client"], ConnectionFailedError)
    assert done["client"].category == "security"
    assert "authority" in str(done["client"])


def test_the_name_is_checked_unless_told_otherwise(certificates):
    done = shake_hands(as_client(certificates), mutual(certificates), host="pacs.example")
    assert done["client"].category == "security"
    assert "pacs.example" in str(done["client"])
    for secure, host in (
        (as_client(certificates, server_name="localhost"), "pacs.example"),
        (as_client(certificates, check_name=False), "pacs.example"),
        (as_client(certificates), "127.0.0.1"),
    ):
        assert shake_hands(secure, mutual(certificates), host=host)["read"] == b"hello"


def test_pins_of_the_client(certificates):
    right, wrong = certificates.server.fingerprint, certificates.client.fingerprint
    for pins, more in (([right], {}), ([right.upper(), wrong], {}), ([right], {"authorities": None})):
        assert shake_hands(as_client(certificates, pins=pins, **more), mutual(certificates))["read"] == b"hello"
    for more in ({}, {"authorities": None}):
        done = shake_hands(as_client(certificates, pins=[wrong], **more), mutual(certificates))
        assert done["client"].category == "security"
        assert right in str(done["client"])


def test_pins_of_the_server(certificates):
    assert (
        shake_hands(as_client(certificates), mutual(certificates, pins=[certificates.client.fingerprint]))["read"]
        == b"hello"
    )
    done = shake_hands(as_client(certificates), mutual(certificates, pins=[certificates.server.fingerprint]))
    assert done["server"].category == "security"
    assert done["read"] == b""
    with pytest.raises(ValueFormatError, match="client_authorities"):
        server(certificates.server.certificate, certificates.server.key, pins=["ab" * 32])


def test_fingerprints_are_those_of_cryptography(certificates):
    pem = certificates.server.certificate.read_text()
    assert fingerprint(ssl.PEM_cert_to_DER_cert(pem)) == certificates.server.fingerprint
    with pytest.raises(ValueFormatError, match="fingerprint"):
        client(pins=["abc"])


def test_pkcs12_files_do_for_both_sides(certificates):
    both = {"password": certificates.password}
    ours = client(authorities=certificates.authority, certificate=certificates.client.pkcs12, **both)
    theirs = server(certificates.server.pkcs12, client_authorities=certificates.authority, **both)
    assert shake_hands(ours, theirs)["read"] == b"hello"


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_wrong_password_is_an_error(certificates, password):
    with pytest.raises(SourceError, match=r"PKCS#12.*password"):
        server(certificates.server.pkcs12, password=password)


def test_a_locked_key_needs_its_password_and_nobody_is_asked_at_the_terminal(certificates, tmp_path):
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = serialization.load_pem_private_key(certificates.server.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    with pytest.raises(SourceError):
        server(certificates.server.certificate, locked)
    assert server(certificates.server.certificate, locked, password="sesame").context.cert_store_stats()


def test_pkcs12_without_cryptography_says_which_extra(certificates, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.serialization", None)
    with pytest.raises(MissingFeatureError, match=r"dicomkit\[tls\]"):
        server(certificates.server.pkcs12, password=certificates.password)


def test_no_key_is_left_on_disk(certificates, monkeypatch, tmp_path):
    monkeypatch.setattr(certificate_files.tempfile, "tempdir", str(tmp_path))
    seen = []
    original = certificate_files.temporary_pem

    @contextmanager
    def watched(loaded):
        with original(loaded) as (path, secret):
            seen.append((Path(path).read_bytes(), stat.S_IMODE(Path(path).parent.stat().st_mode)))
            yield path, secret

    monkeypatch.setattr(tls, "temporary_pem", watched)
    server(certificates.server.pkcs12, password=certificates.password)
    [(pem, mode)] = seen
    assert b"ENCRYPTED PRIVATE KEY" in pem
    assert mode == 0o700
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x30\x82\x01\x00nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n"]
)
def test_what_is_no_certificate_is_an_error(tmp_path, content):
    path = tmp_path / "x.pem"
    path.write_bytes(content)
    for make in (lambda: server(path), lambda: server(path, path), lambda: client(certificate=path)):
        with pytest.raises(SourceError):
            make()
    with pytest.raises(SourceError, match="authorities"):
        client(authorities=path)
    with pytest.raises(SourceError):
        client(authorities=tmp_path / "missing")


def test_a_profile_that_is_not_there_names_those_that_are():
    with pytest.raises(UnsupportedError, match="Modified BCP 195"):
        client(profile="SSLv3")


def test_a_development_certificate_works_with_those_who_name_it(tmp_path):
    files = self_signed(tmp_path, names=["localhost"])
    assert stat.S_IMODE(os.stat(files.key).st_mode) == 0o600
    theirs = server(files.certificate, files.key)
    assert shake_hands(client(authorities=files.certificate), theirs)["read"] == b"hello"
    assert shake_hands(client(), theirs)["client"].category == "security"
    assert shake_hands(client(authorities=files.certificate), theirs, host="other")["client"].category == "security"


def test_a_silent_peer_is_left_in_time():
    ours, theirs = socket.socketpair()
    ours.settimeout(0.2)
    with pytest.raises(PeerTimeoutError):
        secured(ours, client(), "localhost")
    assert ours.fileno() == -1
    theirs.close()


def test_a_peer_without_tls_is_a_security_error():
    ours, theirs = socket.socketpair()
    ours.settimeout(2)
    theirs.sendall(b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x01")
    with pytest.raises(ConnectionFailedError) as caught:
        secured(ours, client(), "localhost")
    assert caught.value.category == "security"
    theirs.close()


@needs("openssl")
def test_fingerprints_are_those_of_openssl(certificates):
    shown = (
        run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", certificates.server.certificate)
        .check()
        .output
    )
    assert client(pins=[shown.strip().rpartition("=")[2]]).pins == {certificates.server.fingerprint}
