"""What replaces identities: UIDs, codes and shifts of dates that follow from a secret key, the same in every run."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from dicomkit.errors import ValueFormatError
from dicomkit.standard.uids import uid_entry
from dicomkit.values.uid import UID, UUID_ROOT

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

KEY_BYTES = 32
PATIENT_KEYWORDS = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "SOPInstanceUID")
"""The attributes that tell who the patient is."""
_SHORTEST_KEY = 8
_CODE_LENGTH = 12  # 60 bits: a chance of 1 in 2 million that two of a million patients agree
_LEAST_SHIFT, _MOST_SHIFT = 30, 3650
_VERSION, _VARIANT = 0xF << 76, 0b11 << 62


def new_key() -> str:
    """Make a random key, as text. Who has it can tell whose pseudonym is whose: keep it, keep it secret.

    Examples
    --------
    >>> len(new_key()), new_key() == new_key()
    (64, False)
    """
    return secrets.token_hex(KEY_BYTES)


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """A keyed hash (HMAC-SHA256) for what has to stay consistent.

    Examples
    --------
    >>> pseudonyms = Pseudonyms.of("a key of the trial")
    >>> pseudonyms.uid("1.2.3") == pseudonyms.uid("1.2.3 ") != Pseudonyms.of("another key").uid("1.2.3")
    True
    >>> pseudonyms.code("patient", "4711"), pseudonyms.shift("4711")
    ('LGE4QXZKMHLG', -1510)
    """

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, key: bytes | str | None) -> Pseudonyms:
        """Make one from a key, or from a new random one.

        Raises
        ------
        ValueFormatError
            When the key is too short to be a secret.
        """
        if key is None:
            key = new_key()
        made = key.encode() if isinstance(key, str) else bytes(key)
        if len(made) < _SHORTEST_KEY:
            raise ValueFormatError(f"a key of {len(made)} bytes can be guessed", hint="use dicomkit's new_key()")
        return cls(made)

    def digest(self, purpose: str, text: str) -> bytes:
        """Hash a text for a purpose; texts for different purposes never meet."""
        message = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, message, "sha256")

    def uid(self, uid: str) -> UID:
        """Return the UID that stands for another; those that the standard registers stay as they are.

        A UUID of version 8 (RFC 9562) under 2.25 (PS3.5 B.2).
        """
        return _other_uid(self, uid.strip(" \0"))

    def code(self, purpose: str, text: str) -> str:
        """Return twelve letters and digits that stand for a text."""
        return _code(self, purpose, text.strip(" \0").casefold())

    def shift(self, patient: str) -> int:
        """Return by how many days the dates of a patient move: into the past, by a month to ten years."""
        number = int.from_bytes(self.digest("shift", patient)[:8], "big")
        return -(_LEAST_SHIFT + number % (_MOST_SHIFT - _LEAST_SHIFT + 1))

    @property
    def fingerprint(self) -> str:
        """What tells whether two keys are the same without telling the key."""
        return self.digest("fingerprint", "").hex()[:16]


@lru_cache(1 << 16)
def _other_uid(pseudonyms: Pseudonyms, uid: str) -> UID:
    """Most UIDs stand in many instances."""
    if uid_entry(uid) is not None:
        return UID(uid)
    number = int.from_bytes(pseudonyms.digest("uid", uid)[:16], "big")
    return UID(f"{UUID_ROOT}.{number & ~_VERSION & ~_VARIANT | 0x8 << 76 | 0b10 << 62}")


@lru_cache(1 << 14)
def _code(pseudonyms: Pseudonyms, purpose: str, text: str) -> str:
    return b32encode(pseudonyms.digest(purpose, text)).decode("ascii")[:_CODE_LENGTH]


def patient_of(ds: DataSet) -> str:
    """Return what stands for the patient: the ID; else name and birth date; else the study.

    Examples
    --------
    >>> import dicomkit as dk
    >>> patient_of(dk.DataSet(PatientID=" 4711A ")), patient_of(dk.DataSet(PatientName="Doe^Jane"))
    ('4711a', 'name doe^jane ')
    """
    return patient_from({keyword: "\\".join(map(str, ds.all(keyword))) for keyword in PATIENT_KEYWORDS})


def patient_from(texts: Mapping[str, str]) -> str:
    """Return what `patient_of` returns, from the texts of the attributes in ``PATIENT_KEYWORDS``."""
    patient_id, name, birth, study, instance = (texts[key].strip(" \0").casefold() for key in PATIENT_KEYWORDS)
    if patient_id:
        return patient_id
    return f"name {name} {birth}" if name else f"study {study or instance}"
