"""From arguments to an exit code: runs a command, prints what it gives, and tells of errors in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from dicomkit.cli import commands
from dicomkit.cli.arguments import parser
from dicomkit.cli.printing import frame_text
from dicomkit.display.text import one_line
from dicomkit.errors import DicomError

INTERRUPTED = 130
MOST_ROWS = 40
"""Of a table that comes with an error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        0, or 1 after an error of DICOM, 130 after Ctrl-C; wrong arguments exit with 2.

    Examples
    --------
    >>> main(["dump", "no-such-file"])
    1
    """
    arguments = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        for text in commands.COMMANDS[arguments.command](arguments):
            print("\n".join(map(one_line, text.split("\n"))))  # no control character reaches the terminal
        sys.stdout.flush()
    except DicomError as error:
        print(f"dicomkit: {one_line(error)}", file=sys.stderr)
        table = getattr(error, "table", None)
        if table is not None:
            print(frame_text(table, max_rows=MOST_ROWS), file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("dicomkit: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0
