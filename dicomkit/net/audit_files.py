"""An audit log in files: a line of JSON for each message, rotated by size or by time, the oldest forgotten."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler

from dicomkit.net.audit_json import audit_to_json


class AuditFormatter(logging.Formatter):
    """Writes the message of a record as a line of JSON; for any handler of the standard library.

    Examples
    --------
    >>> from dicomkit.net.audit import ActiveParticipant, AuditSource, audit_message, audit_record
    >>> message = audit_message("NetworkEntry", [ActiveParticipant("a")], AuditSource("sonic"), type="110124")
    >>> AuditFormatter().format(audit_record(message))[:22]
    '{"EventIdentification"'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write the message of a record."""
        return audit_to_json(record.__dict__["audit_message"])


class _Private(logging.FileHandler):
    """A file that only its owner may read, that begins on a line of its own, and whose errors are raised."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        stream = TextIOWrapper(os.fdopen(descriptor, "ab"), encoding="ascii", newline="\n")
        if _is_torn(self.baseFilename):
            stream.write("\n")
        return stream

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exception()
        if error is not None:
            raise error


class _BySize(_Private, RotatingFileHandler):
    """Rotated when it is full."""


class _ByTime(_Private, TimedRotatingFileHandler):
    """Rotated when it is time."""


def audit_file(
    path: str | os.PathLike[str], *, max_bytes: int = 64 << 20, when: str | None = None, keep: int = 30
) -> logging.Handler:
    """Make a handler that appends to an audit log, in JSON lines.

    Parameters
    ----------
    path
        The file. Only its owner may read it, and what is rotated out of it: ``path.1``, or ``path.2026-11-24``.
    max_bytes
        When to begin a new file; 0 for never.
    when
        Rotate by time instead: ``"midnight"``, ``"H"``, ``"W0"``, as the standard library's TimedRotatingFileHandler.
    keep
        How many files to keep beside the current one; 0 keeps all that are rotated by time, and rotates none by size.

    Returns
    -------
    logging.Handler
        For `audit_trail`. One process at a time may write to a file.

    Examples
    --------
    >>> import tempfile
    >>> from dicomkit.net.audit import audit_trail
    >>> from dicomkit.net.events import Event
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/audit.jsonl"
    ...     with audit_trail(audit_file(path)) as trail:
    ...         trail(Event("connection failed", peer="PACS@10.0.0.7:104"))
    ...     open(path).read().count("Security Alert")
    1
    """
    handler: logging.Handler
    if when is not None:
        handler = _ByTime(os.fspath(path), when=when, backupCount=keep, delay=True, utc=True)
    else:
        handler = _BySize(os.fspath(path), maxBytes=max_bytes, backupCount=keep, delay=True)
    handler.setFormatter(AuditFormatter())
    return handler


def _is_torn(path: str) -> bool:
    """Tell whether a file ends in the middle of a line, as a crash may leave it."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return False
        file.seek(size - 1)
        return file.read(1) != b"\n"
