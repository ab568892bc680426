"""Live views and their still pictures: where a widget can't run, its picture stays to be seen.

A notebook that was saved, exported or is shown without its kernel has no live widgets. So a view is shown twice, as a
widget and as plain HTML, and the style sheet hides the plain one as long as the live one is on the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

from dicomkit.display.html import Markup, escape, image, stack
from dicomkit.widgets.drawing import Drawing

LEAST, MOST = 384, 512
"""Of the longer side of a picture on a screen, in CSS pixels."""
_DETAIL = 1024
_REST_SECONDS = 0.6


class LiveView(Protocol):
    """What can be shown live and still."""

    def still(self) -> Markup:
        """The present state as HTML that needs no script."""

    def widget(self) -> Any:
        """The live view."""


def still_picture(
    title: str, drawing: Drawing, caption: str, letters: tuple[str, str, str, str] | None = None
) -> Markup:
    """Draw a picture with a title above, a caption below, and letters at its left, right, top and bottom edge."""
    _, width = drawing.shown_size(LEAST, MOST)
    picture = image(drawing.to_png(_DETAIL), alt=f"{title}, {caption}", width=width)
    parts = [f'<div class="dk-cap">{escape(title)}</div><div class="dk-stage">{picture}']
    for side, letter in zip("lrtb", letters or (), strict=False):
        parts.append(f'<span class="dk-side dk-side-{side}">{escape(letter)}</span>')
    parts.append(f'</div><div class="dk-note">{escape(caption)}</div>')
    return stack(Markup(f'<div class="dk-out">{"".join(parts)}</div>'))


def publish(view: LiveView, changed: Callable[[Callable[[], None]], None] | None = None) -> None:
    """Display a view live, and its still picture where that does not work.

    Parameters
    ----------
    view : LiveView
    changed : callable, optional
        Takes a function to be called when the state of the live view has changed: the still picture follows.
    """
    name = f"dk-{uuid4().hex[:12]}"
    widget = view.widget()
    widget.add_class(name)
    bundle = widget._repr_mimebundle_()
    send({**bundle, "text/plain": repr(view)})

    def still() -> dict[str, str]:
        hide = f"<style>body:has(.{name}) .{name}-still{{display:none}}</style>"
        return {"text/html": f'{hide}<div class="{name}-still">{view.still()}</div>', "text/plain": repr(view)}

    handle = send(still(), display_id=True)
    if changed is not None and handle is not None:
        changed(_at_rest(lambda: handle.update(still(), raw=True)))


def send(bundle: dict[str, Any], **options: Any) -> Any:
    """Display a MIME bundle; gives a handle if it gets a ``display_id``."""
    import IPython.display

    display: Any = IPython.display.display
    return display(bundle, raw=True, **options)


def _at_rest(function: Callable[[], None]) -> Callable[[], None]:
    """Make a function that has another called once: at the end of the running cell, or when sliders come to rest."""
    import asyncio

    from IPython import get_ipython

    timers: list[asyncio.TimerHandle] = []

    def flush(*_: object) -> None:
        while timers:
            timers.pop().cancel()
        shell = get_ipython()
        if shell is not None and flush in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", flush)
        function()

    def later() -> None:
        try:
            timer = asyncio.get_running_loop().call_later(_REST_SECONDS, flush)
        except RuntimeError:
            return flush()
        while timers:
            timers.pop().cancel()
        timers.append(timer)
        shell = get_ipython()
        if shell is not None and flush not in shell.events.callbacks["post_run_cell"]:
            shell.events.register("post_run_cell", flush)
        return None

    return later


def bundle(view: LiveView) -> dict[str, Any]:
    """The live view and its still picture as one MIME bundle."""
    return {**view.widget()._repr_mimebundle_(), "text/html": str(view.still()), "text/plain": repr(view)}
