"""What a peer was asked for and what it granted: an association that is only made to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import MOST_CONTEXTS, NATIVE, ContextOutcome, Proposal, context_outcomes
from dicomkit.dimse.pool import VERIFICATION, Target, using
from dicomkit.dimse.steps import Operation
from dicomkit.dimse.storage_classes import COMPRESSED, storage_sop_classes
from dicomkit.display.html import card, stack, table
from dicomkit.display.text import table_text
from dicomkit.net.events import OnEvent
from dicomkit.net.printable import printable
from dicomkit.standard.uids import uid_entry, uids_of_type

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("id", "abstract syntax", "result", "transfer syntax", "hint")
_TEXT_WIDTH = 160
_HINTS = {
    "user rejection": "the peer is not set up to take this from us",
    "no reason (provider rejection)": "ask who runs the peer",
    "abstract syntax not supported (provider rejection)": "the peer doesn't know this service",
    "transfer syntaxes not supported (provider rejection)": "propose Implicit VR Little Endian, which all have to take",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was proposed, accepted and refused.

    Attributes
    ----------
    peer
        Who answered.
    contexts
        What became of each context.
    facts
        What the two sides said of themselves.
    """

    peer: str
    contexts: tuple[ContextOutcome, ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def accepted(self) -> tuple[ContextOutcome, ...]:
        """The contexts that were accepted."""
        return tuple(context for context in self.contexts if context.transfer_syntax)

    def to_table(self) -> pd.DataFrame:
        """Return one row for each context."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(_COLUMNS))

    def _rows(self) -> list[list[object]]:
        return [
            [
                context.context_id,
                _name(context.abstract_syntax),
                context.result
                if context.transfer_syntax or context.result != "acceptance"
                else "unknown transfer syntax",
                _name(context.transfer_syntax),
                _HINTS.get(context.result, ""),
            ]
            for context in self.contexts
        ]

    def _shown(self) -> list[list[object]]:
        """The rows with what was refused before the rest, in as few words as will do."""
        refused_first = sorted(self._rows(), key=lambda row: bool(row[3]))
        return [
            [
                number,
                _brief(str(name)),
                str(result).replace("acceptance", "accepted").removesuffix(" (provider rejection)"),
                syntax,
                hint,
            ]
            for number, name, result, syntax, hint in refused_first
        ]

    def __repr__(self) -> str:
        title = f"<{self.peer}: {len(self.accepted)} of {len(self.contexts)} contexts accepted>"
        facts = "\n".join(f"{name}: {value}" for name, value in self.facts)
        rows = table_text(_COLUMNS, self._shown(), max_rows=MOST_CONTEXTS, width=_TEXT_WIDTH)
        return "\n".join((title, facts, rows))

    def _repr_html_(self) -> str:
        title = f"{self.peer}: {len(self.accepted)} of {len(self.contexts)} contexts accepted"
        return stack(card(title, self.facts), table(_COLUMNS, self._shown(), max_rows=MOST_CONTEXTS))


def explain_association(
    peer: Target,
    sop_classes: Sequence[str] | None = None,
    *,
    transfer_syntaxes: Sequence[str] = (*NATIVE, *COMPRESSED),
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask a peer what it takes: propose contexts, look at the answer, and release the association.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one.
    sop_classes
        UIDs of what to propose; by default verification, query and retrieval, and the storage classes, as many as fit.
    transfer_syntaxes
        To propose for each.
    on_event
        What is told of every event.

    Returns
    -------
    Explanation
        Shows as a table.

    Raises
    ------
    NetworkError
        When there is no association at all; a rejection says why, and what to try.
    """
    classes = _usual_classes() if sop_classes is None else list(sop_classes)

    def body(association: Association) -> Operation:
        yield from ()
        return _explained(association)

    explanation: Explanation = yield from using(
        peer, Proposal.of(*classes, transfer_syntaxes=transfer_syntaxes), body, on_event
    )
    return explanation


def _usual_classes() -> list[str]:
    services = [
        entry.uid
        for entry in uids_of_type("SOP Class")
        if not entry.retired and entry.uid.startswith(("1.2.840.10008.5.1.4.1.2.", "1.2.840.10008.5.1.4.31"))
    ]
    services.insert(0, VERIFICATION)
    return [*services, *storage_sop_classes(MOST_CONTEXTS - 1 - len(services))]


def _explained(association: Association) -> Explanation:
    request, answer = association.request, association.answer
    window = answer.user.asynchronous_operations
    version = answer.user.implementation_version_name
    facts = (
        ("called AE title", request.called_ae),
        ("calling AE title", request.calling_ae),
        ("implementation", f"{printable(version)} ({printable(answer.user.implementation_class_uid)})"),
        ("maximum PDU length", f"{answer.user.maximum_length or 'any'} (ours {request.user.maximum_length or 'any'})"),
        ("operations at once", "1" if window is None else str(window.invoked or "any number")),
        ("roles", ", ".join(f"{_name(role.sop_class)}" for role in answer.user.roles) or "as by default"),
    )
    return Explanation(association.remote, tuple(context_outcomes(request, answer)), facts)


def _brief(name: str) -> str:
    """Leave out of a name what all of its kind have."""
    return name.replace("Query/Retrieve Information Model - ", "").replace(" SOP Class", "")


def _name(uid: str) -> str:
    entry = uid_entry(uid)
    return entry.name if entry else printable(uid)
