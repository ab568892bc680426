"""The arguments of the commands that talk to DICOM peers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

EXAMPLES = """  dicomkit echo PACS@pacs.local:104                    whether a peer is there, or --explain what it takes
  dicomkit find PACS@pacs.local:104 study PatientID=A-17 StudyDate=20240101-
  dicomkit get PACS@pacs.local:104 series SeriesInstanceUID=1.2.3 --into ct/
  dicomkit move PACS@pacs.local:104 study StudyInstanceUID=1.2.3 --to WORKSTATION
  dicomkit store PACS@pacs.local:104 ct/               sends files and folders
  dicomkit commit PACS@pacs.local:104 ct/ --port 11113 asks it to keep them, and waits for its report
"""
_LEVELS = ("patient", "study", "series", "image")
_OUT = "write the table to a .csv, .parquet or .json file"


def add_network(commands: Any) -> None:
    """Add the commands of a user and of a provider of DICOM networking."""
    echo = with_peer(commands.add_parser("echo", help="ask a peer whether it is there"))
    echo.add_argument("--explain", action="store_true", help="list which services and transfer syntaxes it takes")

    find = _query(with_peer(commands.add_parser("find", help="list what a peer has")))
    find.add_argument(
        "--return", dest="returning", nargs="+", metavar="KEYWORD", help="attributes to ask for, instead of the usual"
    )
    find.add_argument("--limit", type=int, metavar="N", help="matches after which the peer is asked to stop")
    find.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    find.add_argument("--out", metavar="FILE", help=_OUT)

    get = _query(
        with_peer(commands.add_parser("get", help="retrieve instances over the association that asks (C-GET)"))
    )
    get.add_argument("--into", required=True, metavar="FOLDER", help="where the files go, called after their UIDs")

    move = _query(
        with_peer(commands.add_parser("move", help="let a peer send instances to another one, or here (C-MOVE)"))
    )
    move.add_argument("--to", metavar="AET", help="AE title, known to the peer, of the one that they go to")
    move.add_argument("--into", metavar="FOLDER", help="receive them here, as --calling, which the peer has to know")
    move.add_argument("--listen", default="127.0.0.1", metavar="HOST", help="address to receive on; 0.0.0.0 for all")
    move.add_argument("--port", type=int, default=0, metavar="N", help="port to receive on (default: any free one)")

    store = with_peer(commands.add_parser("store", help="send files and folders to a peer"))
    store.add_argument("where", nargs="+", metavar="FILE", help="files, folders, zip archives or glob patterns")
    store.add_argument("--as-is", action="store_true", help="convert nothing that the peer doesn't take as it is")
    store.add_argument(
        "--transfer-syntax", nargs="+", default=[], metavar="UID", help="to convert to, such as JPEG2000Lossless"
    )
    store.add_argument("--fail-fast", action="store_true", help="stop at the first file that isn't stored")
    store.add_argument("--associations", type=int, default=1, metavar="N", help="how many at once (default: 1)")
    store.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    store.add_argument("--out", metavar="FILE", help=_OUT + ", with the outcome of each")

    commit = with_peer(commands.add_parser("commit", help="ask a peer to commit to keep what is in files"))
    commit.add_argument("where", nargs="+", metavar="FILE", help="files, folders, zip archives or glob patterns")
    commit.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="for its report (default: 30)")
    commit.add_argument("--attempts", type=int, default=1, metavar="N", help="how often to ask in all (default: 1)")
    commit.add_argument("--listen", default="127.0.0.1", metavar="HOST", help="address to listen on; 0.0.0.0 for all")
    commit.add_argument(
        "--port", type=int, metavar="N", help="where the peer reports to, which it has to know (default: it can't)"
    )
    commit.add_argument("--ledger", metavar="FILE", help="database of what was asked for, and what came of it")
    commit.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    commit.add_argument("--out", metavar="FILE", help=_OUT + ", with the outcome of each")


def with_peer(made: ArgumentParser) -> ArgumentParser:
    """Add who the peer is and how it is spoken to, as `peer_of` reads it; the parser comes back."""
    made.add_argument("peer", metavar="[AET@]HOST:PORT", help="the peer, and its AE title")
    return with_way(made)


def with_way(made: ArgumentParser) -> ArgumentParser:
    """Add how peers are spoken to, as `peer_of` reads it; the parser comes back."""
    group = made.add_argument_group("peer")
    group.add_argument("--called", metavar="AET", help="AE title of the peer (default: ANY-SCP)")
    group.add_argument("--calling", default="DICOMKIT", metavar="AET", help="AE title of ours (default: DICOMKIT)")
    group.add_argument("--user", metavar="NAME", help="who the user is")
    group.add_argument("--password", metavar="TEXT", help="passcode of the user; - asks for it")
    group.add_argument("--timeout", type=float, metavar="SECONDS", help="to connect, and to wait for the peer")
    group.add_argument("--retry", type=int, metavar="N", help="how often to try again what fails for a while")
    with_certificates(made, "authorities that are trusted to sign the certificate of the peer")
    group.add_argument("--tls", action="store_true", help="use TLS, and trust the authorities of the system")
    group.add_argument(
        "--tls-pin", nargs="+", default=[], metavar="SHA256", help="fingerprints of trusted certificates"
    )
    group.add_argument("--tls-server-name", metavar="NAME", help="whom the certificate of the peer is for")
    group.add_argument("--tls-any-name", action="store_true", help="don't check whom the certificate is for")
    return made


def with_certificates(made: ArgumentParser, authorities: str) -> None:
    """Add who we are and whom we trust."""
    group = made.add_argument_group("TLS")
    group.add_argument("--tls-authorities", metavar="FILE", help=f"PEM file of the {authorities}")
    group.add_argument("--tls-certificate", metavar="FILE", help="PEM or PKCS#12 file: who we are")
    group.add_argument("--tls-key", metavar="FILE", help="PEM file of the key, where it is one of its own")


def _query(made: ArgumentParser) -> ArgumentParser:
    made.add_argument("level", metavar="LEVEL", choices=_LEVELS, help=", ".join(_LEVELS))
    made.add_argument(
        "keys",
        nargs="*",
        metavar="KEY=VALUE",
        help=r"what has to match: * and ? in texts, a-b in dates, \ between several values, nothing for any",
    )
    made.add_argument(
        "--root",
        type=str.upper,
        choices=("PATIENT", "STUDY", "PATIENT/STUDY ONLY"),
        default="STUDY",
        help="the information model (default: STUDY)",
    )
    return made
