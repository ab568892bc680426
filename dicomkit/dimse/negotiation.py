"""What two sides agree upon: contexts, roles and the window of operations, by pure functions (PS3.7 Annex D)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from dicomkit.dimse.pdu import CONTEXT_RESULTS, AssociateAC, AssociateRQ, ContextResult, PresentationContext
from dicomkit.dimse.user_information import (
    AsynchronousOperations,
    ExtendedNegotiation,
    RoleSelection,
    UserInformation,
)
from dicomkit.errors import ValueFormatError

MOST_CONTEXTS = 128
NATIVE = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian, which carry every data set that has no compressed pixels."""
_ABSTRACT_SYNTAX_NOT_SUPPORTED, _TRANSFER_SYNTAXES_NOT_SUPPORTED = 3, 4

Supports: TypeAlias = "Callable[[str], Sequence[str]]"
"""Gives the transfer syntaxes that are taken for an abstract syntax, the best first; none where it isn't supported."""


class Context(NamedTuple):
    """A presentation context that both sides agreed upon, and whether we may be its user and its provider."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    as_user: bool = True
    as_provider: bool = False


class ContextOutcome(NamedTuple):
    """What was proposed and what became of it."""

    context_id: int
    abstract_syntax: str
    proposed: tuple[str, ...]
    result: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a requestor wants of an association: abstract syntaxes, each with transfer syntaxes, roles, and options.

    Examples
    --------
    >>> Proposal.of("1.2.840.10008.1.1").contexts[0].context_id
    1
    """

    contexts: tuple[PresentationContext, ...]
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()

    @classmethod
    def of(
        cls,
        *wanted: str | tuple[str, Sequence[str]],
        transfer_syntaxes: Sequence[str] = NATIVE,
        roles: Iterable[RoleSelection] = (),
        extended: Iterable[ExtendedNegotiation] = (),
    ) -> Proposal:
        """Number the contexts of abstract syntaxes, each alone or with transfer syntaxes of its own.

        Raises
        ------
        ValueFormatError
            When there are more than 128.
        """
        if len(wanted) > MOST_CONTEXTS:
            raise ValueFormatError(f"an association has at most {MOST_CONTEXTS} contexts, not {len(wanted)}")
        pairs = [(entry, transfer_syntaxes) if isinstance(entry, str) else entry for entry in wanted]
        contexts = (
            PresentationContext(2 * number + 1, str(abstract), tuple(map(str, transfer)))
            for number, (abstract, transfer) in enumerate(pairs)
        )
        return cls(tuple(contexts), tuple(roles), tuple(extended))


def agreed_contexts(request: AssociateRQ, answer: AssociateAC, *, acceptor: bool) -> dict[int, Context]:
    """Return the accepted contexts by their ids, as one of the two sides sees them.

    A context with an id or a transfer syntax that was not proposed counts as refused.
    """
    proposed = {context.context_id: context for context in request.contexts}
    asked = {role.sop_class: role for role in request.user.roles}
    granted = {role.sop_class: role for role in answer.user.roles}
    contexts = {}
    for entry in answer.contexts:
        context = proposed.get(entry.context_id)
        if context is None or not entry.accepted or entry.transfer_syntax not in context.transfer_syntaxes:
            continue
        user, provider = _requestor_roles(asked.get(context.abstract_syntax), granted.get(context.abstract_syntax))
        mine = (provider, user) if acceptor else (user, provider)
        contexts[entry.context_id] = Context(
            entry.context_id, context.abstract_syntax, entry.transfer_syntax, mine[0], mine[1]
        )
    return contexts


def context_outcomes(request: AssociateRQ, answer: AssociateAC) -> list[ContextOutcome]:
    """Return, for each context that was proposed, what the answer says of it."""
    answers = {entry.context_id: entry for entry in answer.contexts}
    outcomes = []
    for context in request.contexts:
        entry = answers.get(context.context_id)
        result, chosen = "no answer", ""
        if entry is not None:
            known = entry.result < len(CONTEXT_RESULTS)
            result = CONTEXT_RESULTS[entry.result] if known else f"unknown result {entry.result}"
            chosen = entry.transfer_syntax if entry.accepted else ""
        if chosen and chosen not in context.transfer_syntaxes:
            result, chosen = "accepted with a transfer syntax that was not proposed", ""
        outcomes.append(
            ContextOutcome(context.context_id, context.abstract_syntax, context.transfer_syntaxes, result, chosen)
        )
    return outcomes


def answer_request(
    request: AssociateRQ,
    supports: Supports,
    user: UserInformation,
    *,
    provided_by_requestor: Callable[[str], bool] = lambda _: False,
    window: AsynchronousOperations | None = None,
) -> AssociateAC:
    """Accept a request, context by context.

    Parameters
    ----------
    request
        What was asked for.
    supports
        Which transfer syntaxes are taken for an abstract syntax; the best of them that was proposed is chosen.
    user
        What we say of ourselves.
    provided_by_requestor
        Whether the requestor may be the provider of an abstract syntax, where it asks to be (C-GET, notifications).
    window
        How many operations the requestor may have under way at most; None for one.

    Examples
    --------
    >>> request = AssociateRQ("A", "B", Proposal.of("1.2.840.10008.1.1", "1.2.3").contexts)
    >>> answer = answer_request(request, lambda uid: NATIVE if uid == "1.2.840.10008.1.1" else (), UserInformation())
    >>> [CONTEXT_RESULTS[context.result] for context in answer.contexts]
    ['acceptance', 'abstract syntax not supported (provider rejection)']
    """
    results = tuple(_answer(context, supports(context.abstract_syntax)) for context in request.contexts)
    roles = tuple(
        RoleSelection(role.sop_class, role.user, role.provider and provided_by_requestor(role.sop_class))
        for role in request.user.roles
    )
    asked = request.user.asynchronous_operations
    granted = None if asked is None else _granted(asked, window or AsynchronousOperations())
    user = replace(user, roles=roles, asynchronous_operations=granted)
    return AssociateAC(request.called_ae, request.calling_ae, results, user)


def _answer(context: PresentationContext, supported: Sequence[str]) -> ContextResult:
    if not supported:
        return ContextResult(context.context_id, _ABSTRACT_SYNTAX_NOT_SUPPORTED, NATIVE[1])
    for uid in supported:
        if uid in context.transfer_syntaxes:
            return ContextResult(context.context_id, 0, uid)
    return ContextResult(context.context_id, _TRANSFER_SYNTAXES_NOT_SUPPORTED, NATIVE[1])


def _granted(asked: AsynchronousOperations, ours: AsynchronousOperations) -> AsynchronousOperations:
    """Take the smaller of each; 0 is no limit."""
    return AsynchronousOperations(
        *(min(pair) or max(pair) for pair in ((asked.invoked, ours.invoked), (asked.performed, ours.performed)))
    )


def _requestor_roles(asked: RoleSelection | None, granted: RoleSelection | None) -> tuple[bool, bool]:
    """Tell whether the requestor is user and provider of a SOP class (PS3.7 D.3.3.4): user only, by default."""
    if asked is None or granted is None:
        return True, False
    return asked.user and granted.user, asked.provider and granted.provider
