"""Asks pip-audit for known vulnerabilities of what is installed, and says of how much nothing could be learnt.

Usage: python tools/audit_dependencies.py [ARGUMENT OF PIP-AUDIT ...]

By itself pip-audit reports that no vulnerability is known where the index that it asks has no advisories at all. Here
that is no success: the exit code is 0 only when at least one package was audited and none has a vulnerability, 1 when
one has, and 2 when nothing could be audited.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, NamedTuple


class Audit(NamedTuple):
    """What pip-audit found: packages without and with vulnerabilities, and those that it could learn nothing of."""

    sound: tuple[str, ...]
    vulnerable: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where some were audited and all of these are sound, 1 where one isn't, 2 where none was audited."""
        return 1 if self.vulnerable else 0 if self.sound else 2

    def __str__(self) -> str:
        lines = [f"{len(self.sound) + len(self.vulnerable)} packages audited, {len(self.vulnerable)} vulnerable"]
        if self.unknown:
            lines.append(f"{len(self.unknown)} packages could not be audited: the index tells nothing of them")
        return "\n".join([*lines, *self.vulnerable])


def read_report(report: dict[str, Any]) -> Audit:
    """Sort the packages of a report.

    Parameters
    ----------
    report
        What ``pip-audit -f json`` writes.
    """
    sound, vulnerable, unknown = [], [], []
    for package in report["dependencies"]:
        name = package["name"]
        if "skip_reason" in package:
            unknown.append(name)
        elif package["vulns"]:
            names = ", ".join(vulnerability["id"] for vulnerability in package["vulns"])
            vulnerable.append(f"{name} {package['version']}: {names}")
        else:
            sound.append(name)
    return Audit(tuple(sound), tuple(vulnerable), tuple(unknown))


def main(arguments: list[str]) -> int:
    """Run pip-audit, and print what it learnt."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "-f", "json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    try:
        audit = read_report(json.loads(done.stdout))
    except ValueError:
        print("pip-audit gave no report; what it says stands above")
        return 2
    print(audit)
    return audit.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
