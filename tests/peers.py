"""Real peers on loopback, started on free ports and stopped after the test: DCMTK, Orthanc, pynetdicom; certificates.

Each server is a context manager that yields a `Server`; each client a function that returns a `Finished`. What isn't
installed skips the test with a reason that starts with "peer:", which DICOMKIT_REQUIRE_PEERS=1 turns into a failure.
A test module that wants the fixture `certificates` says ``certificates = peers.certificates``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

START_SECONDS = 20
RUN_SECONDS = 60
LOCALHOST = "127.0.0.1"
PLUGINS = Path("/usr/share/orthanc/plugins")


# ---- programs ------------------------------------------------------------------------------------------------------


@cache
def program(name: str) -> str | None:
    """Find a program that isn't a script of Python: pynetdicom has clients of the same names as DCMTK."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/sbin", "/usr/local/bin"]
    folders += map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    for folder in folders:
        found = shutil.which(name, path=folder)
        if found:
            with Path(found).open("rb") as file:
                if file.read(2) != b"#!":
                    return found
    return None


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip a test where one of the programs is missing; DICOMKIT_REQUIRE_PEERS=1 makes that a failure."""
    missing = [name for name in names if program(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"peer: {', '.join(missing)} not installed")


def required(name: str) -> str:
    """The path of a program; skips the test where it is missing."""
    return program(name) or pytest.skip(f"peer: {name} is not installed")


class Finished(NamedTuple):
    """A client that ran: what it returned, and all that it printed."""

    code: int
    output: str

    def check(self) -> Finished:
        """Fail the test where the client did."""
        assert self.code == 0, self.output[-4000:]
        return self


def run(name: str, *arguments: object, timeout: float = RUN_SECONDS, folder: Path | None = None) -> Finished:
    """Run a program to its end."""
    command = [required(name), *map(str, arguments)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout, cwd=folder
    )
    return Finished(done.returncode, done.stdout.decode("utf-8", "replace"))


# ---- certificates --------------------------------------------------------------------------------------------------


class Certificate(NamedTuple):
    """The PEM files of a certificate and its key, both in one PKCS#12 file, and its SHA-256 fingerprint."""

    certificate: Path
    key: Path
    pkcs12: Path
    fingerprint: str


class Certificates(NamedTuple):
    """A small authority, what it signed, and a client that another authority signed."""

    authority: Path
    server: Certificate
    client: Certificate
    stranger: Certificate
    password: str


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, a server for localhost, a client, and a client that a stranger signed."""
    x509 = pytest.importorskip("cryptography.x509")
    password = "secret"
    authority, authority_key = _signed(x509, "Test authority", None, None)
    strange, strange_key = _signed(x509, "Strange authority", None, None)
    written = {}
    for name, issuer, issuer_key in (
        ("server", authority, authority_key),
        ("client", authority, authority_key),
        ("stranger", strange, strange_key),
    ):
        written[name] = _write_certificate(folder, name, *_signed(x509, name, issuer, issuer_key), issuer, password)
    path = folder / "authority.crt"
    path.write_bytes(_pem(authority))
    return Certificates(path, written["server"], written["client"], written["stranger"], password)


def _signed(x509: Any, name: str, issuer: Any, issuer_key: Any) -> tuple[Any, Any]:
    """Make a certificate and its key; its own authority where there is no issuer."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - timedelta(hours=1)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address(LOCALHOST))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False
        )
    )
    if issuer is None:
        builder = builder.add_extension(_of_authority(x509), critical=True)
    else:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def _of_authority(x509: Any) -> Any:
    """What the key of an authority is for, which newer Pythons insist on."""
    off = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    unused = dict.fromkeys((*off, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **unused)


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_certificate(folder: Path, name: str, certificate: Any, key: Any, issuer: Any, password: str) -> Certificate:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    files = [folder / f"{name}.{kind}" for kind in ("crt", "key", "p12")]
    files[0].write_bytes(_pem(certificate))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    locked = serialization.BestAvailableEncryption(password.encode())
    files[2].write_bytes(pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, [issuer], locked))
    return Certificate(*files, certificate.fingerprint(hashes.SHA256()).hex())


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority and what it signed, made once."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


# ---- servers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A peer that listens."""

    port: int
    aet: str
    folder: Path
    pid: int = 0
    http_port: int = 0
    log_path: Path | None = None

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path else ""

    @property
    def url(self) -> str:
        """Where it speaks HTTP."""
        return f"http://{LOCALHOST}:{self.http_port}"

    def files(self) -> list[Path]:
        """The files in its folder, whole ones."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind((LOCALHOST, 0))
        return sock.getsockname()[1]


def is_listening(port: int) -> bool:
    """Whether somebody listens on a port; where the system tells it, without connecting."""
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    if tables[0].exists():
        lines = [line.split() for path in tables if path.exists() for line in path.read_text().splitlines()[1:]]
        return any(cells[3] == "0A" and int(cells[1].rpartition(":")[2], 16) == port for cells in lines)
    with socket.socket() as sock:
        return sock.connect_ex((LOCALHOST, port)) == 0


def wait_until(condition: Callable[[], bool], what: str = "it", seconds: float = START_SECONDS) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} took more than {seconds} s"
        time.sleep(0.02)


@contextmanager
def started(
    command: Sequence[object], ports: Sequence[int], folder: Path, **options: Any
) -> Iterator[tuple[int, Path]]:
    """Run a server until the end of the block, and all that it started; gives its pid and its log."""
    log_path = folder.parent / f"{folder.name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
    try:

        def ready() -> bool:
            if process.poll() is not None:
                pytest.fail(
                    f"{command[0]} ended with {process.returncode}: {log_path.read_text(errors='replace')[-4000:]}"
                )
            return all(map(is_listening, ports))

        wait_until(ready, str(command[0]))
        yield process.pid, log_path
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process that we started, and its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """A folder of one's own within a temporary one, or that which is given."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        inner = Path(folder) / "store"
        inner.mkdir()
        yield inner


def tls_options(certificates: Certificates | None, side: str = "server") -> list[object]:
    """What a program of DCMTK needs to speak TLS as one side, and to have the other side show a certificate."""
    if certificates is None:
        return []
    own = getattr(certificates, side)
    return ["+tls", own.key, own.certificate, "+cf", certificates.authority]


@contextmanager
def storescp(
    *options: object, folder: Path | None = None, aet: str = "STORESCP", tls: Certificates | None = None
) -> Iterator[Server]:
    """DCMTK's storescp: C-ECHO and C-STORE; options as ``"--ignore"``, ``"--max-pdu", 4096``, ``"--fork"``."""
    with _folder(folder) as output:
        port = free_port()
        command = [required("storescp"), "-v", "-aet", aet, "-od", output, *tls_options(tls), *options, port]
        with started(command, [port], output) as (pid, log):
            yield Server(port, aet, output, pid, log_path=log)


@contextmanager
def dcmqrscp(
    files: Iterable[Path] = (),
    *options: object,
    aet: str = "ARCHIVE",
    folder: Path | None = None,
    destinations: Mapping[str, int] | None = None,
    max_pdu: int = 16384,
) -> Iterator[Server]:
    """DCMTK's dcmqrscp with some files in it: C-ECHO, STORE, FIND, GET, and MOVE to AE titles on ports."""
    with _folder(folder) as storage:
        copies = []
        for number, path in enumerate(files):
            copies.append(storage / f"{number:05}.dcm")
            shutil.copy(path, copies[-1])
        for start in range(0, len(copies), 500):
            run("dcmqridx", storage, *copies[start : start + 500]).check()
        port = free_port()
        hosts = [
            f"host{number} = ({name}, localhost, {at})"
            for number, (name, at) in enumerate((destinations or {}).items())
        ]
        config = storage.parent / f"{storage.name}.cfg"
        config.write_text(
            "\n".join(
                [
                    f"NetworkTCPPort = {port}",
                    f"MaxPDUSize = {max_pdu}",
                    "MaxAssociations = 64",
                    "HostTable BEGIN",
                    *hosts,
                    "HostTable END",
                    "VendorTable BEGIN",
                    "VendorTable END",
                    "AETable BEGIN",
                    f"{aet} {storage} RW (10000, 10gb) ANY",
                    "AETable END",
                    "",
                ]
            )
        )
        command = [required("dcmqrscp"), "-v", "-c", config, *options]
        with started(command, [port], storage) as (pid, log):
            yield Server(port, aet, storage, pid, log_path=log)


@contextmanager
def wlmscpfs(items: Iterable[Any], *options: object, aet: str = "WORKLIST") -> Iterator[Server]:
    """DCMTK's wlmscpfs with items of a modality worklist, as pydicom data sets."""
    pydicom = pytest.importorskip("pydicom")
    with _folder(None) as folder:
        (folder / aet).mkdir()
        (folder / aet / "lockfile").touch()
        for number, item in enumerate(items):
            path = folder / aet / f"{number}.wl"
            item.file_meta = pydicom.dataset.FileMetaDataset()
            item.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            item.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"  # DCMTK's own, for such files
            item.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
            pydicom.dcmwrite(path, item, enforce_file_format=True)
        port = free_port()
        with started([required("wlmscpfs"), "-v", "-dfp", folder, *options, port], [port], folder) as (pid, log):
            yield Server(port, aet, folder, pid, log_path=log)


@contextmanager
def dcmprscp(*options: object, aet: str = "IHEFULL") -> Iterator[Server]:
    """DCMTK's dcmprscp: print management; its config file is ``folder/dcmpstat.cfg``."""
    with _folder(None) as folder:
        port = free_port()
        for name in ("spool", "database", "log", "lut", "reports"):
            (folder / name).mkdir()
        config = folder / "dcmpstat.cfg"
        config.write_text(_PRINTER.format(folder=folder, port=port, aet=aet, type="LOCALPRINTER", more=""))
        command = [required("dcmprscp"), "-v", "-c", config, "-p", aet, *options]
        with started(command, [port], folder, cwd=folder) as (pid, log):
            yield Server(port, aet, folder, pid, log_path=log)


_PRINTER = """\
[[GENERAL]]
[APPLICATION]
LogDirectory = {folder}/log
[PRINT]
Directory = {folder}/spool
DeletePrintJobs = false
[DATABASE]
Directory = {folder}/database
[LUT]
Directory = {folder}/lut
[REPORT]
Directory = {folder}/reports
[NETWORK]
aetitle = DCMPSTATE
[[COMMUNICATION]]
[{aet}]
Type = {type}
Hostname = localhost
Port = {port}
Aetitle = {aet}
DisableNewVRs = false
FilmDestination = MAGAZINE\\PROCESSOR
FilmSizeID = 8INX10IN\\14INX17IN
MagnificationType = REPLICATE\\BILINEAR
MaxPDU = 32768
MediumType = PAPER\\CLEAR FILM
ResolutionID = STANDARD
DisplayFormat = 1,1\\1,2\\2,2
Supports12Bit = true
SupportsImageSize = true
SupportsPresentationLUT = true
{more}"""


@contextmanager
def orthanc(
    *,
    aet: str = "ORTHANC",
    modalities: Mapping[str, int] | None = None,
    tls: Certificates | None = None,
    plugins: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Iterator[Server]:
    """Orthanc: all DIMSE-C services, storage commitment, REST; modalities are AE titles and their ports."""
    command = required("Orthanc")
    with _folder(None) as folder:
        port, http_port = free_port(), free_port()
        config: dict[str, Any] = {
            "Name": "peer",
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "StorageCompression": False,
            "HttpPort": http_port,
            "HttpServerEnabled": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomServerEnabled": True,
            "DicomAet": aet,
            "DicomPort": port,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {name: [name, LOCALHOST, at] for name, at in (modalities or {}).items()},
            "Plugins": [str(PLUGINS / name) for name in plugins],
            "StableAge": 1,
        }
        if tls is not None:
            config |= {
                "DicomTlsEnabled": True,
                "DicomTlsCertificate": str(tls.server.certificate),
                "DicomTlsPrivateKey": str(tls.server.key),
                "DicomTlsTrustedCertificates": str(tls.authority),
                "DicomTlsRemoteCertificateRequired": True,
            }
        config |= options or {}
        path = folder.parent / "orthanc.json"
        path.write_text(json.dumps(config))
        with started([command, path], [port, http_port], folder) as (pid, log):
            yield Server(port, aet, folder, pid, http_port, log)


def rest(server: Server, path: str, body: bytes | None = None, method: str | None = None) -> Any:
    """Ask Orthanc's REST interface."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(server.url + path, data=body, method=method)
    with opener.open(request, timeout=30) as reply:
        data = reply.read()
    return json.loads(data) if reply.headers.get_content_type() == "application/json" else data


def upload(server: Server, files: Iterable[Path]) -> None:
    """Put files into Orthanc without DIMSE."""
    for path in files:
        rest(server, "/instances", path.read_bytes())


# ---- pynetdicom ----------------------------------------------------------------------------------------------------


@dataclass
class PythonServer:
    """A pynetdicom AE in threads: where it listens, and what came."""

    port: int
    aet: str
    stored: list[Any] = field(default_factory=list)
    identities: list[Any] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


@contextmanager
def pynetdicom_scp(
    data_sets: Sequence[Any] = (),
    *,
    aet: str = "PYNETDICOM",
    handlers: Sequence[tuple[Any, Callable[..., Any]]] = (),
    contexts: Iterable[Any] | None = None,
    destinations: Mapping[str, int] | None = None,
    status: int = 0,
    tls: Any = None,
    configure: Callable[[Any], None] = lambda ae: None,
) -> Iterator[PythonServer]:
    """Echo, store, find, get and move over some pydicom data sets; ``handlers`` win over those that are there.

    ``status`` answers each C-STORE, ``tls`` is an ssl.SSLContext, ``configure`` gets the AE before it starts.
    """
    pynetdicom = pytest.importorskip("pynetdicom")
    evt, presentation = pynetdicom.evt, pynetdicom.presentation
    server = PythonServer(0, aet)

    def matches(identifier: Any) -> list[Any]:
        keys = [element for element in identifier if element.keyword.endswith("UID") and element.value]
        wanted = [(element.keyword, [element.value] if element.VM == 1 else list(element.value)) for element in keys]
        return [ds for ds in data_sets if all(ds.get(keyword) in values for keyword, values in wanted)]

    def handle_store(event: Any) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        server.stored.append(ds)
        return status

    def handle_find(event: Any) -> Iterator[tuple[int, Any]]:
        for ds in matches(event.identifier):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            yield 0xFF00, _only(ds, event.identifier)

    def handle_get(event: Any) -> Iterator[Any]:
        found = matches(event.identifier)
        yield len(found)
        for ds in found:
            if event.is_cancelled:
                yield 0xFE00, None
                return
            yield 0xFF00, ds

    def handle_move(event: Any) -> Iterator[Any]:
        port = (destinations or {}).get(event.move_destination)
        classes = {ds.SOPClassUID for ds in data_sets}
        yield (LOCALHOST, port, {"contexts": list(map(pynetdicom.build_context, classes))}) if port else (None, None)
        yield from handle_get(event)

    def handle_identity(event: Any) -> tuple[bool, bytes | None]:
        server.identities.append((event.user_id_type, event.primary_field, event.secondary_field))
        return True, b"welcome" if event.user_id_type > 2 else None

    ours = {
        evt.EVT_C_STORE: handle_store,
        evt.EVT_C_FIND: handle_find,
        evt.EVT_C_GET: handle_get,
        evt.EVT_C_MOVE: handle_move,
        evt.EVT_USER_ID: handle_identity,
        evt.EVT_ABORTED: lambda event: server.events.append("aborted"),
        evt.EVT_RELEASED: lambda event: server.events.append("released"),
    }
    ours.update(dict(handlers))
    ae = pynetdicom.AE(aet)
    ae.network_timeout = ae.dimse_timeout = ae.acse_timeout = 20
    every = pynetdicom.ALL_TRANSFER_SYNTAXES
    for context in presentation.AllStoragePresentationContexts if contexts is None else contexts:
        ae.add_supported_context(context.abstract_syntax, every, scu_role=True, scp_role=True)
    for context in [*presentation.QueryRetrievePresentationContexts, *presentation.VerificationPresentationContexts]:
        ae.add_supported_context(context.abstract_syntax)
    configure(ae)
    running = ae.start_server((LOCALHOST, 0), block=False, evt_handlers=list(ours.items()), ssl_context=tls)
    server.port = running.socket.getsockname()[1]
    try:
        yield server
    finally:
        running.shutdown()
        ae.shutdown()


def _only(ds: Any, identifier: Any) -> Any:
    """The elements of a data set that an identifier asks for."""
    from pydicom.dataset import Dataset

    answer = Dataset()
    for element in identifier:
        if element.keyword == "QueryRetrieveLevel":
            answer.QueryRetrieveLevel = element.value
        elif element.tag in ds:
            answer[element.tag] = ds[element.tag]
    return answer


# ---- clients of DCMTK ----------------------------------------------------------------------------------------------


def _client(name: str, port: int, options: Sequence[object], aec: str, aet: str, timeout: float) -> Finished:
    ahead = [option for option in options if not isinstance(option, Files)]
    files = [path for option in options if isinstance(option, Files) for path in option]
    return run(name, "-v", "-aet", aet, "-aec", aec, *ahead, LOCALHOST, port, *files, timeout=timeout)


class Files(tuple[Path, ...]):
    """Arguments that come after the port."""


def echoscu(
    port: int, *options: object, aec: str = "ANY-SCP", aet: str = "ECHOSCU", timeout: float = RUN_SECONDS
) -> Finished:
    """C-ECHO."""
    return _client("echoscu", port, options, aec, aet, timeout)


def storescu(
    port: int,
    files: Iterable[Path],
    *options: object,
    aec: str = "ANY-SCP",
    aet: str = "STORESCU",
    timeout: float = RUN_SECONDS,
) -> Finished:
    """C-STORE of files; ``"+sd"`` for folders, ``"-xs"`` and the like for what to propose."""
    return _client("storescu", port, [*options, Files(files)], aec, aet, timeout)


def findscu(
    port: int,
    keys: Iterable[str],
    *options: object,
    aec: str = "ANY-SCP",
    aet: str = "FINDSCU",
    timeout: float = RUN_SECONDS,
) -> Finished:
    """C-FIND with keys as ``"PatientName=A*"``; ``"-P"``, ``"-S"`` (default), ``"-W"`` tell the model."""
    model = [] if {"-P", "-S", "-O", "-W"} & {str(option) for option in options} else ["-S"]
    return _client("findscu", port, [*model, *options, *_keys(keys)], aec, aet, timeout)


def movescu(
    port: int,
    keys: Iterable[str],
    destination: str,
    *options: object,
    aec: str = "ANY-SCP",
    aet: str = "MOVESCU",
    timeout: float = RUN_SECONDS,
) -> Finished:
    """C-MOVE to an AE title; ``"+P", port, "-od", folder`` receives within movescu."""
    return _client("movescu", port, ["-S", *options, "-aem", destination, *_keys(keys)], aec, aet, timeout)


def getscu(
    port: int,
    keys: Iterable[str],
    folder: Path,
    *options: object,
    aec: str = "ANY-SCP",
    aet: str = "GETSCU",
    timeout: float = RUN_SECONDS,
) -> Finished:
    """C-GET into a folder."""
    return _client("getscu", port, ["-S", *options, "-od", folder, *_keys(keys)], aec, aet, timeout)


def termscu(
    port: int, *options: object, aec: str = "ANY-SCP", aet: str = "TERMSCU", timeout: float = RUN_SECONDS
) -> Finished:
    """DCMTK's private shutdown request."""
    return _client("termscu", port, options, aec, aet, timeout)


def dcmprscu(
    port: int,
    files: Iterable[Path],
    folder: Path,
    *options: object,
    job: Iterable[object] = (),
    more: str = "",
    aec: str = "ANY-SCP",
    timeout: float = RUN_SECONDS,
) -> Finished:
    """Print images: dcmpsprt makes a print job of files, with ``job`` options, and dcmprscu prints it.

    ``more`` are lines for the printer in the config file, such as ``Annotation = 1\\LABEL``.
    """
    for name in ("spool", "database", "log", "lut", "reports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config = folder / "dcmpstat.cfg"
    config.write_text(_PRINTER.format(folder=folder, port=port, aet=aec, type="PRINTER", more=more))
    run("dcmpsprt", "-v", "-c", config, "-p", aec, *job, *files, timeout=timeout, folder=folder).check()
    jobs = sorted((folder / "database").glob("SP_*.dcm"))
    return run("dcmprscu", "-v", "-c", config, "-p", aec, *options, *jobs, timeout=timeout, folder=folder)


def _keys(keys: Iterable[str]) -> list[str]:
    return [part for key in keys for part in ("-k", key)]


def output_of(name: str, *arguments: object) -> str:
    """What a program prints that must succeed."""
    return run(name, *arguments).check().output


# ---- files ---------------------------------------------------------------------------------------------------------


def small_instances(folder: Path, *, patients: int = 1, slices: int = 3, size: int = 16) -> list[Path]:
    """Write small CT slices, one study of one series a patient; equal calls write equal files."""
    from dicomkit.samples import ct_series, write_series

    written: list[Path] = []
    for seed in range(patients):
        written += write_series(ct_series(slices, size, seed=seed), folder / f"patient{seed}")
    return written


# ---- databases -----------------------------------------------------------------------------------------------------


@contextmanager
def postgres() -> Iterator[Server]:
    """A PostgreSQL server with an empty database, ``postgresql+psycopg://dicomkit@127.0.0.1:PORT/postgres``.

    It refuses to run as root: then it runs as the user of its package, or as nobody.
    """
    make, serve = required("initdb"), required("postgres")
    options: dict[str, Any] = {}
    with _folder(None) as folder:
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            import pwd

            users = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = users.get("postgres") or users["nobody"]
            options = {"user": user.pw_uid, "group": user.pw_gid}
            for owned in (folder.parent, folder):
                os.chown(owned, user.pw_uid, user.pw_gid)
        data = folder / "data"
        line = [make, "-D", data, "-U", "dicomkit", "--auth=trust", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync"]
        done = subprocess.run([str(part) for part in line], capture_output=True, text=True, cwd=folder, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        port = free_port()
        quick = ["-c", "fsync=off", "-c", "unix_socket_directories="]
        command = [serve, "-D", data, "-h", LOCALHOST, "-p", port, *quick]
        with started(command, [port], folder, cwd=folder, **options) as (pid, log):
            yield Server(port, "", folder, pid, log_path=log)
