"""What the two sides of an association tell each other about themselves (PS3.7 Annex D.3.3, PS3.8 Annex D)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dicomkit.encoding.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

DEFAULT_MAXIMUM_LENGTH = 1 << 18
"""How large the PDUs may be that we are ready to receive."""


@dataclass(frozen=True, slots=True)
class AsynchronousOperations:
    """How many operations may be under way at once, 0 for any number (PS3.7 D.3.3.3)."""

    invoked: int = 1
    performed: int = 1


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """Which roles the requestor of the association takes for a SOP class (PS3.7 D.3.3.4)."""

    sop_class: str
    user: bool = True
    provider: bool = False


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """What a service class has to say about a SOP class, as its own bytes (PS3.7 D.3.3.5)."""

    sop_class: str
    information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """The service class of a SOP class, and the SOP classes that it is related to (PS3.7 D.3.3.6)."""

    sop_class: str
    service_class: str
    related_sop_classes: tuple[str, ...] = ()


USERNAME, USERNAME_AND_PASSCODE, KERBEROS, SAML, JWT = 1, 2, 3, 4, 5
IDENTITY_TYPES = {
    USERNAME: "username",
    USERNAME_AND_PASSCODE: "username and passcode",
    KERBEROS: "Kerberos",
    SAML: "SAML",
    JWT: "JSON Web Token",
}


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who the user is (PS3.7 D.3.3.7): a name, a name and a passcode, or a ticket, assertion or token.

    Examples
    --------
    >>> UserIdentity.username("jane", passcode="secret")
    UserIdentity(kind=2, response_requested=False)
    >>> UserIdentity.jwt("eyJhbGciOi...").kind
    5
    """

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    response_requested: bool = False

    @classmethod
    def username(cls, name: str, *, passcode: str | None = None, response_requested: bool = False) -> UserIdentity:
        """Make one of a name, and of a passcode where there is one."""
        if passcode is None:
            return cls(USERNAME, name.encode(), b"", response_requested)
        return cls(USERNAME_AND_PASSCODE, name.encode(), passcode.encode(), response_requested)

    @classmethod
    def kerberos(cls, ticket: bytes, *, response_requested: bool = False) -> UserIdentity:
        """Make one of a Kerberos service ticket."""
        return cls(KERBEROS, ticket, b"", response_requested)

    @classmethod
    def saml(cls, assertion: str, *, response_requested: bool = False) -> UserIdentity:
        """Make one of a SAML assertion, which is XML."""
        return cls(SAML, assertion.encode(), b"", response_requested)

    @classmethod
    def jwt(cls, token: str, *, response_requested: bool = False) -> UserIdentity:
        """Make one of a JSON Web Token."""
        return cls(JWT, token.encode(), b"", response_requested)

    @property
    def name(self) -> str | None:
        """The user name, where this has one in the clear."""
        return self.primary.decode("utf-8", "replace") if self.kind in (USERNAME, USERNAME_AND_PASSCODE) else None

    @property
    def passcode(self) -> str | None:
        """The passcode, where this has one."""
        return self.secondary.decode("utf-8", "replace") if self.kind == USERNAME_AND_PASSCODE else None


@dataclass(frozen=True, slots=True)
class UserIdentityResponse:
    """The server's answer to an identity: nothing, or its own ticket, assertion or token (PS3.7 D.3.3.7.2)."""

    response: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """All that is said in one direction; of the extended negotiations and roles one for each SOP class."""

    maximum_length: int = DEFAULT_MAXIMUM_LENGTH
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str = IMPLEMENTATION_VERSION_NAME
    asynchronous_operations: AsynchronousOperations | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    common_extended: tuple[CommonExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None
    identity_response: UserIdentityResponse | None = None
