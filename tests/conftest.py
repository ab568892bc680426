"""What holds for all tests: Hypothesis profiles, and peers that must not be missing where they are required."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

REQUIRE_PEERS = os.environ.get("DICOMKIT_REQUIRE_PEERS") == "1"
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

REQUIRED = ("peer:", "data:", "could not import", "got empty parameter set")


def fail_if_required(report: Report) -> Report:
    """Turn a skip for want of a peer program, real data or an oracle into a failure where they are required."""
    if REQUIRE_PEERS and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith(REQUIRED):
            report.outcome = "failed"
            report.longrepr = f"required here (DICOMKIT_REQUIRE_PEERS=1): {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return fail_if_required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return fail_if_required((yield))
