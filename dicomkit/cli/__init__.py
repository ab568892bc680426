"""The command line: arguments become one call of the façade, and its result a table or a picture."""

from __future__ import annotations

from dicomkit.cli.main import main

__all__ = ["main"]
