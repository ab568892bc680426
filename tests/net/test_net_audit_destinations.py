"""Where audit messages go: files that rotate, syslog by UDP and TLS, a queue in between; broken ones break nothing."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import peers
import pytest
from audit_schema import examples, needs_schema, why_invalid

import dicomkit as dk
from dicomkit.errors import DicomError, ReadError, SourceError
from dicomkit.net import tls
from dicomkit.net.audit import (
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    SopClassInstances,
    audit_file,
    audit_from_json,
    audit_message,
    audit_record,
    audit_syslog,
    audit_table,
    audit_to_json,
    audit_trail,
    in_background,
    only,
    patient_object,
    read_audit,
    study_object,
    syslog_message,
    this_process,
)
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import Event

certificates = peers.certificates
EXAMPLES = examples()
ALERT = Event("connection failed", peer="PACS@10.0.0.7:104", data={"error": "refused"})
HEADER = re.compile(
    rb"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (\S+) (\S+) (\S+) (\S+) - \xef\xbb\xbf(<\?xml.*)", re.S
)


def xml_of(datagram: bytes) -> bytes:
    """The XML of a syslog message whose header is as RFC 5424 and PS3.15 A.6 want it."""
    found = HEADER.fullmatch(datagram)
    assert found, datagram[:200]
    assert found[1] in (b"85", b"84")
    assert found[6] == b"DICOM+RFC3881"
    return found[7]


# ---- files ---------------------------------------------------------------------------------------------------------


def test_a_file_has_a_line_for_each_message(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with audit_trail(audit_file(path)) as trail:
        for message in EXAMPLES.values():
            trail.record(message)
    lines = path.read_bytes().splitlines()
    wanted = [message for kind, message in EXAMPLES.items() if kind != "BeginTransferringDicomInstances"]
    assert [audit_from_json(line) for line in lines] == wanted
    assert list(read_audit(path)) == wanted


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_nobody_else_may_read_a_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with audit_trail(audit_file(path, max_bytes=2000, keep=2)) as trail:
        for _ in range(6):
            trail(ALERT)
    assert len(list(tmp_path.iterdir())) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_files_rotate_by_size_and_the_oldest_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with audit_trail(audit_file(path, max_bytes=20_000, keep=3)) as trail:
        for number in range(200):
            trail.record(numbered(number))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["audit.jsonl", *(f"audit.jsonl.{number}" for number in (1, 2, 3))]
    assert max(file.stat().st_size for file in files) <= 20_000
    numbers = [int(message.participants[0].user_id) for message in read_audit(path)]
    assert numbers == list(range(numbers[0], 200))
    assert len(numbers) > 50
    current = list(read_audit(path, rotated=False))
    assert audit_table(path, rotated=False)["user"].tolist() == [str(number) for number in numbers[-len(current) :]]


def numbered(number: int) -> AuditMessage:
    return audit_message("NetworkEntry", [ActiveParticipant(str(number))], AuditSource("sonic"), type="110124")


def test_files_rotate_by_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    handler = audit_file(path, when="S", keep=2)
    with audit_trail(handler) as trail:
        for number in range(5):
            trail.record(numbered(number))
            handler.rolloverAt = int(time.time()) - 1 - number  # type: ignore[attr-defined]
            for old in tmp_path.glob("audit.jsonl.*"):  # names have a resolution of a second
                with suppress(FileExistsError):
                    old.rename(tmp_path / f"audit.jsonl.2026-01-0{number + 1}_00-00-00")
    assert len(list(tmp_path.iterdir())) <= 4
    numbers = [int(message.participants[0].user_id) for message in read_audit(path)]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 4


def test_a_line_that_a_crash_tore_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    whole = audit_to_json(EXAMPLES["Query"])
    path.write_text(whole + "\n" + whole[:100])
    with audit_trail(audit_file(path)) as trail:
        trail(ALERT)
    lines = path.read_text().splitlines()
    assert [line[:100] for line in lines[:2]] == [whole[:100]] * 2
    assert audit_from_json(lines[2]).kind == "SecurityAlert"
    table = audit_table(path)
    assert table["event"].tolist() == ["Query", "Security Alert"]
    [unread] = table.attrs["unread"]
    assert "line 2" in unread
    with pytest.raises(ReadError, match="line 2"):
        list(read_audit(path))


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        audit_table(tmp_path / "none.jsonl")


def test_any_handler_of_the_standard_library_will_do(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "plain.log")
    with audit_trail(handler) as trail:
        trail(ALERT)
    assert (tmp_path / "plain.log").read_text() == "Security Alert: minor failure\n"


# ---- syslog --------------------------------------------------------------------------------------------------------


@contextmanager
def udp_receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


@needs_schema
def test_udp_carries_every_kind() -> None:
    with udp_receiver() as receiver:
        port = receiver.getsockname()[1]
        with audit_trail(audit_syslog("127.0.0.1", port), kinds=list(EXAMPLES)) as trail:
            for message in EXAMPLES.values():
                trail.record(message)
                assert why_invalid(xml_of(receiver.recv(65536))) == ""
    assert trail.failures == 0
    assert trail.counts == dict.fromkeys(EXAMPLES, 1)


@needs_schema
def test_a_message_that_no_datagram_holds_loses_its_lists_and_keeps_its_counts() -> None:
    uids = tuple(f"1.2.840.{number:050}" for number in range(3000))
    study = study_object("1.2.3", [SopClassInstances("1.2.840.10008.5.1.4.1.1.2", 3000, uids)])
    message = audit_message("DicomStudyDeleted", [this_process()], AuditSource("x"), [study, patient_object("A1")])
    with udp_receiver() as receiver:
        port = receiver.getsockname()[1]
        with audit_trail(audit_syslog("127.0.0.1", port)) as trail:
            trail.record(message)
            xml = xml_of(receiver.recv(65536))
    assert trail.failures == 0
    assert b'NumberOfInstances="3000"' in xml
    assert b"<Instance" not in xml
    assert why_invalid(xml) == ""


def test_what_the_header_can_not_hold_is_replaced() -> None:
    data = syslog_message(EXAMPLES["Query"], host="ho st\n<13>1", app_name="ä" * 100, process_id=" ", msgid="")
    assert data.startswith(b"<85>1 ")
    assert data.partition(b"Z ")[2].startswith(b"ho_st_<13>1 " + b"_" * 48 + b" _ - - \xef\xbb\xbf<?xml")


@dataclass
class TlsReceiver:
    """A server that takes frames of RFC 5425, and can be told to drop its connections."""

    port: int
    frames: list[bytes] = field(default_factory=list)
    connections: list[ssl.SSLSocket] = field(default_factory=list)

    def drop(self) -> None:
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.connections.clear()


def read_frames(stream: ssl.SSLSocket, receiver: TlsReceiver) -> None:
    file = stream.makefile("rb")
    with suppress(OSError, ValueError):
        while length := b"".join(iter(lambda: file.read(1), b" ")) if not stream._closed else b"":  # type: ignore[attr-defined]
            receiver.frames.append(file.read(int(length)))


@contextmanager
def tls_receiver(certificates: peers.Certificates, port: int = 0) -> Iterator[TlsReceiver]:
    secure = tls.server(
        certificates.server.certificate, certificates.server.key, client_authorities=certificates.authority
    )
    listener = socket.create_server(("127.0.0.1", port))
    receiver = TlsReceiver(listener.getsockname()[1])

    def accept() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with suppress(OSError):
                    stream = secure.context.wrap_socket(plain, server_side=True)
                    receiver.connections.append(stream)
                    threading.Thread(target=read_frames, args=(stream, receiver), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        receiver.drop()
        thread.join(5)


def known_client(certificates: peers.Certificates) -> tls.Secure:
    return tls.client(
        authorities=certificates.authority,
        certificate=certificates.client.certificate,
        key=certificates.client.key,
    )


@needs_schema
def test_tls_carries_every_kind(certificates: peers.Certificates) -> None:
    with tls_receiver(certificates) as receiver:
        handler = audit_syslog("127.0.0.1", receiver.port, tls=known_client(certificates))
        with audit_trail(handler, kinds=list(EXAMPLES)) as trail:
            for message in EXAMPLES.values():
                trail.record(message)
            peers.wait_until(lambda: len(receiver.frames) == len(EXAMPLES), "all frames", 10)
        assert len(receiver.connections) == 1
    assert trail.failures == 0
    assert [why_invalid(xml_of(frame)) for frame in receiver.frames] == [""] * len(EXAMPLES)


def test_tls_connects_again_where_the_server_hung_up(certificates: peers.Certificates) -> None:
    with (
        tls_receiver(certificates) as receiver,
        audit_trail(audit_syslog("127.0.0.1", receiver.port, tls=known_client(certificates))) as trail,
    ):
        for number in range(3):
            trail(ALERT)
            peers.wait_until(lambda so_far=number: len(receiver.frames) > so_far, "a frame", 10)
            receiver.drop()
            time.sleep(0.05)
    assert trail.failures == 0
    assert len(receiver.frames) == 3


def test_tls_does_not_talk_to_strangers(certificates: peers.Certificates, caplog: pytest.LogCaptureFixture) -> None:
    with tls_receiver(certificates) as receiver:
        pinned = tls.client(pins=["ab" * 32])
        with audit_trail(audit_syslog("127.0.0.1", receiver.port, tls=pinned)) as trail:
            trail(ALERT)
        assert receiver.frames == []
    assert trail.failures == 1
    assert "fingerprint" in caplog.text


# ---- what is broken ------------------------------------------------------------------------------------------------


def broken_destinations(folder: Path) -> list[logging.Handler]:
    (folder / "folder").mkdir()
    return [
        audit_file(folder / "folder"),
        audit_file(folder / "none" / "audit.jsonl"),
        audit_syslog("127.0.0.1", peers.free_port(), tls=tls.client(), timeout=1),
        audit_syslog("host.invalid", 514, timeout=1),
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_broken_destination_is_seen_and_breaks_no_transfer(
    tmp_path: Path, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[AuditMessage] = []
    handler = broken_destinations(tmp_path)[number]
    with dk.serve_dimse(dk.MemoryArchive(), port=0) as server, audit_trail(handler, kept.append) as trail:
        for _ in range(2):
            report = dk.store(server.peer(), dk.samples.ct_series(2, 8), on_event=trail)
            assert len(report.stored) == 2
    assert len(kept) == 2
    assert trail.failures >= 2
    assert caplog.text.count("an audit destination failed") == 1


def test_a_broken_function_breaks_no_transfer(caplog: pytest.LogCaptureFixture) -> None:
    def fail(message: AuditMessage) -> None:
        raise RuntimeError("no ink")

    trail = audit_trail(fail)
    trail(ALERT)
    trail(ALERT)
    assert trail.failures == 2
    assert caplog.text.count("no ink") == 1


class Slow(logging.Handler):
    """Takes nothing until it is let go, and fails so many times first."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.free, self.failures, self.taken = threading.Event(), failures, list[AuditMessage]()

    def emit(self, record: logging.LogRecord) -> None:
        self.free.wait(10)
        if self.failures:
            self.failures -= 1
            raise NetworkError("not yet")
        self.taken.append(record.__dict__["audit_message"])


def test_nobody_waits_for_what_works_in_the_background() -> None:
    slow = Slow()
    background = in_background(slow)
    with audit_trail(background) as trail:
        for _ in range(20):
            trail(ALERT)
        assert slow.taken == []
        assert background.waiting == 20
        slow.free.set()
    assert len(slow.taken) == 20
    assert (background.waiting, background.dropped, trail.failures) == (0, 0, 0)


def test_the_queue_is_bounded_and_tells_what_it_drops(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    background = in_background(slow, most=5)
    trail = audit_trail(background)
    for _ in range(20):
        trail(ALERT)
    assert background.dropped >= 14
    assert trail.failures == background.dropped
    assert "wait for" in caplog.text
    slow.free.set()
    trail.close()
    assert len(slow.taken) + background.dropped == 20


def test_what_is_not_taken_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow(failures=3)
    slow.free.set()
    background = in_background(slow, retry_after=0.01)
    with audit_trail(background) as trail:
        for number in range(4):
            trail.record(numbered(number))
    assert [message.participants[0].user_id for message in slow.taken] == ["0", "1", "2", "3"]
    assert background.failures == 3
    assert caplog.text.count("not yet") == 1


def test_a_handler_that_is_closed_says_what_it_could_not_hand_on(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow(failures=1_000_000)
    slow.free.set()
    background = in_background(slow, retry_after=0.01, patience=0.1)
    for number in range(3):
        background.handle(audit_record(numbered(number)))
    background.close()
    assert background.dropped == 3
    assert "3 audit messages were not taken" in caplog.text


def test_syslog_in_the_background_outlives_a_restart_of_the_server(certificates: peers.Certificates) -> None:
    port = peers.free_port()
    handler = audit_syslog("127.0.0.1", port, tls=known_client(certificates), timeout=5)
    background = in_background(handler, retry_after=0.05)
    with audit_trail(background) as trail:
        trail(ALERT)
        peers.wait_until(lambda: background.failures > 1, "two failures", 10)
        with tls_receiver(certificates, port) as receiver:
            peers.wait_until(lambda: len(receiver.frames) == 1, "the message", 10)
    assert background.dropped == 0


def test_only_some_kinds_go_to_a_destination(tmp_path: Path) -> None:
    alerts: list[AuditMessage] = []
    path = tmp_path / "queries.jsonl"
    with audit_trail(only(["Security Alert"], alerts.append), only(["Query"], audit_file(path))) as trail:
        for message in EXAMPLES.values():
            trail.record(message)
    assert [message.kind for message in alerts] == ["SecurityAlert"]
    assert [message.kind for message in read_audit(path)] == ["Query"]
    with pytest.raises(DicomError):
        only(["Gossip"], alerts.append)


# ---- hostile text --------------------------------------------------------------------------------------------------

HOSTILE = [
    '\n{"EventIdentification": "forged"}\n',
    '"/><EventIdentification/><x y="',
    "]]></AuditMessage><AuditMessage>",
    "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>&a;",
    "\r\n<85>1 2026-01-01T00:00:00Z x y z - - forged",
    "\x00\x01\x1b[2J\x7f\x85\u2028\u202e\ufeff\ufffe\uffff",
    "\udfff\ud800 lone",
    "A" * 1_000_000,
    "\\n\\x00\\",
    " \t ",
]


@needs_schema
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_forges_nothing(tmp_path: Path, text: str) -> None:
    message = audit_message(
        "DicomStudyDeleted",
        [ActiveParticipant(text, True, alternative_user_id=text, user_name=text, access_point=text)],
        AuditSource(text, site=text),
        [
            study_object(text, [SopClassInstances(text, 1, (text,))], accessions=[text]),
            patient_object(text, text),
        ],
        description=text,
    )
    path = tmp_path / "audit.jsonl"
    with udp_receiver() as receiver:
        port = receiver.getsockname()[1]
        with audit_trail(audit_file(path), audit_syslog("127.0.0.1", port)) as trail:
            trail.record(message)
            datagram = receiver.recv(65536)
    assert trail.failures == 0
    assert path.read_bytes().count(b"\n") == 1
    assert list(read_audit(path)) == [message]
    xml = xml_of(datagram)
    assert why_invalid(xml) == ""
    assert xml.count(b"<AuditMessage>") == xml.count(b"<EventIdentification ") == 1
    assert b"<!DOCTYPE" not in xml
    assert b"\n" not in datagram
    assert not re.search(rb"[\x00-\x1f\x7f]", datagram)


def test_hostile_text_of_a_peer_ends_bounded_and_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    name = "=" + "X" * 40 + "^\u202eevil\u2028"
    ds = dk.samples.ct_series(1, 8)[0].assign(PatientName=name, SpecificCharacterSet="ISO_IR 192")
    with dk.serve_dimse(dk.MemoryArchive(), port=0) as server, audit_trail(audit_file(path)) as trail:
        dk.store(server.peer(calling_aet='A"<&>'), ds, on_event=trail)
    lines = path.read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["ParticipantObjectIdentification"][1]["ParticipantObjectName"] == name
    assert max(map(len, lines)) < 4000


# ---- tables --------------------------------------------------------------------------------------------------------


def test_a_table_tells_who_did_what(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    series = dk.samples.ct_series(3, 8)
    with (
        dk.serve_dimse(dk.MemoryArchive(), ae="PACS", port=0) as server,
        audit_trail(audit_file(path), source="test", user="jane") as trail,
    ):
        dk.store(server.peer(), series, on_event=trail)
        dk.find(server.peer(), "study", PatientName="*", on_event=trail).to_table()
        with suppress(NetworkError):
            dk.echo(dk.Peer("127.0.0.1", peers.free_port(), "GONE"), on_event=trail)
    table = audit_table(path)
    assert table["event"].tolist() == ["DICOM Instances Transferred", "Query", "Security Alert"]
    assert table["outcome"].tolist() == ["success", "success", "minor failure"]
    first = table.iloc[0]
    assert (first["user"], first["requestor"], first["reporter"]) == ("jane", "jane", "test")
    assert first["source"].startswith("DICOMKIT ")
    assert first["destination"] == "PACS 127.0.0.1"
    assert table["peer"].tolist() == ["PACS 127.0.0.1", "PACS 127.0.0.1", "GONE 127.0.0.1"]
    assert (first["study"], first["patient_id"]) == (series[0].StudyInstanceUID, series[0].PatientID)
    assert (first["instances"], first["sop_class"]) == (3, series[0].SOPClassUID)
    assert str(table["time"].dtype).endswith("UTC]")
    assert table.loc[1, "sop_class"] == "1.2.840.10008.5.1.4.1.2.2.1"
    assert table["instances"].isna().tolist() == [False, True, True]
    assert audit_table([]).empty
