"""The operations of a user for asyncio: the same names and arguments as in `dicomkit.dimse.sync`, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import commitment as _commitment
from dicomkit.dimse import echo as _echo
from dicomkit.dimse import explain as _explain
from dicomkit.dimse import find as _find
from dicomkit.dimse import instance_availability as _availability
from dicomkit.dimse import patient_information as _information
from dicomkit.dimse import performed_procedure_steps as _steps
from dicomkit.dimse import printing as _printing
from dicomkit.dimse import retrieve as _retrieve
from dicomkit.dimse import store as _store
from dicomkit.dimse import worklist as _worklist
from dicomkit.dimse.asyncio_driver import run
from dicomkit.dimse.asyncio_verbs import Arriving as Arriving
from dicomkit.dimse.asyncio_verbs import arriving_verb, result_verb
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import Pool, close_pool, release_idle
from dicomkit.dimse.results import Matches
from dicomkit.dimse.worklist import WorklistMatches
from dicomkit.net.events import OnEvent


def _matches(found: list[Any]) -> Matches:
    return Matches(iter(found))


def _worklist_matches(found: list[Any]) -> WorklistMatches:
    return WorklistMatches(iter(found))


def _datasets(found: list[Any]) -> list[DataSet]:
    return found


commit = result_verb(_commitment.commit)
echo = result_verb(_echo.echo)
explain_association = result_verb(_explain.explain_association)
find = arriving_verb(_find.find, _matches)
find_identifier = arriving_verb(_find.find_identifier, _matches)
find_patient_information = result_verb(_information.find_patient_information)
find_worklist = arriving_verb(_worklist.find_worklist, _worklist_matches)
get = arriving_verb(_retrieve.get, _datasets)
move = arriving_verb(_retrieve.move, _datasets)
print_films = result_verb(_printing.print_films)
printer_status = result_verb(_printing.printer_status)
mpps_complete = result_verb(_steps.mpps_complete)
mpps_create = result_verb(_steps.mpps_create)
mpps_discontinue = result_verb(_steps.mpps_discontinue)
mpps_get = result_verb(_steps.mpps_get)
mpps_set = result_verb(_steps.mpps_set)
notify_availability = result_verb(_availability.notify_availability)
store = result_verb(_store.store)


@asynccontextmanager
async def connect(
    peer: Peer, *, size: int = 4, idle: float = 60.0, health: float = 10.0, on_event: OnEvent | None = None
) -> AsyncIterator[Pool]:
    """Keep associations with a peer open for the operations in an ``async with`` block, as `sync.connect` does.

    Yields
    ------
    Pool
        For the tasks of one event loop.
    """
    pool = Pool(peer, size, idle, health, on_event)

    async def release_in_time() -> None:
        while True:
            await asyncio.sleep(pool.rounds)
            await run(release_idle(pool))

    releasing = asyncio.ensure_future(release_in_time())
    try:
        yield pool
    finally:
        releasing.cancel()
        await run(close_pool(pool))
