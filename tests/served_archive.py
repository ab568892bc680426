"""An archive behind either driver, as a peer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dicomkit.archive import Archive
from dicomkit.dimse.peer import Peer
from dicomkit.serve.dimse import serve_dimse, serve_dimse_async


@contextmanager
def served(driver: Any, archive: Archive, **options: Any) -> Iterator[Peer]:
    """Serve with a driver; the asynchronous one runs in a loop of a thread."""
    if driver.name == "blocking":
        with serve_dimse(archive, ae="ARCHIVE", port=0, **options) as server:
            yield server.peer()
        return
    ready, done, found = threading.Event(), threading.Event(), []

    async def main() -> None:
        async with serve_dimse_async(archive, ae="ARCHIVE", port=0, **options) as peer:
            found.append(peer)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        done.set()
        thread.join(10)
