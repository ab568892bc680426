"""Errors of the network: their categories, hints and texts; they are picklable and are what Python code expects."""

import errno
import pickle
import socket
import ssl

import pytest

from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    NetworkError,
    PeerTimeoutError,
    ProtocolError,
    StatusError,
    connection_failed,
)
from dicomkit.net.timeouts import Timeouts
from dicomkit.standard.statuses import status
from dicomkit.standard.upper_layer import reasons

CATEGORIES = {"transient", "permanent", "configuration", "security"}
EXAMPLES = [
    NetworkError("x"),
    ConnectionFailedError("x"),
    PeerTimeoutError("x", waited=3.0),
    AssociationRejectedError(1, 1, 3, "PACS"),
    AssociationAbortedError(2, 1, "PACS"),
    AssociationAbortedError(None, None, "PACS", "the peer closed the connection"),
    ContextNotAcceptedError("1.2.3", "1.2.840.10008.1.2", "PACS", 4),
    ProtocolError("x", offset=7),
    StatusError(status(0x0124), comment="no"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_are_of_one_tree_have_a_category_and_are_picklable(error):
    assert isinstance(error, DicomError)
    assert error.category in CATEGORIES
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.category == error.category
    assert again.__dict__ == error.__dict__


def test_errors_are_what_python_code_expects():
    with pytest.raises(OSError, match="x"):
        raise ConnectionFailedError("x")
    with pytest.raises(TimeoutError, match="x"):
        raise PeerTimeoutError("x")
    assert str(ProtocolError("a PDU", offset=6)) == "a PDU [offset 6]"


@pytest.mark.parametrize("entry", [key for key in reasons() if key[0] == "reject reason"])
@pytest.mark.parametrize("result", [1, 2])
def test_every_rejection_has_a_text_and_a_category(entry, result):
    error = AssociationRejectedError(result, entry[1], entry[2])
    assert error.reason_text in str(error)
    if error.reason_text == "reserved":
        assert error.category == ("transient" if result == 2 else "permanent")


@pytest.mark.parametrize(
    ("result", "source", "reason", "category"),
    [
        (1, 1, 1, "permanent"),
        (2, 1, 1, "transient"),
        (1, 1, 3, "configuration"),
        (2, 1, 7, "configuration"),
        (1, 3, 1, "transient"),
        (2, 3, 2, "transient"),
        (1, 2, 2, "permanent"),
        (9, 9, 9, "permanent"),
    ],
)
def test_categories_of_rejections(result, source, reason, category):
    assert AssociationRejectedError(result, source, reason).category == category


@pytest.mark.parametrize(
    ("code", "service", "category"),
    [
        (0xA700, "C-STORE", "transient"),
        (0xA900, "C-STORE", "permanent"),
        (0xC000, "C-FIND", "permanent"),
        (0xA801, "C-MOVE", "configuration"),
        (0x0124, "", "security"),
        (0x1234, "", "permanent"),
    ],
)
def test_categories_of_statuses(code, service, category):
    assert StatusError(status(code, service)).category == category


def test_what_the_peer_says_is_sanitised():
    assert "\n" not in str(StatusError(status(0xA700), comment="a\nb"))
    assert "\x1b" not in str(ContextNotAcceptedError("\x1b[2J"))
    assert len(str(StatusError(status(0xA700), comment="x" * 10_000))) < 300


@pytest.mark.parametrize(
    ("error", "kind", "category", "text"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
            ConnectionFailedError,
            "transient",
            "refused",
        ),
        (socket.gaierror(-2, "Name or service not known"), ConnectionFailedError, "configuration", "Name or service"),
        (TimeoutError("timed out"), PeerTimeoutError, "transient", "in time"),
        (PermissionError(13, "Permission denied"), ConnectionFailedError, "configuration", "denied"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version"), ConnectionFailedError, "security", "wrong"),
        (ConnectionResetError(104, "Connection reset by peer"), ConnectionFailedError, "transient", "reset"),
    ],
)
def test_what_sockets_say_is_given_a_category(error, kind, category, text):
    found = connection_failed(error, "pacs", 104)
    assert type(found) is kind
    assert found.category == category
    assert text in str(found)
    assert "pacs:104" in str(found)
    assert connection_failed(found, "pacs", 104) is found


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_time_outs_are_positive(seconds):
    with pytest.raises(ValueFormatError, match="read"):
        Timeouts(read=seconds)
    assert Timeouts(read=None).read is None


def test_a_break_right_after_the_handshake_is_about_certificates():
    broken = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    assert connection_failed(broken, "pacs", 104, doing="lost the connection to").category == "transient"
    error = connection_failed(broken, "pacs", 104, doing="lost the connection to", fresh=True)
    assert error.category == "security"
    assert "certificate of ours" in str(error)
