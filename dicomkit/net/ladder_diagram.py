"""A ladder diagram of an exchange: two life lines and an arrow for each message, as SVG without script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from dicomkit.display.html import Markup, escape
from dicomkit.display.style import style_element
from dicomkit.display.text import shorten
from dicomkit.net.events import Event, describe
from dicomkit.net.printable import printable
from dicomkit.standard.statuses import status

MAX_ROWS = 200
_LEFT, _RIGHT, _WIDTH, _ROW, _TOP = 110, 530, 640, 28, 30
_COLOURS = {"warning": "var(--dk-warn)", "error": "var(--dk-bad)"}
_MAX_LABEL = 58
_BELOW = ("pdu", "state")
"""What is below the messages."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Events as a diagram; in a notebook it shows itself."""

    events: tuple[Event, ...]
    hidden: int = 0
    us: str = "dicomkit"

    def __repr__(self) -> str:
        return f"<Ladder of {len(self.events) + self.hidden:,} events>"

    def __str__(self) -> str:
        start = self.events[0].time if self.events else 0.0
        return "\n".join(_line(event, start) for event in self.events)

    def _repr_html_(self) -> str:
        groups: dict[tuple[str, str], list[Event]] = {}
        for event in self.events:
            groups.setdefault((event.peer, event.association), []).append(event)
        start = self.events[0].time if self.events else 0.0
        parts = [_drawing(self.us, peer, group, start) for (peer, _), group in groups.items()]
        if self.hidden:
            parts.append(f'<div class="dk-more">{self.hidden:,} more events</div>')
        return f'{style_element()}<div class="dk-out">{"".join(parts)}</div>'


def ladder(events: Iterable[Event], *, us: str = "dicomkit", max_rows: int = MAX_ROWS, pdus: bool = False) -> Ladder:
    """Draw what went over wires, one diagram for each association.

    Parameters
    ----------
    events
        As `on_event` got them.
    us
        What to call our side.
    max_rows
        Events shown; how many are left out is said.
    pdus
        Whether to show each PDU and each change of state, too.

    Returns
    -------
    Ladder
        With HTML that needs no script, in the colours of the page; ``str`` gives lines of text.

    Examples
    --------
    >>> print(ladder([Event("association requested", time=1.0), Event("association accepted", time=1.25)]))
       0.0 ms  ──▶  association requested
     250.0 ms  ◀──  association accepted
    """
    iterator = (event for event in events if pdus or event.category not in _BELOW)
    shown = tuple(islice(iterator, max_rows))
    return Ladder(shown, sum(1 for _ in iterator), us)


def _line(event: Event, start: float) -> str:
    arrow = {"sent": "──▶", "received": "◀──", "": " · "}[event.direction]
    return f"{(event.time - start) * 1e3:6.1f} ms  {arrow}  {_words(event)}"


def _words(event: Event) -> str:
    """Say what went: the command with its number and status, and how many bytes; or between which states."""
    words = [event.label]
    if event.category == "state":
        words = [f"{printable(event.data.get('before'))} → {printable(event.data.get('state'))}"]
    command = event.data.get("command")
    if command is not None:
        number = command.get("MessageID", command.get("MessageIDBeingRespondedTo"))
        code = command.get("Status")
        words += [f"#{number}"] if isinstance(number, int) else []
        if isinstance(code, int):
            service = event.label.removesuffix("-RSP")
            words.append(f"0x{code:04X} {status(code, service).category}")
    count = event.data.get("bytes")
    if isinstance(count, int) and count:
        words.append(f"{count:,} bytes")
    return " ".join(words)


def _colour(event: Event) -> str:
    command = event.data.get("command")
    code = command.get("Status") if command is not None else None
    if isinstance(code, int):
        level = {"Failure": "error", "Warning": "warning", "Cancel": "warning"}.get(status(code).category, event.level)
        return _COLOURS.get(level, "currentColor")
    return _COLOURS.get(event.level, "currentColor")


def _drawing(us: str, peer: str, events: Sequence[Event], start: float) -> str:
    height = _TOP + _ROW * len(events) + 8
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'style="max-width:100%;font-size:12px;color:inherit" fill="currentColor" xmlns="http://www.w3.org/2000/svg">',
        f"<title>Messages between {escape(printable(us))} and {escape(printable(peer))}</title>",
        _text(_LEFT, 14, printable(us, 24), weight="600"),
        _text(_RIGHT, 14, printable(peer or "peer", 24), weight="600"),
    ]
    for x in (_LEFT, _RIGHT):
        parts.append(f'<path d="M{x} 22V{height - 4}" stroke="currentColor" stroke-opacity=".35" fill="none"/>')
    for row, event in enumerate(events):
        parts.append(_arrow(event, _TOP + _ROW * row + 20, start))
    parts.append("</svg>")
    return Markup("".join(parts))


def _arrow(event: Event, y: int, start: float) -> str:
    colour = _colour(event)
    time = _text(_LEFT - 10, y + 4, f"{(event.time - start) * 1e3:,.1f} ms", anchor="end", opacity=".65")
    label = _text((_LEFT + _RIGHT) // 2, y - 5, shorten(_words(event), _MAX_LABEL), colour=colour)
    hover = f"<title>{escape(describe(event))}</title>"
    if not event.direction:
        return f"<g>{hover}{time}{label}</g>"
    begin, end, back = (_LEFT, _RIGHT, -7) if event.direction == "sent" else (_RIGHT, _LEFT, 7)
    line = f'<path d="M{begin} {y}H{end}" stroke="{colour}" fill="none"/>'
    head = f'<path d="M{end} {y}l{back} -4v8z" fill="{colour}"/>'
    return f"<g>{hover}{time}{line}{head}{label}</g>"


def _text(
    x: int, y: int, words: str, *, anchor: str = "middle", weight: str = "400", opacity: str = "1", colour: str = ""
) -> str:
    fill = f' fill="{colour}"' if colour else ""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill-opacity="{opacity}"{fill}>'
        f"{escape(words)}</text>"
    )
