"""What a folder already holds of a de-identification: so that one that was interrupted goes on where it was.

The manifest lies in the target and tells nothing about the sources: their names stand in it as keyed hashes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import IO, NamedTuple

from dicomkit.deidentification.profile import Profile
from dicomkit.deidentification.pseudonyms import Pseudonyms
from dicomkit.errors import SourceError

NAME = ".deidentified.jsonl"
_VERSION = 1


class Done(NamedTuple):
    """An input that was written: its size and time of change then, and where it was written to."""

    size: int | None
    modified: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The inputs that are done, by hashed path."""

    path: str
    pseudonyms: Pseudonyms
    done: dict[str, Done]

    @classmethod
    def of(cls, target: str, pseudonyms: Pseudonyms, profile: Profile) -> Manifest:
        """Read the manifest of a target folder, or begin one.

        Raises
        ------
        SourceError
            When the folder holds files made with another key or profile, or can't be written.
        """
        path = os.path.join(target, NAME)
        head = {"version": _VERSION, "key": pseudonyms.fingerprint, "profile": profile_digest(profile, pseudonyms)}
        try:
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    return cls(path, pseudonyms, _read(file, head, path))
            with open(path, "x", encoding="utf-8") as file:
                file.write(json.dumps(head) + "\n")
        except OSError as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"can't use the target folder: {error.strerror or error}", path=target) from error
        return cls(path, pseudonyms, {})

    def output_of(self, source: str, size: int | None, modified: int | None) -> str | None:
        """Return where an input was written to, if it was and has not changed since, and the output is there."""
        done = self.done.get(self._key(source))
        if done is None or (done.size, done.modified) != (size, modified):
            return None
        return done.output if os.path.exists(os.path.join(os.path.dirname(self.path), done.output)) else None

    def line(self, source: str, done: Done) -> str:
        """Return the line that says that an input is done."""
        return json.dumps({"in": self._key(source), **done._asdict()}) + "\n"

    def _key(self, source: str) -> str:
        return self.pseudonyms.digest("source", os.path.abspath(source)).hex()[:32]


def profile_digest(profile: Profile, pseudonyms: Pseudonyms) -> str:
    """Return what tells whether two profiles are the same; functions count by their name."""
    values = [getattr(profile, name) for name in Profile.__dataclass_fields__]
    return pseudonyms.digest("profile", "|".join(map(_named, values))).hex()[:16]


def _named(value: object) -> str:
    if isinstance(value, tuple) and type(value) is tuple:
        return "(" + ",".join(map(_named, value)) + ")"
    if hasattr(value, "__dataclass_fields__"):
        return type(value).__name__ + _named(tuple(getattr(value, name) for name in value.__dataclass_fields__))
    return getattr(value, "__qualname__", None) or repr(value)


def _read(file: IO[str], head: dict[str, object], path: str) -> dict[str, Done]:
    """The entries; a last line that was cut off by a crash does not count."""
    try:
        found = json.loads(file.readline())
    except ValueError:
        found = None
    if found != head:
        what = "key" if isinstance(found, dict) and found.get("key") != head["key"] else "profile"
        hint = f"give the same {what}, or another folder"
        raise SourceError(f"the target holds files that were made with another {what}", path=path, hint=hint)
    done = {}
    for line in file:
        try:
            entry = json.loads(line)
            done[entry["in"]] = Done(entry["size"], entry["modified"], entry["output"])
        except (ValueError, KeyError, TypeError):
            continue
    return done
