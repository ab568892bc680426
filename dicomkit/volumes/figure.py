"""A matplotlib figure that shows itself in a notebook, with pyplot neither needed nor touched."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure of its own: displayed once, by being the result of a cell; `savefig` writes it."""

    def _repr_png_(self) -> bytes:
        return self.to_png()

    def to_png(self, **options: Any) -> bytes:
        """Draw the figure as PNG."""
        out = io.BytesIO()
        self.savefig(out, format="png", **options)
        return out.getvalue()
