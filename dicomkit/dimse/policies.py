"""Whom a provider takes: policies as functions, which are asked for each association."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeAlias

from dicomkit.dimse.pdu import AssociateRJ, AssociateRQ
from dicomkit.dimse.provider import REFUSED, Answer, Caller, Provider, provide
from dicomkit.dimse.steps import Operation, Wire
from dicomkit.dimse.user_information import UserIdentity, UserIdentityResponse

Policy: TypeAlias = "Callable[[AssociateRQ, Caller], Answer]"

_PERMANENT, _TRANSIENT = 1, 2
_USER, _ACSE, _PRESENTATION = 1, 2, 3
CALLING_NOT_RECOGNIZED = AssociateRJ(_PERMANENT, _USER, 3)
CALLED_NOT_RECOGNIZED = AssociateRJ(_PERMANENT, _USER, 7)
IDENTITY_REFUSED = AssociateRJ(_PERMANENT, _ACSE, 1)
"""PS3.7 D.3.3.7.3 has no reason of its own for it: rejected by the service provider, without one."""
LOCAL_LIMIT = AssociateRJ(_TRANSIENT, _PRESENTATION, 2)


def calling(allowed: Collection[str] | None = None, *, denied: Collection[str] = ()) -> Policy:
    """Take requestors by their AE titles.

    Parameters
    ----------
    allowed
        The titles that are taken; None for all.
    denied
        Those that never are.

    Examples
    --------
    >>> policy = calling(["MODALITY1"])
    >>> policy(AssociateRQ("ARCHIVE", "STRANGER", ()), Caller("STRANGER", "ARCHIVE", "127.0.0.1", 1)).reason
    3
    """

    def decide(request: AssociateRQ, caller: Caller) -> Answer:
        title = caller.calling_aet
        return CALLING_NOT_RECOGNIZED if title in denied or (allowed is not None and title not in allowed) else None

    return decide


def called(*titles: str) -> Policy:
    """Take requests that call one of our AE titles.

    Examples
    --------
    >>> policy = called("ARCHIVE", "BACKUP")
    >>> policy(AssociateRQ("OTHER", "MODALITY1", ()), Caller("MODALITY1", "OTHER", "127.0.0.1", 1)).reason
    7
    """
    return lambda _, caller: None if caller.called_aet in titles else CALLED_NOT_RECOGNIZED


def hosts(*addresses: str) -> Policy:
    """Take requestors from these addresses.

    Examples
    --------
    >>> policy = hosts("10.0.0.7")
    >>> policy(AssociateRQ("ARCHIVE", "MODALITY1", ()), Caller("MODALITY1", "ARCHIVE", "10.0.0.7", 1)) is None
    True
    """
    return lambda _, caller: None if caller.host in addresses else REFUSED


def identified(check: Callable[[UserIdentity, Caller], bool | bytes | None]) -> Policy:
    """Take users whose identity passes a check.

    Parameters
    ----------
    check
        Says whether the identity is right, where None counts as no; or gives the server's response, which is then sent
        where one was asked for.

    Examples
    --------
    >>> from dicomkit.dimse.user_information import UserInformation
    >>> policy = identified(lambda identity, caller: identity.secondary == b"secret")
    >>> jane = UserInformation(identity=UserIdentity.username("jane", passcode="guess"))
    >>> request, caller = AssociateRQ("ARCHIVE", "MODALITY1", (), jane), Caller("MODALITY1", "ARCHIVE", "10.0.0.7", 1)
    >>> policy(request, caller) == IDENTITY_REFUSED
    True
    """

    def decide(request: AssociateRQ, caller: Caller) -> Answer:
        identity = request.user.identity
        outcome = check(identity, caller) if identity is not None else False
        if identity is None or not (outcome or isinstance(outcome, bytes)):
            return IDENTITY_REFUSED
        response = outcome if isinstance(outcome, bytes) else b""
        return UserIdentityResponse(response) if identity.response_requested else None

    return decide


def all_of(*policies: Policy) -> Policy:
    """Take whom every policy takes; the first that doesn't says why, and the last answer to an identity is given.

    Examples
    --------
    >>> policy = all_of(called("ARCHIVE"), calling(denied=["STRANGER"]))
    >>> request = AssociateRQ("ARCHIVE", "STRANGER", ())
    >>> policy(request, Caller("STRANGER", "ARCHIVE", "10.0.0.7", 1))
    AssociateRJ(result=1, source=1, reason=3)
    """

    def decide(request: AssociateRQ, caller: Caller) -> Answer:
        answer: Answer = None
        for policy in policies:
            outcome = policy(request, caller)
            if outcome is False or isinstance(outcome, AssociateRJ):
                return outcome
            answer = answer if outcome is None or outcome is True else outcome
        return answer

    return decide


def limited(
    provider: Provider, most: int | None = None, most_per_host: int | None = None
) -> Callable[[Wire, tuple[str, int]], Operation]:
    """Serve no more than some associations at once, altogether and for one host; others are asked to try later.

    Returns
    -------
    callable
        What a server runs for each connection.

    Examples
    --------
    >>> provider = Provider({}, lambda uid: ())
    >>> serve = limited(provider, most=64, most_per_host=4)
    >>> type(serve(None, ("10.0.0.7", 50000))).__name__  # an operation, which begins when a driver runs it
    'generator'
    """
    running: Counter[str] = Counter()
    lock = threading.Lock()
    busy = replace(provider, accept=lambda _, __: LOCAL_LIMIT)

    def begin(host: str) -> bool:
        with lock:
            full = (most is not None and running.total() >= most) or (
                most_per_host is not None and running[host] >= most_per_host
            )
            running[host] += not full
            return not full

    def serve(wire: Wire, address: tuple[str, int]) -> Operation:
        host = address[0]
        if not begin(host):
            yield from provide(busy, wire, address)
            return
        try:
            yield from provide(provider, wire, address)
        finally:
            with lock:
                running[host] -= 1

    return serve
