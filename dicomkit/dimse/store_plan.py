"""Which presentation contexts instances need, and which of those that were accepted each is sent in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dicomkit.dimse.negotiation import MOST_CONTEXTS, NATIVE, Context, Proposal
from dicomkit.dimse.outgoing import Outgoing


def proposals(
    instances: Sequence[Outgoing], preferred: Sequence[str] = (), *, convert: bool = True
) -> Iterator[tuple[Proposal, list[int]]]:
    """Give what to propose so that all instances can be sent, split where an association can't have so many contexts.

    Each transfer syntax of a SOP class gets a context of its own, so that the peer can't choose another one for it.
    Where conversion is allowed, the SOP class gets one more with the native syntaxes.

    Parameters
    ----------
    instances
        What is to be sent.
    preferred
        Transfer syntaxes to propose beside them, to which instances are then converted.
    convert
        Whether instances may be converted where the peer doesn't take them as they are.

    Yields
    ------
    tuple of (Proposal, list of int)
        And which of the instances it is for.
    """
    by_class: dict[str, dict[str, list[int]]] = {}
    for number, instance in enumerate(instances):
        by_class.setdefault(instance.sop_class_uid, {}).setdefault(instance.transfer_syntax_uid, []).append(number)
    contexts: list[tuple[str, Sequence[str]]] = []
    numbers: list[int] = []
    for sop_class, by_syntax in by_class.items():
        for part in _batches(list(by_syntax), MOST_CONTEXTS - 1 - len(preferred)):
            wanted = _contexts_of(sop_class, part, preferred, convert=convert)
            if contexts and len(contexts) + len(wanted) > MOST_CONTEXTS:
                yield Proposal.of(*contexts), numbers
                contexts, numbers = [], []
            contexts += wanted
            for syntax in part:
                numbers += by_syntax[syntax]
    if contexts:
        yield Proposal.of(*contexts), numbers


def _contexts_of(
    sop_class: str, syntaxes: Sequence[str], preferred: Sequence[str], *, convert: bool
) -> list[tuple[str, Sequence[str]]]:
    singly = list(dict.fromkeys((*preferred, *syntaxes)))
    contexts: list[tuple[str, Sequence[str]]] = [(sop_class, (syntax,)) for syntax in singly]
    native = tuple(syntax for syntax in NATIVE if syntax not in singly)
    if convert and native:
        contexts.append((sop_class, native))
    return contexts


def _batches(items: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def choose_context(
    contexts: Mapping[int, Context], instance: Outgoing, preferred: Iterable[str] = (), *, convert: bool = True
) -> Context | None:
    """Choose the context that an instance is sent in: a preferred syntax, else its own, else one to convert it to."""
    usable = {
        context.transfer_syntax: context
        for context in contexts.values()
        if context.abstract_syntax == instance.sop_class_uid and context.as_user
    }
    wished = preferred if convert else ()
    order = (*wished, instance.transfer_syntax_uid, *(NATIVE if convert else ()))
    return next((usable[syntax] for syntax in order if syntax in usable), None)
