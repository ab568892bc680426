"""What holds for all tests: Hypothesis profiles, and peers that must not be missing where they are required."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any, TypeVar

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


@pytest.fixture(scope="session", autouse=True)
def pynetdicom_takes_its_answers() -> None:
    """Keep pynetdicom's own thread from taking the answer that a request of its user waits for.

    Its user waits until that thread says that it pauses, which it may still say of the request before; then it takes
    the answer, and the request times out. Here it takes nothing while a request is under way.
    """
    try:
        from pynetdicom.dimse import DIMSEServiceProvider
    except ImportError:
        return
    take = DIMSEServiceProvider.get_msg

    def get_msg(self: Any, block: bool = False) -> Any:
        if not block and not self.assoc._reactor_checkpoint.is_set():
            return None, None
        return take(self, block)

    DIMSEServiceProvider.get_msg = get_msg
