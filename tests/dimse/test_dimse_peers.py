"""The peers that other tests talk to work, as their own clients see them; the faulty proxy spoils what it should."""

import os
import ssl
import threading
import time

import peers
import pytest
from faulty_proxy import TO_CLIENT, TO_SERVER, Fault, faulty_proxy
from peers import (
    Certificates,
    dcmprscp,
    dcmqrscp,
    echoscu,
    findscu,
    getscu,
    is_listening,
    movescu,
    needs,
    orthanc,
    output_of,
    program,
    pynetdicom_scp,
    rest,
    small_instances,
    storescp,
    storescu,
    termscu,
    tls_options,
    upload,
    wait_until,
    wlmscpfs,
)

certificates = peers.certificates


@pytest.fixture(scope="module")
def instances(tmp_path_factory):
    return small_instances(tmp_path_factory.mktemp("instances"), patients=2)


def read(path):
    pydicom = pytest.importorskip("pydicom")
    return pydicom.dcmread(path, force=True)


def same_pixels(received, sent):
    """Whether two lists of files hold the same instances."""

    def content(paths):
        return {str(ds.SOPInstanceUID): ds.PixelData for ds in map(read, paths)}

    return content(received) == content(sent)


def study_of(path):
    return f"StudyInstanceUID={read(path).StudyInstanceUID}"


@needs("storescp", "echoscu", "storescu")
def test_storescp_stores_and_stops(instances):
    with storescp("--max-pdu", 4096) as server:
        echoscu(server.port).check()
        storescu(server.port, instances).check()
        assert same_pixels(server.files(), instances)
        assert "C-STORE" in server.log or "Store" in server.log
    assert not is_listening(server.port)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


@needs("storescp", "storescu")
def test_storescp_can_ignore_what_it_gets(instances, tmp_path):
    with storescp("--ignore", folder=tmp_path / "out") as server:
        storescu(server.port, instances).check()
        assert server.files() == []


@needs("storescp", "echoscu")
def test_storescp_speaks_tls_with_those_who_have_a_certificate(certificates: Certificates):
    with storescp("--fork", tls=certificates) as server:
        echoscu(server.port, *tls_options(certificates, "client")).check()
        assert echoscu(server.port).code != 0
        stranger = ["+tls", certificates.stranger.key, certificates.stranger.certificate, "+cf", certificates.authority]
        assert echoscu(server.port, *stranger).code != 0


@needs("dcmqrscp", "dcmqridx", "findscu", "getscu", "movescu", "storescp")
def test_dcmqrscp_finds_gets_and_moves(instances, tmp_path):
    with storescp(aet="DEST") as destination, dcmqrscp(instances, destinations={"DEST": destination.port}) as server:
        found = findscu(server.port, ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName"], aec=server.aet)
        assert found.check().output.count("Find Response:") >= 2
        keys = ["QueryRetrieveLevel=STUDY", study_of(instances[0])]
        getscu(server.port, keys, tmp_path, aec=server.aet).check()
        assert same_pixels(tmp_path.iterdir(), instances[:3])
        movescu(server.port, keys, "DEST", aec=server.aet).check()
        assert same_pixels(destination.files(), instances[:3])


@needs("dcmqrscp", "termscu")
def test_dcmqrscp_obeys_termscu():
    with dcmqrscp([], "--allow-shutdown", "--single-process") as server:
        assert "Rejected" in termscu(server.port, aec=server.aet).output  # how it says yes
        wait_until(lambda: not is_listening(server.port), "the shutdown")


@needs("Orthanc", "storescu", "findscu", "getscu", "movescu", "storescp")
def test_orthanc_stores_finds_gets_and_moves(instances, tmp_path):
    with storescp(aet="DEST") as destination, orthanc(modalities={"DEST": destination.port}) as server:
        storescu(server.port, instances[:3], aec=server.aet).check()
        upload(server, instances[3:])
        assert rest(server, "/statistics")["CountInstances"] == 6
        keys = ["QueryRetrieveLevel=STUDY", study_of(instances[0])]
        assert "PatientName" in findscu(server.port, [*keys, "PatientName"], aec=server.aet).check().output
        getscu(server.port, keys, tmp_path, aec=server.aet).check()
        assert same_pixels(tmp_path.iterdir(), instances[:3])
        movescu(server.port, keys, "DEST", aec=server.aet).check()
        assert same_pixels(destination.files(), instances[:3])
    assert not is_listening(server.port)
    assert not is_listening(server.http_port)


@needs("Orthanc", "echoscu")
def test_orthanc_speaks_tls(certificates: Certificates):
    with orthanc(tls=certificates, modalities={"ECHOSCU": 1}) as server:
        echoscu(server.port, *tls_options(certificates, "client"), aec=server.aet).check()
        assert echoscu(server.port, aec=server.aet).code != 0


@needs("storescu", "findscu", "getscu", "movescu", "storescp")
def test_pynetdicom_stores_finds_gets_and_moves(instances, tmp_path):
    data_sets = [read(path) for path in instances]
    with (
        storescp(aet="DEST") as destination,
        pynetdicom_scp(data_sets, destinations={"DEST": destination.port}) as server,
    ):
        storescu(server.port, instances[:2], "-usr", "me", "-pwd", "secret").check()
        assert [ds.SOPInstanceUID for ds in server.stored] == [ds.SOPInstanceUID for ds in data_sets[:2]]
        assert server.identities[0] == (2, b"me", b"secret")
        keys = ["QueryRetrieveLevel=STUDY", study_of(instances[0])]
        assert findscu(server.port, keys).check().output.count("Find Response:") >= 3
        getscu(server.port, keys, tmp_path).check()
        assert same_pixels(tmp_path.iterdir(), instances[:3])
        movescu(server.port, keys, "DEST").check()
        assert same_pixels(destination.files(), instances[:3])
        assert "released" in server.events
    wait_until(lambda: not is_listening(server.port), "the shutdown", 5)


@needs("storescu")
def test_pynetdicom_answers_with_a_status_and_over_tls(instances, certificates: Certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    context.load_verify_locations(certificates.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    with pynetdicom_scp(status=0xA700, tls=context) as server:
        done = storescu(server.port, instances[:1], *tls_options(certificates, "client"))
        assert "Refused: OutOfResources" in done.output
        assert len(server.stored) == 1


@needs("wlmscpfs", "findscu")
def test_wlmscpfs_has_a_worklist():
    dataset = pytest.importorskip("pydicom.dataset")
    item, step = dataset.Dataset(), dataset.Dataset()
    item.SpecificCharacterSet = "ISO_IR 100"
    item.AccessionNumber, item.PatientName, item.PatientID = "42", "DOE^JANE", "P1"
    item.PatientBirthDate, item.PatientSex, item.StudyInstanceUID = "19700101", "F", "1.2.3"
    item.RequestedProcedureDescription = item.RequestedProcedureID = "RP"
    step.Modality, step.ScheduledStationAETitle = "CT", "CT1"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20260101", "1200"
    step.ScheduledProcedureStepDescription = step.ScheduledProcedureStepID = "SPS"
    item.ScheduledProcedureStepSequence = [step]
    with wlmscpfs([item]) as server:
        found = findscu(server.port, ["PatientName", "AccessionNumber=42"], "-W", aec=server.aet).check()
        assert "DOE^JANE" in found.output


@needs("dcmprscp", "echoscu")
def test_dcmprscp_is_a_printer():
    with dcmprscp() as server:
        echoscu(server.port, aec=server.aet).check()


@needs("dcmdump")
def test_programs_print(instances):
    assert "CTImageStorage" in output_of("dcmdump", instances[0])


def test_what_is_not_installed_is_skipped_for_a_reason_that_can_be_made_to_fail():
    mark = needs("no-such-program", "no-other-program")
    assert mark.args == (True,)
    assert mark.kwargs["reason"] == "peer: no-such-program, no-other-program not installed"


def test_scripts_of_the_same_name_are_not_taken_for_programs(tmp_path, monkeypatch):
    script = tmp_path / "some-scu"
    script.write_text("#!/usr/bin/env python3\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.__wrapped__("some-scu") is None
    script.write_bytes(b"\x7fELF")
    assert program.__wrapped__("some-scu") == str(script)


# ---- the faulty proxy ----------------------------------------------------------------------------------------------


@needs("storescp", "storescu")
def test_a_proxy_without_fault_changes_nothing(instances):
    with storescp() as server, faulty_proxy(server.port, Fault(TO_SERVER, split=1), record=True) as proxy:
        storescu(proxy.port, instances[:1]).check()
        assert same_pixels(server.files(), instances[:1])
        assert proxy.connections == 1
        assert proxy.recorded[TO_SERVER][:1] == b"\x01"
        assert proxy.recorded[TO_CLIENT][:1] == b"\x02"
        assert proxy.passed[TO_SERVER] == len(proxy.recorded[TO_SERVER]) > 1000
        wait_until(lambda: proxy.open_sides == 0, "the end")


@needs("storescp", "storescu")
@pytest.mark.parametrize("fault", [Fault(TO_SERVER, cut_after=1000), Fault(TO_CLIENT, cut_after=100, reset=True)])
def test_a_proxy_cuts(instances, fault):
    with storescp() as server, faulty_proxy(server.port, fault) as proxy:
        assert storescu(proxy.port, instances[:1]).code != 0
        assert proxy.passed[fault.direction] == fault.cut_after


@needs("storescp", "echoscu")
def test_a_proxy_stalls_swallows_and_refuses():
    with storescp("--fork") as server:
        for fault in (Fault(TO_CLIENT, stall_after=10), Fault(TO_SERVER, swallow_after=50)):
            with faulty_proxy(server.port, fault) as proxy:
                start = time.monotonic()
                assert echoscu(proxy.port, "-ta", 1, "-td", 1, "-ts", 1, timeout=20).code != 0
                assert time.monotonic() - start > 0.9
                assert proxy.passed[fault.direction] == fault.after
        with faulty_proxy(server.port, refuse=True) as proxy:
            assert echoscu(proxy.port).code != 0


@needs("storescp", "echoscu")
def test_a_proxy_delays_and_leaves_no_thread_behind():
    before = threading.active_count()
    with storescp() as server, faulty_proxy(server.port, Fault(TO_CLIENT, delay=0.2)) as proxy:
        start = time.monotonic()
        echoscu(proxy.port).check()
        assert time.monotonic() - start > 0.5
    wait_until(lambda: threading.active_count() <= before, "the end of the threads", 5)
