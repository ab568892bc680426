"""An archive behind DIMSE, asked by ourselves, by DCMTK, Orthanc and pynetdicom, with either driver."""

from __future__ import annotations

import threading
import time
from itertools import count
from pathlib import Path

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST
from peers import needs
from served_archive import served

from dicomkit import DataSet, read
from dicomkit.archive import DuplicateInstanceError, FolderArchive, MemoryArchive
from dicomkit.dimse import policies, retrieve_provider
from dicomkit.dimse.find import find, find_identifier
from dicomkit.dimse.outgoing import outgoing
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.provider import Refused
from dicomkit.dimse.retrieve import get, move
from dicomkit.dimse.store import store
from dicomkit.errors import DicomError, QueryError
from dicomkit.net.errors import StatusError
from dicomkit.query import query
from dicomkit.serve import Hooks, archive_provider, serve_dimse

both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return peers.small_instances(tmp_path_factory.mktemp("in"), patients=3, slices=4)


@pytest.fixture
def archive(request, tmp_path, files):
    kind = getattr(request, "param", "folder")
    made = MemoryArchive() if kind == "memory" else FolderArchive(tmp_path / "archive")
    for path in files:
        made.store(path)
    yield made
    if isinstance(made, FolderArchive):
        made.close()


both_archives = pytest.mark.parametrize("archive", ["memory", "folder"], indirect=True)


@both
@both_archives
def test_find_at_every_level(driver, archive, files):
    first = read(files[0])
    with served(driver, archive) as peer:
        patients = driver.collect(find(peer, "patient"))
        studies = driver.collect(find(peer, "study", PatientID=first.PatientID))
        series = driver.collect(find(peer, "series", StudyInstanceUID=first.StudyInstanceUID))
        images = driver.collect(find(peer, "image", SeriesInstanceUID=first.SeriesInstanceUID))
        some = driver.collect(find(peer, "image", SeriesInstanceUID=first.SeriesInstanceUID, limit=2))
    assert len(patients) == 3
    assert [match.NumberOfStudyRelatedInstances for match in studies] == [4]
    assert studies[0].ModalitiesInStudy == "CT"
    assert studies[0].RetrieveAETitle == "ARCHIVE"
    assert [match.Modality for match in series] == ["CT"]
    assert sorted(match.InstanceNumber for match in images) == [1, 2, 3, 4]
    assert len(some) == 2


@both
@both_archives
def test_get_and_move(driver, archive, files, tmp_path):
    first = read(files[0])
    key = {"StudyInstanceUID": first.StudyInstanceUID}
    port = peers.free_port()
    receiver = Peer(LOCALHOST, port, "DICOMKIT")
    with served(driver, archive, destinations={"DICOMKIT": receiver}) as peer:
        got = driver.collect(get(peer, "study", **key))
        outcome = driver.run(get(peer, "study", into=tmp_path / "got", **key))
        moved = driver.collect(move(peer, "study", port=port, **key))
        told = []
        outcome_of_move = driver.run(
            move(peer, "study", port=port, into=MemoryArchive(), on_progress=told.append, **key)
        )
        with pytest.raises(StatusError, match="0xA801"):
            driver.run(move(peer, "study", "NOBODY", **key))
    expected = {read(path).SOPInstanceUID: read(path) for path in files[:4]}
    assert {ds.SOPInstanceUID: ds for ds in got} == expected
    assert {ds.SOPInstanceUID: ds for ds in moved} == expected
    assert {path.stem for path in (tmp_path / "got").glob("*.dcm")} == set(expected)
    assert (outcome.completed, outcome.failed) == (4, 0)
    assert (outcome_of_move.completed, outcome_of_move.failed) == (4, 0)
    assert [state.completed for state in told] == [1, 2, 3, 4]


@both
def test_a_retrieval_is_cancelled(driver, archive, files, monkeypatch):
    first, got, sent = read(files[0]), [], count(1)
    asked = threading.Event()

    def after_the_request_to_cancel(source):
        assert next(sent) == 1 or asked.wait(10)
        return outgoing(source)

    def listen(event):
        if event.name == "message sent" and event.data["command"].name == "C-CANCEL-RQ":
            asked.set()

    monkeypatch.setattr(retrieve_provider, "outgoing", after_the_request_to_cancel)
    with served(driver, archive) as peer:
        operation = get(
            peer,
            "study",
            StudyInstanceUID=first.StudyInstanceUID,
            into=got.append,
            cancelled=lambda: len(got) >= 1,
            on_event=listen,
        )
        outcome = driver.run(operation)
    assert outcome.status.category == "Cancel"
    assert outcome.completed == len(got) in (1, 2)
    assert outcome.remaining == 4 - len(got)


@both
def test_failed_suboperations_are_listed(driver, archive, files):
    first = read(files[0])

    def refuse(ds):
        if ds.InstanceNumber == 2:
            raise DicomError("not this one")

    with served(driver, archive) as peer:
        outcome = driver.run(get(peer, "study", StudyInstanceUID=first.StudyInstanceUID, into=refuse))
        with pytest.raises(StatusError, match="0xA702") as caught:
            driver.run(get(peer, "study", StudyInstanceUID=first.StudyInstanceUID, sop_classes=["1.2.3"]))
    failed = next(read(path).SOPInstanceUID for path in files[:4] if read(path).InstanceNumber == 2)
    assert (outcome.completed, outcome.failed, outcome.failed_uids) == (3, 1, (failed,))
    assert outcome.status.category == "Warning"
    assert len(caught.value.data_set.FailedSOPInstanceUIDList) == 4


@both
def test_queries_that_can_not_be(driver, archive):
    with served(driver, archive) as peer:
        for level, model in (("PATIENT", "1.2.840.10008.5.1.4.1.2.2.1"), ("SERIES", "1.2.840.10008.5.1.4.1.2.3.1")):
            identifier = DataSet(QueryRetrieveLevel=level, PatientID=None)
            with pytest.raises(StatusError, match="0xA900"):
                driver.run(find_identifier(peer, identifier, model))
        for verb in (get, move):
            for asked, says in (
                (query("study"), "needs StudyInstanceUID"),
                (query("study", PatientID="1"), "needs StudyInstanceUID"),
                (query("study", PatientName="X*", StudyInstanceUID="1.2"), "PatientName is no key to retrieve by"),
                (query("patient", PatientID="*1"), "has a wildcard"),
            ):
                with pytest.raises(QueryError, match=says):
                    driver.run(verb(peer, asked))


@both
@needs("getscu", "movescu")
def test_a_retrieval_without_unique_key_gives_nothing(driver, archive, tmp_path):
    with served(driver, archive) as peer:
        for keys in (["QueryRetrieveLevel=STUDY"], ["QueryRetrieveLevel=STUDY", "PatientName=*"]):
            assert "Error: DataSetDoesNotMatchSOPClass" in peers.getscu(peer.port, keys, tmp_path).output
            assert "Error: DataSetDoesNotMatchSOPClass" in peers.movescu(peer.port, keys, "X").output
    assert not list(tmp_path.glob("CT*"))


@both
def test_hooks_policies_and_duplicates(driver, files, tmp_path):
    told = []

    def check(ds):
        if ds.InstanceNumber == 3:
            raise DicomError("the third is not good enough")

    def before(incoming):
        if incoming.caller.calling_aet == "STRANGER":
            raise Refused("who are you?", status=0x0124)

    hooks = Hooks(
        before=before,
        check=check,
        on_stored=lambda stored, incoming: told.append(("stored", stored.sop_instance_uid)),
        on_failure=lambda error, incoming: told.append(("failed", incoming.sop_instance_uid)),
    )
    with FolderArchive(tmp_path / "archive", duplicates="refuse") as archive:
        with served(driver, archive, hooks=hooks, accept=policies.calling(denied=["EVIL"])) as peer:
            report = driver.run(store(peer, files[:4]))
            again = driver.run(store(peer, files[:1]))
            stranger = Peer(peer.host, peer.port, calling_aet="STRANGER")
            refused = driver.run(store(stranger, files[4:5]))
        assert len(archive) == 3
    assert [outcome.is_stored for outcome in report].count(False) == 1
    assert again[0].status.code == DuplicateInstanceError.status
    assert refused[0].status.code == 0x0124
    assert [kind for kind, _ in told].count("stored") == 3
    assert [kind for kind, _ in told].count("failed") == 3


@both
def test_hooks_that_are_told_change_no_answer(driver, files, caplog):
    def broken(*told):
        raise RuntimeError("a fault of the hook")

    archive = MemoryArchive()
    with served(driver, archive, hooks=Hooks(on_stored=broken, on_failure=broken)) as peer:
        assert len(driver.run(store(peer, files[:2])).stored) == 2
    refusing = Hooks(before=lambda incoming: (_ for _ in ()).throw(Refused("no", status=0xA701)), on_failure=broken)
    with served(driver, archive, hooks=refusing) as peer:
        report = driver.run(store(peer, files[2:3]))
    assert report[0].status.code == 0xA701
    assert len(archive) == 2
    assert [record.message for record in caplog.records] == ["a hook failed"] * 3


@both
def test_matches_come_as_they_are_found(driver, files):
    """A search that takes its time is not waited for until a whole batch of matches is there."""
    first_came = threading.Event()

    class Waiting(MemoryArchive):
        def search(self, *arguments, **options):
            for number, match in enumerate(super().search(*arguments, **options)):
                if number == 2:
                    first_came.wait(10)
                elif number:
                    time.sleep(0.1)
                yield match

    archive = Waiting()
    for path in files:
        archive.store(path)

    def listen(event):
        if event.name == "data received":
            first_came.set()

    with served(driver, archive) as peer:
        began = time.monotonic()
        assert len(driver.collect(find(peer, "image", on_event=listen))) == len(files)
    assert time.monotonic() - began < 8


@both
def test_a_full_disk_is_answered_and_leaves_nothing(driver, files, tmp_path):
    with FolderArchive(tmp_path / "archive", min_free=1 << 60) as archive, served(driver, archive) as peer:
        report = driver.run(store(peer, files))
    assert {outcome.status.code for outcome in report} == {0xA700}
    assert list((tmp_path / "archive").rglob("*.dcm")) == []


def test_sop_classes_and_syntaxes_that_are_taken(files):
    provider = archive_provider(MemoryArchive(), sop_classes=["1.2.3"], transfer_syntaxes=["1.2.840.10008.1.2"])
    assert provider.supports("1.2.3") == ["1.2.840.10008.1.2"]
    assert provider.supports("1.2.840.10008.5.1.4.1.1.2") == ()
    assert provider.supports("1.2.840.10008.1.1")


# ---- other people's programs ---------------------------------------------------------------------------------------


@both
@needs("findscu", "getscu", "movescu", "storescu", "echoscu")
def test_dcmtk_as_user(driver, archive, files, tmp_path):
    first = read(files[0])
    keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={first.StudyInstanceUID}"]
    port = peers.free_port()
    with served(driver, archive, destinations={"MOVESCU": Peer(LOCALHOST, port, "MOVESCU")}) as peer:
        peers.echoscu(peer.port, aec="ARCHIVE").check()
        found = peers.findscu(peer.port, ["QueryRetrieveLevel=STUDY", "PatientName=*", "StudyInstanceUID"]).check()
        assert found.output.count("StudyInstanceUID") >= 3
        (tmp_path / "got").mkdir()
        peers.getscu(peer.port, keys, tmp_path / "got").check()
        (tmp_path / "moved").mkdir()
        peers.movescu(peer.port, keys, "MOVESCU", "+P", port, "-od", tmp_path / "moved").check()
    uids = sorted(read(path).SOPInstanceUID for path in files[:4])
    for folder in ("got", "moved"):
        assert sorted(read(path).SOPInstanceUID for path in (tmp_path / folder).iterdir()) == uids


@both
@needs("dcmqrscp")
def test_dcmtk_as_provider(driver, files, tmp_path):
    first = read(files[0])
    port = peers.free_port()
    with peers.dcmqrscp(files, destinations={"DICOMKIT": port}) as server:
        peer = Peer(LOCALHOST, server.port, server.aet)
        _ask_everything(driver, peer, first, files, port)


def _ask_everything(driver, peer: Peer, first, files, port: int) -> None:
    study = {"StudyInstanceUID": first.StudyInstanceUID}
    assert len(driver.collect(find(peer, "study", PatientName="*"))) == 3
    dated = driver.collect(find(peer, "study", StudyDate="20000101-", PatientID=first.PatientID))
    assert [match.StudyInstanceUID for match in dated] == [first.StudyInstanceUID]
    assert len(driver.collect(find(peer, "series", **study))) == 1
    series = {**study, "SeriesInstanceUID": first.SeriesInstanceUID}
    assert len(driver.collect(find(peer, "image", **series))) == 4
    assert len(driver.collect(find(peer, "image", limit=1, **series))) == 1
    uids = {read(path).SOPInstanceUID for path in files[:4]}
    assert {ds.SOPInstanceUID for ds in driver.collect(get(peer, "study", **study))} == uids
    assert {ds.SOPInstanceUID for ds in driver.collect(move(peer, "study", port=port, **study))} == uids


@both
@needs("Orthanc")
def test_orthanc_as_provider(driver, files):
    port = peers.free_port()
    with peers.orthanc(modalities={"DICOMKIT": port}) as server:
        peers.upload(server, files)
        _ask_everything(driver, Peer(LOCALHOST, server.port, server.aet), read(files[0]), files, port)


@needs("Orthanc")
def test_orthanc_as_user(archive, files):
    where = {}
    with (
        serve_dimse(archive, ae="ARCHIVE", port=0, destinations=where) as ours,
        peers.orthanc(modalities={"ARCHIVE": ours.port}) as server,
    ):
        where["ORTHANC"] = Peer(LOCALHOST, server.port, "ORTHANC")
        first = read(files[0])
        body = b'{"Level": "Study", "Query": {"PatientID": "%s"}}' % first.PatientID.encode()
        answer = peers.rest(server, "/modalities/ARCHIVE/query", body)
        assert len(peers.rest(server, f"{answer['Path']}/answers")) == 1
        peers.rest(server, f"{answer['Path']}/retrieve", b"ORTHANC")
        peers.wait_until(lambda: len(peers.rest(server, "/instances")) == 4)


@both
def test_pynetdicom_as_user(driver, archive, files):
    pynetdicom, pydicom = pytest.importorskip("pynetdicom"), pytest.importorskip("pydicom")
    first = read(files[0])
    with served(driver, archive) as peer:
        ae = pynetdicom.AE()
        ae.add_requested_context("1.2.840.10008.5.1.4.1.2.2.1")
        ae.add_requested_context("1.2.840.10008.5.1.4.1.2.2.3")
        ae.add_requested_context("1.2.840.10008.5.1.4.1.1.2")
        role = pynetdicom.build_role("1.2.840.10008.5.1.4.1.1.2", scp_role=True)
        got = []
        handlers = [(pynetdicom.evt.EVT_C_STORE, lambda event: (got.append(event.dataset), 0)[1])]
        association = ae.associate(LOCALHOST, peer.port, ext_neg=[role], evt_handlers=handlers)
        assert association.is_established
        identifier = pydicom.Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = str(first.StudyInstanceUID)
        identifier.PatientName = ""
        answers = [ds for status, ds in association.send_c_find(identifier, "1.2.840.10008.5.1.4.1.2.2.1") if ds]
        assert [str(ds.PatientName) for ds in answers] == [str(first.PatientName)]
        del identifier.PatientName
        statuses = [status.Status for status, _ in association.send_c_get(identifier, "1.2.840.10008.5.1.4.1.2.2.3")]
        association.release()
    assert statuses[-1] == 0
    assert len(got) == 4


@both
def test_pynetdicom_as_provider(driver, files):
    pydicom = pytest.importorskip("pydicom")
    first, port = read(files[0]), peers.free_port()
    sets = [pydicom.dcmread(path) for path in files]
    with peers.pynetdicom_scp(sets, destinations={"DICOMKIT": port}) as server:
        peer = Peer(LOCALHOST, server.port, server.aet)
        study = {"StudyInstanceUID": first.StudyInstanceUID}
        assert driver.collect(find(peer, "study", **study))
        uids = {read(path).SOPInstanceUID for path in files[:4]}
        assert {ds.SOPInstanceUID for ds in driver.collect(get(peer, "study", **study))} == uids
        assert {ds.SOPInstanceUID for ds in driver.collect(move(peer, "study", port=port, **study))} == uids
