"""An exchange cut, reset, stalled or swallowed at its bytes, random PDUs, and a server that stays up through it all."""

from __future__ import annotations

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import peers
import pytest
from dimse_drivers import BLOCKING, DRIVERS, LOCALHOST, files_in, serving, storage
from faulty_proxy import TO_CLIENT, TO_SERVER, Fault, faulty_proxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served_archive import served

from dicomkit import read
from dicomkit.archive import MemoryArchive
from dicomkit.dimse.connection import Connection
from dicomkit.dimse.echo import echo
from dicomkit.dimse.find import find
from dicomkit.dimse.negotiation import Proposal
from dicomkit.dimse.pdu import AssociateAC, AssociateRQ, ContextResult, ReleaseRQ
from dicomkit.dimse.pdu_bytes import encode_pdu
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.provider import provide
from dicomkit.dimse.retrieve import get, move
from dicomkit.dimse.store import store
from dicomkit.net.errors import NetworkError
from dicomkit.net.timeouts import Timeouts
from dicomkit.samples import ct_series
from dicomkit.serve import serve_dimse

QUICK = Timeouts(connect=1, read=0.4, write=0.4, artim=0.4, idle=0.4)
REQUEST = encode_pdu(AssociateRQ("THEM", "US", Proposal.of("1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2").contexts))
both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)


EVERY_BYTE = ("cut_after", "stall_after")
"""The others are told apart by the system only, and happen at every fiftieth part."""


def exchange_length(driver, peer: Peer, path: Path, direction: str) -> int:
    with faulty_proxy(peer.port) as proxy:
        driver.run(store(Peer(LOCALHOST, proxy.port, timeouts=QUICK), [path]))
        return proxy.passed[direction]


@both
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
@pytest.mark.parametrize("fault", ["cut_after", "reset", "stall_after", "swallow_after"])
def test_a_store_that_is_spoilt_at_its_bytes(driver, direction, fault, tmp_path):
    (path,) = peers.small_instances(tmp_path / "in", slices=1, size=8)
    whole = read(path)
    out = tmp_path / "out"
    with serving(driver, out, timeouts=QUICK) as peer:
        length = exchange_length(driver, peer, path, direction)
        places = range(0, length, 1 if fault in EVERY_BYTE and driver is BLOCKING else max(length // 50, 1))

        def spoil(place: int) -> None:
            options = {"cut_after": place, "reset": True} if fault == "reset" else {fault: place}
            with faulty_proxy(peer.port, Fault(direction, **options)) as proxy:
                began = time.monotonic()
                try:
                    report = driver.run(store(Peer(LOCALHOST, proxy.port, timeouts=QUICK), [path]))
                except NetworkError:
                    pass
                else:  # all had been said, or the failure is the outcome
                    assert report[0].is_stored or isinstance(report[0].error, NetworkError)
                assert time.monotonic() - began < 5

        with ThreadPoolExecutor(8 if fault in ("cut_after", "reset") else 64) as pool:
            list(pool.map(spoil, places))
        assert driver.run(echo(Peer(LOCALHOST, peer.port))).category == "Success"
        peers.wait_until(lambda: not list(out.glob(".*")), "what wasn't whole is removed", 5)
    assert [read(stored) == whole for stored in files_in(out)] == [True]


@both
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
@pytest.mark.parametrize("fault", EVERY_BYTE)
@pytest.mark.parametrize("verb", [find, get, move])
def test_a_query_or_retrieval_that_is_spoilt_at_its_bytes(driver, direction, fault, verb):
    archive, port = MemoryArchive(), peers.free_port()
    series = ct_series(2, 4)
    for ds in series:
        archive.store(ds)
    keys = {"StudyInstanceUID": series[0].StudyInstanceUID}
    options = {"into": list} if verb is get else {}
    third = serve_dimse(archive, port=port, ae="THIRD")  # the proxy doesn't see what goes there
    with third, served(driver, archive, timeouts=QUICK, destinations={"THIRD": third.peer()}) as peer:

        def ask(port: int) -> None:
            where = ["THIRD"] if verb is move else []
            driver.run(verb(Peer(LOCALHOST, port, timeouts=QUICK), "study", *where, **options, **keys))

        with faulty_proxy(peer.port) as proxy:
            ask(proxy.port)
            length = proxy.passed[direction]

        def spoil(place: int) -> None:
            with faulty_proxy(peer.port, Fault(direction, **{fault: place})) as proxy:
                began = time.monotonic()
                with suppress(NetworkError):  # and no other error
                    ask(proxy.port)
                assert time.monotonic() - began < 5

        with ThreadPoolExecutor(8 if fault == "cut_after" else 64) as pool:
            list(pool.map(spoil, range(0, length, max(length // 50, 1))))
        assert driver.run(echo(Peer(LOCALHOST, peer.port))).category == "Success"


@both
def test_a_stream_in_single_bytes(driver, tmp_path):
    files = peers.small_instances(tmp_path / "in", slices=1, size=8)
    with (
        serving(driver, tmp_path / "out") as peer,
        faulty_proxy(peer.port, Fault(TO_SERVER, split=1), Fault(TO_CLIENT, split=1)) as proxy,
    ):
        assert len(driver.run(store(Peer(LOCALHOST, proxy.port), files)).stored) == 1


HOSTILE = {
    "nonsense": b"GET / HTTP/1.1\r\n\r\n",
    "a PDU of 4 GB": b"\x01\x00\xff\xff\xff\xff" + bytes(1000),
    "data before the request": b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x03ab",
    "two requests": REQUEST + REQUEST,
    "a context that was not proposed": REQUEST + b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x63\x03ab",
    "a command that is none": REQUEST + b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x03ab",
    "data of 4 GB": REQUEST + b"\x04\x00\xff\xff\xff\xff\xff\xff\xff\xfe\x01\x00" + bytes(1000),
    "a data set without command": REQUEST + b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x02ab",
    "an endless command": REQUEST + (b"\x04\x00\x00\x00\x40\x06\x00\x00\x40\x02\x01\x01" + bytes(0x4000)) * 8,
}


@both
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_requestor_is_cut_off(driver, what):
    with serving(driver, list, timeouts=QUICK) as peer:
        with socket.create_connection((LOCALHOST, peer.port)) as hostile:
            hostile.settimeout(5)
            try:
                hostile.sendall(HOSTILE[what])
                while hostile.recv(65536):
                    pass
            except ConnectionError:
                pass
        driver.run(echo(Peer(LOCALHOST, peer.port)))


@pytest.mark.parametrize("driver", DRIVERS[:1], ids=lambda driver: driver.name)
def test_random_bytes_never_bring_a_server_down(driver):
    provider = storage(list, timeouts=QUICK)
    with driver.serve(partial(provide, provider)) as port:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.booleans(), st.lists(st.tuples(st.integers(0, 8), st.binary(max_size=60)), max_size=4))
        def attack(with_request, pdus):
            data = REQUEST if with_request else b""
            data += b"".join(bytes((kind, 0)) + len(body).to_bytes(4, "big") + body for kind, body in pdus)
            with socket.create_connection((LOCALHOST, port)) as hostile:
                hostile.sendall(data)
                hostile.shutdown(socket.SHUT_WR)
                hostile.settimeout(5)
                try:
                    while hostile.recv(65536):
                        pass
                except ConnectionError:
                    pass

        attack()
        driver.run(echo(Peer(LOCALHOST, port)))


def test_a_bounded_fuzz_run_of_the_machine():
    dice = random.Random(1)
    valid = REQUEST + encode_pdu(AssociateRQ("A", "B", ()))
    for _ in range(3000):
        raw = bytearray(valid)
        for _ in range(dice.randrange(1, 6)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        connection = Connection(acceptor=True)
        position = 0
        while position < len(raw):
            size = dice.randrange(1, 80)
            connection.receive(bytes(raw[position : position + size]))
            position += size
        connection.take_output()
        assert 1 <= connection.state <= 13


ACCEPTED = encode_pdu(AssociateAC("US", "THEM", (ContextResult(1, 0, "1.2.840.10008.1.2"),)))
ANSWERS = {
    "nothing": b"",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a rejection with strange numbers": b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x07",
    "an abort": b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x06",
    "an acceptance of 4 GB": b"\x02\x00\xff\xff\xff\xff" + bytes(1000),
    "an acceptance of a context that was not proposed": encode_pdu(
        AssociateAC("US", "THEM", (ContextResult(99, 0, "1.2.840.10008.1.2"),))
    ),
    "a PDU of 4 GB": ACCEPTED + b"\x04\x00\xff\xff\xff\xff" + bytes(1000),
    "a value of 4 GB": ACCEPTED + b"\x04\x00\x00\x00\x10\x00\xff\xff\xff\xff\x01\x03" + bytes(4000),
    "a command without end": ACCEPTED + (b"\x04\x00\x00\x00\x40\x06\x00\x00\x40\x02\x01\x01" + bytes(0x4000)) * 8,
    "a request for release": ACCEPTED + encode_pdu(ReleaseRQ()),
    "an acceptance, and then nothing": ACCEPTED,
}


@both
@pytest.mark.parametrize("what", ANSWERS)
def test_a_peer_that_answers_something_else(driver, what):
    answer = ANSWERS[what]
    with socket.create_server((LOCALHOST, 0)) as listener, ThreadPoolExecutor(1) as pool:

        def respond() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(answer)
                sock.settimeout(2)
                try:
                    while sock.recv(65536):
                        pass
                except OSError:
                    pass

        pool.submit(respond)
        with pytest.raises(NetworkError):
            driver.run(echo(Peer(LOCALHOST, listener.getsockname()[1], timeouts=QUICK)))
