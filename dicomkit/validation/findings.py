"""What a validation found, as values: one line each, that show themselves as a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from dicomkit.display.html import badge, table
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    import pandas as pd

Severity: TypeAlias = Literal["error", "warning", "note"]
Path: TypeAlias = "tuple[int | str, ...]"

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_BADGES: Mapping[Severity, Literal["bad", "warn", ""]] = MappingProxyType(
    {"error": "bad", "warning": "warn", "note": ""}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that breaks a rule.

    Attributes
    ----------
    path
        Where it is, as for indexing the data set: ``("BeamSequence", 0, "BeamName")``; empty for the whole object.
    rule
        Which rule: a short name such as ``"missing"``, ``"value"``, ``"enumerated"``; see :func:`dicomkit.validate`.
    severity
        ``"error"``: the standard forbids it. ``"warning"``: it is doubtful, or the reader had to guess. ``"note"``: it
        is legal, and worth knowing.
    message
        What is wrong.
    tag
        The element, or None for the whole object.
    """

    path: Path
    rule: str
    severity: Severity
    message: str
    tag: Tag | None = None

    @property
    def where(self) -> str:
        """The path as text, items numbered from 0.

        Examples
        --------
        >>> Finding(("BeamSequence", 0, "BeamName"), "missing", "error", "...").where
        'BeamSequence[0].BeamName'
        """
        return path_text(self.path)

    def __str__(self) -> str:
        return f"{self.severity} {self.where or 'object'}: {self.message} ({self.rule})"


def path_text(path: Path) -> str:
    """Write a path as text."""
    text = ""
    for number, step in enumerate(path):
        if number % 2:
            text += f"[{step}]"
        else:
            text += f"{'.' if text else ''}{Tag(step) if isinstance(step, int) else step}"
    return text


class Findings(tuple[Finding, ...]):
    """What was found in one object, errors first; shows itself as a table.

    Examples
    --------
    >>> Findings([Finding(("Rows",), "missing", "error", "a Type 1 attribute of Image Pixel", Tag.of("Rows"))])
    Findings(1 error, 0 warnings, 0 notes; Rows: a Type 1 attribute of Image Pixel)
    """

    __slots__ = ()

    def of(self, severity: Severity | None = None, rule: str | None = None) -> Findings:
        """Return those of a severity, of a rule, or both.

        Examples
        --------
        >>> Findings().of("error", rule="missing")
        Findings(0 errors, 0 warnings, 0 notes)
        """
        return Findings(
            one for one in self if (severity is None or one.severity == severity) and (rule is None or one.rule == rule)
        )

    @property
    def errors(self) -> Findings:
        """What the standard forbids."""
        return self.of("error")

    def to_table(self) -> pd.DataFrame:
        """Return a DataFrame with the columns severity, rule, path, tag and message."""
        import pandas as pd

        rows = [(one.severity, one.rule, one.where, str(one.tag or ""), one.message) for one in self]
        return pd.DataFrame(rows, columns=["severity", "rule", "path", "tag", "message"])

    def _summary(self) -> str:
        counts = Counter(one.severity for one in self)
        return ", ".join(f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in SEVERITIES)

    def __repr__(self) -> str:
        first = f"; {self[0].where or 'object'}: {self[0].message}" if self else ""
        return f"Findings({self._summary()}{first if len(first) <= 120 else first[:117] + '...'})"

    def _repr_html_(self) -> str:
        rows = [
            (badge(one.severity, _BADGES[one.severity]), one.rule, one.where, str(one.tag or ""), one.message)
            for one in self
        ]
        return table(("Severity", "Rule", "Path", "Tag", "Message"), rows, caption=self._summary(), max_rows=200)


_ITEM_NUMBER = re.compile(r"\[\d+\]")


def collected(found: Iterable[Finding]) -> Findings:
    """Sort findings by severity, and say what is the same in many items only once."""
    firsts: dict[tuple[str, str, str, str], Finding] = {}
    more: Counter[tuple[str, str, str, str]] = Counter()
    for one in found:
        key = (
            _ITEM_NUMBER.sub("[]", one.where) if len(one.path) > 2 else one.where,
            one.rule,
            one.severity,
            one.message,
        )
        if key in firsts:
            more[key] += one.path != firsts[key].path
        else:
            firsts[key] = one
    merged = [
        Finding(one.path, one.rule, one.severity, _and_more(one.message, more[key]), one.tag)
        for key, one in firsts.items()
    ]
    return Findings(sorted(merged, key=lambda one: SEVERITIES.index(one.severity)))


def _and_more(message: str, count: int) -> str:
    return f"{message}; the same in {count:,} more item{'s' if count > 1 else ''}" if count else message
