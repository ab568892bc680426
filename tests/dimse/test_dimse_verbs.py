"""The verbs of the façade, and their twins for asyncio: what they return, and what abandoning them does."""

from __future__ import annotations

import asyncio
import inspect
import time

import pytest

import dicomkit as dk
from dicomkit.archive import MemoryArchive
from dicomkit.dimse import aio, sync, ups, ups_aio
from dicomkit.dimse.results import Matches
from dicomkit.net import ladder, metrics
from dicomkit.net.errors import NetworkError


@pytest.fixture(scope="module")
def server():
    archive = MemoryArchive()
    for ds in dk.samples.ct_series(6, 16):
        archive.store(ds)
    with dk.serve_dimse(archive, port=0) as served:
        yield served


def test_matches_are_a_sequence_and_a_table(server):
    hits = dk.find(server.peer(), "image")
    assert hits[0].InstanceNumber is not None
    assert len(hits) == len(list(hits)) == 6
    table = hits.to_table()
    assert len(table) == 6
    assert "QueryRetrieveLevel" not in table
    assert "6 matches" in repr(hits)
    assert "<table" in hits._repr_html_()
    assert hits.outcome.category == "Success"
    assert len(dk.find(server.peer(), "image", PatientID="nobody")) == 0


def test_a_table_names_the_items_of_sequences():
    code = {"CodeValue": "CTHEAD", "CodingSchemeDesignator": "99X", "CodeMeaning": "CT of the head"}
    found = Matches(iter([dk.DataSet(PatientID="A", ProcedureCodeSequence=[code]), dk.DataSet(PatientID="B")]))
    table = found.to_table()
    assert str(table.ProcedureCodeSequence.dtype) == "string"
    assert table.ProcedureCodeSequence.fillna("-").tolist() == ["CT of the head", "-"]
    assert found[0].ProcedureCodeSequence[0].CodeValue == "CTHEAD"


def test_errors_come_at_the_call(server):
    with pytest.raises(NetworkError):
        dk.find(dk.Peer("127.0.0.1", 1), "study")
    with pytest.raises(dk.DicomError, match="level"):
        dk.find(server.peer(), "nonsense")


def test_arrivals_stream_and_abandoning_them_aborts(server):
    events = []
    with dk.get(server.peer(), "series", on_event=events.append, SeriesInstanceUID=_series(server)) as arriving:
        next(arriving)
    assert any(event.name == "association accepted" for event in events)
    everything = dk.get(server.peer(), "series", SeriesInstanceUID=_series(server))
    assert len(list(everything)) == 6
    assert everything.outcome.completed == 6
    dk.echo(server.peer())


def _series(server) -> str:
    return dk.find(server.peer(), "series")[0].SeriesInstanceUID


def test_progress_and_the_report(server, capsys):
    told = []
    report = dk.store(server.peer(), dk.samples.ct_series(3, 8), progress=told.append)
    assert [progress.done for progress in told] == [1, 2, 3]
    assert told[-1].rate > 0
    assert list(report.to_table().outcome) == ["stored"] * 3
    assert "3 of 3 stored" in repr(report)
    assert "<table" in report._repr_html_()
    dk.store(server.peer(), dk.samples.ct_series(1, 8), progress=True)
    assert "store" in capsys.readouterr().err


def test_a_table_of_files_can_be_sent(server, tmp_path):
    dk.samples.write_series(dk.samples.ct_series(3, 8), tmp_path)
    assert len(dk.store(server.peer(), dk.scan(tmp_path, progress=False)).stored) == 3


def test_connect_and_explain(server):
    with dk.connect(server.peer()) as pacs:
        dk.echo(pacs)
        dk.echo(pacs)
        assert pacs.counts == (0, 1)
    assert pacs.counts == (0, 0)
    explanation = dk.explain_association(server.peer(), ["1.2.840.10008.1.1", "1.2.840.10008.5.1.1.9"])
    assert len(explanation.accepted) == 1
    assert "the peer doesn't know" in repr(explanation)
    assert "abstract syntax not supported" in explanation._repr_html_()
    assert len(explanation.to_table()) == 2


def test_events_become_a_ladder_and_metrics(server):
    events = []
    dk.echo(server.peer(), on_event=events.append)
    assert "C-ECHO-RQ" in ladder(events)._repr_html_()
    assert len(metrics(events).to_table())
    assert not any("passcode" in repr(event).lower() for event in events)


def test_every_pdu_and_every_state_is_told_on_both_sides():
    told = {"ours": [], "theirs": []}
    with dk.serve_dimse(MemoryArchive(), port=0, on_event=told["theirs"].append) as server:
        dk.store(server.peer(), dk.samples.ct_series(2, 64), on_event=told["ours"].append).raise_for_failures()
        found = dk.find(server.peer(), "image", on_event=told["ours"].append)
        assert len(found) == 2
    pdus = {
        side: [(event.direction, event.data["pdu"], event.data["bytes"]) for event in events if event.category == "pdu"]
        for side, events in told.items()
    }
    turned = {"sent": "received", "received": "sent"}
    assert sorted(pdus["ours"]) == sorted((turned[way], name, size) for way, name, size in pdus["theirs"])
    names = [name for _, name, _ in pdus["ours"]]
    assert names[:4] == ["A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "P-DATA-TF", "P-DATA-TF"]
    assert names[-2:] == ["A-RELEASE-RQ", "A-RELEASE-RP"]
    states = {side: [event.data["state"] for event in told[side] if event.category == "state"] for side in told}
    assert states["ours"] == ["Sta4", "Sta5", "Sta6", "Sta7", "Sta1"] * 2
    assert states["theirs"] == ["Sta2", "Sta3", "Sta6", "Sta8", "Sta13"] * 2
    messages = [event.label for event in told["theirs"] if event.name == "message sent"]
    assert messages == ["C-STORE-RSP"] * 2 + ["C-FIND-RSP"] * 3
    assert "Sta5 → Sta6" in str(ladder(told["ours"], pdus=True))
    assert "Sta5" not in str(ladder(told["ours"]))
    assert "P-DATA-TF" not in str(ladder(told["ours"]))


def test_the_twins_have_the_same_names_and_arguments():
    for name in ("echo", "find", "find_identifier", "get", "move", "explain_association"):
        ours, twin = inspect.signature(getattr(sync, name)), inspect.signature(getattr(aio, name))
        assert ours.parameters == twin.parameters
    for name in ("store", "connect"):
        assert hasattr(aio, name)
    for name in ("cancel", "claim", "complete", "create", "find", "get", "report", "subscribe", "update", "watch"):
        ours, twin = inspect.signature(getattr(ups, name)), inspect.signature(getattr(ups_aio, name))
        assert list(ours.parameters) == list(twin.parameters)


def test_asyncio(server):
    async def main():
        peer = server.peer()
        assert (await aio.echo(peer)).category == "Success"
        hits = await aio.find(peer, "series")
        uid = hits[0].SeriesInstanceUID
        arriving = aio.get(peer, "series", SeriesInstanceUID=uid)
        got = [ds async for ds in arriving]
        assert arriving.outcome.completed == len(got) == 6
        report = await aio.store(peer, dk.samples.ct_series(2, 8))
        assert len(report.stored) == 2
        async with aio.connect(peer) as pacs:
            await asyncio.gather(*(aio.echo(pacs) for _ in range(8)))
            assert pacs.counts[0] == 0
        return len(hits)

    assert asyncio.run(main()) >= 1


def test_cancelling_a_task_ends_its_association():
    async def silent(reader, writer):
        await asyncio.sleep(30)

    async def main():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await aio.echo(dk.Peer("127.0.0.1", port))
        assert time.monotonic() - began < 2
        server.close()

    asyncio.run(main())


def test_a_part_is_never_taken_for_all():
    archive = MemoryArchive()
    for ds in dk.samples.ct_series(70, 8):
        archive.store(ds)

    def failing(query, **_):
        yield from MemoryArchive.search(archive, query)
        raise dk.DicomError("the index broke")

    archive.search = failing
    with dk.serve_dimse(archive, port=0) as server:
        hits = dk.find(server.peer(), "image", StudyInstanceUID=ds.StudyInstanceUID)
        for _ in range(2):
            with pytest.raises(NetworkError, match="index broke"):
                len(hits)


def test_queries_over_a_pool_leave_it_free(server):
    with dk.connect(server.peer(), size=1) as pacs:
        assert dk.find(pacs, "image")[0].SOPInstanceUID
        assert dk.find(pacs, "image")[0].SOPInstanceUID
        assert pacs.counts == (0, 1)


def test_what_can_not_be_asked_for(server):
    with pytest.raises(dk.DicomError, match="limit"):
        dk.find(server.peer(), "study", limit=0)
    with pytest.raises(dk.DicomError, match="0 associations"):
        dk.store(server.peer(), [], associations=0)
    with pytest.raises(dk.DicomError, match=r"dk\.Peer"):
        dk.echo("pacs")
    assert str(dk.Peer("::1", 104)) == "ANY-SCP@[::1]:104"


def test_a_listener_that_fails_ends_no_association():
    def listener(event):
        raise RuntimeError("oops")

    with dk.serve_dimse(MemoryArchive(), port=0, on_event=listener) as server:
        assert dk.echo(server.peer()).category == "Success"


def test_help_says_what_is_returned():
    assert inspect.signature(dk.find).return_annotation == "Matches"
    assert "Matches of:" in dk.find.__doc__
    assert inspect.signature(dk.get).return_annotation == "Arrivals"
