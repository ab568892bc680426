"""The seven protocol data units of the upper layer as frozen values (PS3.8 9.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from dicomkit.dimse.user_information import UserInformation

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The only application context of DICOM (PS3.7 A.2.1)."""


@dataclass(frozen=True, slots=True)
class PresentationContext:
    """What is proposed: an abstract syntax, under an odd id, in one of some transfer syntaxes (PS3.8 9.3.2.2)."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """What became of a proposed context (PS3.8 9.3.3.2): 0 is acceptance, in the transfer syntax that it names."""

    context_id: int
    result: int
    transfer_syntax: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the context may be used."""
        return self.result == 0


CONTEXT_RESULTS = (
    "acceptance",
    "user rejection",
    "no reason (provider rejection)",
    "abstract syntax not supported (provider rejection)",
    "transfer syntaxes not supported (provider rejection)",
)
"""What the results of a context mean (PS3.8 Table 9-18)."""


@dataclass(frozen=True, slots=True)
class AssociateRQ:
    """A request for an association (PS3.8 9.3.2)."""

    called_ae: str
    calling_ae: str
    contexts: tuple[PresentationContext, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateAC:
    """The acceptance of an association (PS3.8 9.3.3); the titles are those of the request, and mean nothing."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ContextResult, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateRJ:
    """The rejection of an association (PS3.8 9.3.4): permanent (1) or transient (2), by whom, and why."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class PresentationDataValue:
    """A fragment of a command or of a data set, for one presentation context (PS3.8 9.3.5.1, E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class PDataTF:
    """Fragments on their way (PS3.8 9.3.5)."""

    values: tuple[PresentationDataValue, ...]


@dataclass(frozen=True, slots=True)
class ReleaseRQ:
    """A request to end the association in good order (PS3.8 9.3.6)."""


@dataclass(frozen=True, slots=True)
class ReleaseRP:
    """The answer to it (PS3.8 9.3.7)."""


@dataclass(frozen=True, slots=True)
class Abort:
    """The end of the association at once (PS3.8 9.3.8): by the user (0) or the provider (2), and why."""

    source: int = 0
    reason: int = 0


PDU: TypeAlias = "AssociateRQ | AssociateAC | AssociateRJ | PDataTF | ReleaseRQ | ReleaseRP | Abort"
