"""Runs the command line as ``python -m dicomkit``."""

from __future__ import annotations

import sys

from dicomkit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
