"""Sending, receiving and asking over loopback, against DCMTK's programs and pynetdicom; every server is a process."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peers import dk, pydicom
from timing import Case, Goal

from dicomkit.archive import FolderArchive
from dicomkit.dimse.commands import command, encode_command
from dicomkit.dimse.messages import message_buffers
from dicomkit.dimse.negotiation import Proposal
from dicomkit.dimse.pdu import AssociateRQ
from dicomkit.dimse.pdu_bytes import encode_pdu

HOST = "127.0.0.1"
_VERIFICATION, _CT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"
_OURS = """
import sys, time, dicomkit as dk
archive = dk.FolderArchive(sys.argv[1], duplicates="replace")
server = dk.serve_dimse(archive, ae="ARCHIVE", port=int(sys.argv[2]), most_associations=None)
time.sleep(3600)
"""
_PYNETDICOM = """
import sys
from pathlib import Path
from pynetdicom import AE, AllStoragePresentationContexts, evt
folder = Path(sys.argv[1])
def store(event):
    with open(folder / event.request.AffectedSOPInstanceUID, "wb") as file:
        file.write(event.encoded_dataset())
    return 0
ae = AE()
ae.supported_contexts = AllStoragePresentationContexts
ae.add_supported_context("1.2.840.10008.1.1")
ae.start_server(("127.0.0.1", int(sys.argv[2])), evt_handlers=[(evt.EVT_C_STORE, store)])
"""
_QRSCP = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ARCHIVE {folder} RW (2000, 4096mb) ANY
AETable END
"""


def _program(name: str) -> str | None:
    """Find a program of DCMTK; the scripts of the same names that pynetdicom installs are none."""
    for folder in os.environ["PATH"].split(os.pathsep):
        path = shutil.which(name, path=folder)
        if path and Path(path).read_bytes()[:2] != b"#!":
            return path
    return None


@contextmanager
def _server(command: list[object], port: int, **environment: str) -> Iterator[int]:
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket() as sock:
                if sock.connect_ex((HOST, port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def _port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def _ours(port: int, files: list[Path]) -> Callable[[], object]:
    def store() -> object:
        report = dk.store(dk.Peer(HOST, port, "ARCHIVE"), files)
        report.raise_for_failures()
        return report

    return store


def _storescu(port: int, files: list[Path], **environment: str) -> Callable[[], object]:
    line = [_program("storescu"), "-R", "-aec", "ARCHIVE", HOST, str(port), *map(str, files)]
    return lambda: subprocess.run(line, check=True, env={**os.environ, **environment}, capture_output=True)


def _emptying(folder: Path) -> Callable[[], object]:
    """Delete the files of a folder, and let the disk come to rest: ext4 is slow to give new ones after that."""

    def work() -> None:
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                path.unlink()
        os.sync()

    return work


def _pynetdicom(port: int, files: list[Path]) -> Callable[[], object]:
    from pynetdicom import AE

    def store() -> None:
        ae = AE()
        ae.add_requested_context(_CT, "1.2.840.10008.1.2.1")
        association = ae.associate(HOST, port)
        for path in files:
            if association.send_c_store(pydicom.dcmread(path)).Status:
                raise OSError(path)
        association.release()

    return store


def _raw_echo(port: int) -> Callable[[], object]:
    """Associate, echo and release over a bare socket, which costs the client next to nothing."""
    request = encode_pdu(AssociateRQ("ARCHIVE", "BENCH", Proposal.of(_VERIFICATION).contexts))
    echo = encode_command(command("C-ECHO-RQ", MessageID=1, AffectedSOPClassUID=_VERIFICATION))
    message = b"".join(bytes(part) for parts in message_buffers(1, echo, None, 16384) for part in parts)
    release = struct.pack(">BxII", 5, 4, 0)

    def exchange() -> None:
        with socket.create_connection((HOST, port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in (request, message, release):
                sock.sendall(part)
                if hasattr(socket, "TCP_QUICKACK"):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                sock.recv(65536)

    return exchange


def cases(files: list[Path], folder: Path) -> Iterator[Case]:
    """Make the cases; the servers of each run until the next is asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    yield from _sending(files)
    yield from _receiving(files, folder)
    yield from _both(files[:100], folder)
    yield from _finding(files[0], folder)
    yield from _associating(folder)


def _sending(files: list[Path]) -> Iterator[Case]:
    scp, quick = _program("storescp"), {"TCP_NODELAY": "1"}
    with _server([scp, "--ignore", port := _port()], port, **quick):
        yield Case(
            f"Send {len(files)} slices to storescp --ignore",
            {"dicomkit": _ours(port, files), "storescu": _storescu(port, files, **quick)},
            (Goal("storescu", 1.5),),
            reference="storescu",
            note="both of DCMTK's programs with TCP_NODELAY=1",
        )
    few = files[:40]
    with _server([scp, "--ignore", port := _port()], port):
        yield Case(
            f"Send {len(few)} slices to storescp --ignore, as they come",
            {"dicomkit": _ours(port, few), "storescu": _storescu(port, few)},
            (Goal("storescu", 50),),
            reference="storescu",
            rounds=3,
            note="DCMTK's programs without TCP_NODELAY",
        )


def _receiving(files: list[Path], folder: Path) -> Iterator[Case]:
    quick = {"TCP_NODELAY": "1"}
    places = [folder / name for name in ("dicomkit", "storescp", "pynetdicom")]
    for place in places:
        place.mkdir(exist_ok=True)
    ports = [_port() for _ in places]
    with (
        _server([sys.executable, "-c", _OURS, places[0], ports[0]], ports[0]),
        _server([_program("storescp"), "-od", places[1], ports[1]], ports[1], **quick),
        _server([sys.executable, "-c", _PYNETDICOM, places[2], ports[2]], ports[2]),
    ):
        yield Case(
            f"Receive {len(files)} slices from storescu, to disk",
            {place.name: _storescu(port, files, **quick) for place, port in zip(places, ports, strict=True)},
            (Goal("storescp", 1), Goal("pynetdicom", 4)),
            reference="storescp",
            rounds=5,
            note="into an empty folder, in all; dicomkit also indexes what it stores",
            before={place.name: _emptying(place) for place in places},
        )


def _both(files: list[Path], folder: Path) -> Iterator[Case]:
    places = [folder / "dicomkit", folder / "pynetdicom"]
    ports = [_port() for _ in places]
    with (
        _server([sys.executable, "-c", _OURS, places[0], ports[0]], ports[0]),
        _server([sys.executable, "-c", _PYNETDICOM, places[1], ports[1]], ports[1]),
    ):
        yield Case(
            f"Send {len(files)} slices to a server of one's own, to disk",
            {
                "dicomkit": _ours(ports[0], files),
                "pynetdicom": _pynetdicom(ports[1], files),
            },
            (Goal("pynetdicom", 8),),
            reference="pynetdicom",
            rounds=5,
            before={place.name: _emptying(place) for place in places},
        )


def _finding(path: Path, folder: Path, count: int = 1000) -> Iterator[Case]:
    base = dk.read(path).drop("PixelData")
    source, ours, theirs = folder / "small", folder / "archive", folder / "dcmqrscp"
    for place in (source, ours, theirs):
        place.mkdir(exist_ok=True)
    copies = []
    for number in range(count):
        copies.append(theirs / f"{number:04}.dcm")
        dk.write(base.assign(SOPInstanceUID=f"2.25.{number + 1}", InstanceNumber=number), copies[-1])
    with FolderArchive(ours) as archive:
        for copy in copies:
            archive.store(copy)
    for start in range(0, count, 500):
        subprocess.run([_program("dcmqridx"), theirs, *copies[start : start + 500]], check=True, capture_output=True)
    ports = [_port(), _port()]
    config = folder / "qr.cfg"
    config.write_text(_QRSCP.format(port=ports[1], folder=theirs))
    keys = {"StudyInstanceUID": base.StudyInstanceUID, "SeriesInstanceUID": base.SeriesInstanceUID}

    def asking(port: int) -> Callable[[], object]:
        def find() -> object:
            found = dk.find(dk.Peer(HOST, port, "ARCHIVE"), "image", **keys)
            if len(found) != count:
                raise ValueError(f"{len(found)} answers")
            return found

        return find

    with (
        _server([sys.executable, "-c", _OURS, ours, ports[0]], ports[0]),
        _server([_program("dcmqrscp"), "-c", config], ports[1], TCP_NODELAY="1"),
    ):
        yield Case(
            f"C-FIND of {count:,} instances",
            {"dicomkit": asking(ports[0]), "dcmqrscp": asking(ports[1])},
            (Goal("dcmqrscp", 1),),
            reference="dcmqrscp",
            note="the user is dicomkit in both",
        )


def _associating(folder: Path) -> Iterator[Case]:
    ports = [_port() for _ in range(3)]
    with (
        _server([sys.executable, "-c", _OURS, folder / "dicomkit", ports[0]], ports[0]),
        _server([_program("storescp"), "--ignore", ports[1]], ports[1], TCP_NODELAY="1"),
        _server([sys.executable, "-c", _PYNETDICOM, folder / "pynetdicom", ports[2]], ports[2]),
    ):
        yield Case(
            "Associate, echo and release",
            {name: _raw_echo(port) for name, port in zip(("dicomkit", "storescp", "pynetdicom"), ports, strict=True)},
            (Goal("storescp", 0.5),),
            reference="storescp",
            note="the user is a bare socket in all",
        )
        peer = dk.Peer(HOST, ports[0], "ARCHIVE")

        def pooled() -> Callable[[], Any]:
            pool = dk.dimse.Pool(peer)
            return lambda: dk.echo(pool)

        yield Case(
            "Echo",
            {"dicomkit": pooled(), "a new association each time": lambda: dk.echo(peer)},
            (),
            reference="a new association each time",
            note="dicomkit is over a pool of associations",
        )
