"""Media types with their parameters, and which of those offered a client gets (PS3.18 8.7, RFC 9110)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dicomkit.errors import ReadError, ValueFormatError
from dicomkit.web.dicom_media_types import FORMER_NAMES, default_transfer_syntax

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_IS_TOKEN = re.compile(_TOKEN)
_ESSENCE = re.compile(rf"\s*({_TOKEN})\s*/\s*({_TOKEN})\s*")
# An unquoted value may hold what only a quoted one should: many send type=application/dicom.
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"][^;,"]*))\s*', re.DOTALL)
_NOTHING = re.compile(r"\s*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NOT_QUOTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LONGEST = 1 << 14


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type, or a range of them as Accept has it: ``type/subtype; parameter=value``.

    Attributes
    ----------
    type, subtype
        In lower case; ``*`` in a range.
    parameters
        Pairs of name (in lower case) and value, without quotes.

    Examples
    --------
    >>> wado = MediaType.parse('multipart/related; type="application/dicom"; transfer-syntax=*; q=0.5')
    >>> wado.essence, wado["type"], wado.quality, str(wado.root)
    ('multipart/related', 'application/dicom', 0.5, 'application/dicom; transfer-syntax=*')
    >>> str(MediaType.of("multipart/related", type="application/dicom", boundary="a b"))
    'multipart/related; type="application/dicom"; boundary="a b"'
    """

    type: str
    subtype: str
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> MediaType:
        """Read one media type, its values quoted or not.

        Raises
        ------
        ReadError
            When it is none, or a parameter is there twice with different values.
        """
        match = _ESSENCE.match(text) if len(text) <= _LONGEST else None
        parameters: dict[str, str] = {}
        end = match.end() if match else 0
        while match and end < len(text) and text[end] == ";":
            if parameter := _PARAMETER.match(text, end + 1):
                name = parameter[1].lower()
                value = parameter[3].rstrip() if parameter[2] is None else _ESCAPED.sub(r"\1", parameter[2])
                if parameters.setdefault(name, value) != value:
                    raise ReadError(f"the parameter {name} is there twice in a media type")
                end = parameter.end()
            else:
                end += len(_NOTHING.findall(text, end + 1)[0]) + 1
        if match is None or end < len(text):
            raise ReadError(f"this is no media type: {text[:80]!r}")
        return cls(match[1].lower(), match[2].lower(), tuple(parameters.items()))

    @classmethod
    def of(cls, essence: str, /, **parameters: str) -> MediaType:
        """Make one of ``type/subtype`` and parameters; an underscore in a name stands for a hyphen.

        Raises
        ------
        ValueFormatError
            When it is no media type, or a value holds control characters.
        """
        if not (match := _ESSENCE.fullmatch(essence)):
            raise ValueFormatError(f"{essence!r} is no media type")
        return cls(match[1].lower(), match[2].lower()).with_parameters(**parameters)

    def with_parameters(self, **parameters: str) -> MediaType:
        """Return the same media type with more parameters, or other values of them."""
        given = {name.replace("_", "-").lower(): value for name, value in parameters.items()}
        for name, value in given.items():
            if not _IS_TOKEN.fullmatch(name) or _NOT_QUOTABLE.search(value):
                raise ValueFormatError(f"{name}={value!r} can't be a parameter of a media type")
        return MediaType(self.type, self.subtype, tuple({**dict(self.parameters), **given}.items()))

    @property
    def essence(self) -> str:
        """Type and subtype."""
        return f"{self.type}/{self.subtype}"

    def __getitem__(self, name: str) -> str | None:
        return next((value for known, value in self.parameters if known == name), None)

    @property
    def quality(self) -> float:
        """The weight of a range (RFC 9110 12.4.2): 1 where none is given, 0 where it makes no sense."""
        try:
            quality = float(self["q"] or 1)
        except ValueError:
            return 0.0
        return min(max(quality, 0.0), 1.0) if math.isfinite(quality) else 0.0

    @property
    def is_multipart(self) -> bool:
        """Whether it is a multipart type."""
        return self.type == "multipart"

    @property
    def root(self) -> MediaType:
        """Of multipart/related the media type of its parts, with the transfer syntax that is said here or there.

        Raises
        ------
        ReadError
            When its parameter type is no media type.
        """
        inner = self["type"]
        if not self.is_multipart or inner is None:
            return self
        root = MediaType.parse(inner)
        syntax = self["transfer-syntax"]
        if syntax is not None and root["transfer-syntax"] is None:
            root = root.with_parameters(transfer_syntax=syntax)
        return root

    def covers(self, other: MediaType) -> bool:
        """Whether this range takes in a media type (PS3.18 8.7.3.5.2, 8.7.8.1).

        A parameter of the range must have the same value there; boundary, q and charset don't count. A transfer syntax
        that one of them doesn't name is the default one, and ``*`` is any.

        Examples
        --------
        >>> dicom = MediaType.parse("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50")
        >>> [MediaType.parse(text).covers(dicom) for text in ("*/*", "application/dicom; transfer-syntax=*")]
        [True, True]
        >>> MediaType.parse("application/dicom").covers(dicom)
        False
        """
        if self.type == "*" or (self.type == other.type and self.subtype == "*"):
            return True
        if FORMER_NAMES.get(self.essence, self.essence) != FORMER_NAMES.get(other.essence, other.essence):
            return False
        if self.is_multipart and self["type"] is not None:
            return other["type"] is not None and self.root.covers(other.root)
        for name, value in self.parameters:
            if name not in _NOT_COMPARED and (other[name] or "").lower() != value.lower():
                return False
        default = default_transfer_syntax(other.essence)
        asked = self["transfer-syntax"] or default
        return asked in ("*", other["transfer-syntax"] or default)

    def __str__(self) -> str:
        return "; ".join([self.essence, *(f"{name}={_written(name, value)}" for name, value in self.parameters)])


_NOT_COMPARED = frozenset(("q", "boundary", "charset", "transfer-syntax"))


def parse_accept(accept: str | Iterable[str]) -> tuple[MediaType, ...]:
    """Read the media ranges of an Accept header or query parameter; those that are none are left out (PS3.18 8.7.7).

    Examples
    --------
    >>> [str(each) for each in parse_accept('text/html, nonsense, multipart/related;type="image/*";q=0.5')]
    ['text/html', 'multipart/related; type="image/*"; q=0.5']
    """
    return tuple(_ranges(accept if isinstance(accept, str) else ",".join(accept)))


def choose(accept: str | Iterable[str] | None, offered: Iterable[MediaType | str]) -> MediaType | None:
    """Choose what to answer with: the offer of the highest quality, of several the first; None where none will do.

    Parameters
    ----------
    accept
        The Accept header; None, where there is none, accepts nothing (PS3.18 8.7.5 asks for 406 then).
    offered
        What there is, the preferred first.

    Examples
    --------
    >>> offered = ["application/dicom+xml", "application/dicom+json"]
    >>> str(choose("application/dicom+xml;q=0.3, application/*;q=0.5", offered))
    'application/dicom+json'
    >>> choose("image/png", ["image/jpeg"]) is None
    True
    """
    ranges = parse_accept(accept) if accept is not None else ()
    best, best_quality = None, 0.0
    for offer in offered:
        media_type = offer if isinstance(offer, MediaType) else MediaType.parse(offer)
        covering = [each for each in ranges if each.covers(media_type)]
        if covering:
            quality = max(covering, key=_specificity).quality
            if quality > best_quality:
                best, best_quality = media_type, quality
    return best


def _specificity(range_: MediaType) -> tuple[bool, bool, int]:
    """Order ranges by how much they say."""
    counted = [name for name, _ in range_.parameters if name not in ("q", "boundary")]
    return range_.type != "*", range_.subtype != "*", len(counted)


def _ranges(text: str) -> Iterator[MediaType]:
    for part in _split(text):
        try:
            yield MediaType.parse(part)
        except ReadError:
            continue


_COMMA = re.compile(r'[,"]|\\.', re.DOTALL)


def _split(text: str) -> Iterator[str]:
    """Split at the commas that are in no quotes."""
    start, quoted = 0, False
    for match in _COMMA.finditer(text):
        if match[0] == '"':
            quoted = not quoted
        elif match[0] == "," and not quoted:
            yield text[start : match.start()]
            start = match.end()
    yield text[start:]


def _written(name: str, value: str) -> str:
    """Quote what is no token; a media type always, which the examples of RFC 2387 do too."""
    if _IS_TOKEN.fullmatch(value) and name != "type":
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
