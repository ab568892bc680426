"""Who claims entries: a process, by a name that tells others whether it is still there."""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache


@cache
def _process() -> str:
    """Give a word that no other process has, also where it gets the number of one that was before."""
    return secrets.token_hex(4)


@cache
def _host() -> str:
    """Give a word for where the numbers of processes are ours: the host, and the container in it."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in socket.gethostname())
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return f"{name[:64]}-{space}"


def new_owner() -> str:
    """Make the name of an owner in this process: host, process, and what tells it from all others.

    Examples
    --------
    >>> is_gone(new_owner())
    False
    """
    return f"{_host()}.{os.getpid()}.{_process()}.{secrets.token_hex(4)}"


def is_gone(owner: str) -> bool | None:
    """Tell whether the process of an owner has ended; None where nobody can know, as on another host.

    A process that got the number of one that has ended is taken for it.
    """
    host, pid, process, _ = (owner.split(".") + [""] * 4)[:4]
    if host != _host() or not pid.isdecimal() or len(pid) > 10:
        return None
    if int(pid) == os.getpid():
        return process != _process()
    if os.name != "posix":  # where to ask would be to end it
        return None
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
