"""A peer that tests of delivery send to: an archive behind a port, which notes what comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peers
from clock_driver import ClockDriver

import dicomkit as dk
from dicomkit.delivery.delivering import deliver
from dicomkit.delivery.report import DeliveryReport
from dicomkit.dimse.provider import Refused

DOWN = dk.Peer("127.0.0.1", 1, "DOWN")


class Far:
    """An archive behind a port that notes what comes; ``status`` refuses it all."""

    def __init__(self, status: int = 0, **options: Any) -> None:
        self.status, self.options = status, options
        self.archive = dk.MemoryArchive()
        self.came: list[str] = []
        self.port = peers.free_port()
        self.peer = dk.Peer("127.0.0.1", self.port, "FAR")

    def before(self, incoming: Any) -> None:
        self.came.append(incoming.sop_instance_uid)
        if self.status:
            raise Refused("as the test says", status=self.status)

    def up(self) -> dk.serve.DimseServer:
        return dk.serve_dimse(
            self.archive, ae="FAR", port=self.port, hooks=dk.serve.Hooks(before=self.before), **self.options
        )


def uids(series: Sequence[dk.DataSet]) -> list[str]:
    return [str(ds.SOPInstanceUID) for ds in series]


def delivered(driver: ClockDriver, *arguments: Any, **options: Any) -> DeliveryReport:
    ran = driver.run(deliver(*arguments, clock=driver.clock, **options))
    assert ran.error is None, ran.error
    report: DeliveryReport = ran.value
    return report
