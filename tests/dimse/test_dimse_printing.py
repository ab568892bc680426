"""Printing as a user: to dcmprscp, and to a printer of pynetdicom that writes down what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
from dimse_drivers import BLOCKING, DRIVERS, LOCALHOST, Driver

import dicomkit as dk
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import aio, sync
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.print_classes import (
    ANNOTATION_BOX,
    COLOUR_PRINT,
    FILM_BOX,
    FILM_SESSION,
    GREY_PRINT,
    PRESENTATION_LUT,
    PRINT_JOB,
    PRINTER,
    PRINTER_INSTANCE,
)
from dicomkit.dimse.print_images import picture_of, presentation_lut, print_images
from dicomkit.dimse.print_report import PrinterEvent, PrinterStatus, PrintReport, PrintStep
from dicomkit.dimse.printing import print_films, printer_status
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import ContextNotAcceptedError, NetworkError, StatusError
from dicomkit.net.timeouts import Timeouts
from dicomkit.standard.statuses import status

WAITS = Timeouts(connect=10, read=15, write=15, artim=10)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def either(request: pytest.FixtureRequest) -> Driver:
    found: Driver = request.param
    return found


@pytest.fixture
def driver() -> Driver:
    return BLOCKING


def images(count: int, side: int = 8) -> list[Any]:
    return [np.full((side, side), 10 * number, np.uint8) for number in range(1, count + 1)]


# ---- DCMTK ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def printer() -> Iterator[peers.Server]:
    with peers.dcmprscp() as server:
        yield server


def peer_of(server: Any) -> Peer:
    return Peer(LOCALHOST, server.port, server.aet, timeouts=WAITS)


def stored(server: peers.Server, prefix: str) -> set[Path]:
    return {path for path in server.files() if path.name.startswith(prefix)}


@peers.needs("dcmprscp")
def test_dcmprscp_stores_the_films(either: Driver, printer: peers.Server) -> None:
    before = stored(printer, "SP_") | stored(printer, "HG_")
    ct = dk.samples.ct_series(3, 32)
    report: PrintReport = either.run(
        print_films(
            peer_of(printer),
            ct,
            layout="2x1",
            orientation="PORTRAIT",
            copies=2,
            priority="HIGH",
            medium="PAPER",
            destination="PROCESSOR",
            label="HEADS",
            polarity="NORMAL",
            film={"MagnificationType": "BILINEAR"},
        )
    )
    assert report.failed == ()
    assert (report.films, report.printed, report.is_colour) == (2, 2, False)
    assert report.printer is not None
    assert report.printer.can_print
    prints = [dk.read(path) for path in stored(printer, "SP_") - before]
    assert len(prints) == 2
    for stored_print in prints:
        film = stored_print["FilmBoxContentSequence", 0]
        assert film.ImageDisplayFormat == "STANDARD\\1,2"
        assert (film.FilmSizeID, film.MagnificationType) == ("14INX17IN", "BILINEAR")
    pixels = [dk.frame(dk.read(path)) for path in stored(printer, "HG_") - before]
    rendered = [dk.render(ds) for ds in ct]
    assert len(pixels) == 3
    for picture in rendered:
        assert any(np.array_equal(picture, found) for found in pixels)


@peers.needs("dcmprscp")
def test_dcmprscp_takes_12_bits_tables_and_sessions(either: Driver, printer: peers.Server) -> None:
    before = stored(printer, "SP_") | stored(printer, "HG_")
    ct = dk.samples.ct_series(3, 32)
    table = np.linspace(65535, 0, 4096).astype(np.uint16)
    report = either.run(print_films(peer_of(printer), ct, layout=(2, 1), bits=12, presentation_lut=table, collate=True))
    assert report.failed == ()
    assert report.printed == 2
    found = [dk.read(path) for path in stored(printer, "HG_") - before]
    assert {(ds.BitsAllocated, ds.BitsStored) for ds in found} == {(16, 12)}
    rendered = sorted(int(dk.render(ds).sum()) for ds in ct)
    fine = sorted(float((dk.frame(ds) / 4095 * 255).sum()) for ds in found)
    assert fine == pytest.approx(rendered, rel=0.01)
    assert max(len(np.unique(dk.frame(ds))) for ds in found) > max(len(np.unique(dk.render(ds))) for ds in ct)


@peers.needs("dcmprscp")
def test_what_dcmprscp_refuses_is_reported(driver: Driver, printer: peers.Server) -> None:
    report = driver.run(print_films(peer_of(printer), images(2), layout=(3, 3)))
    assert [(step.step, step.outcome) for step in report] == [
        ("film box", "failed"),
        ("image", "failed"),
        ("image", "failed"),
    ]
    assert report.printed == 0
    with pytest.raises(DicomError, match="0 of 1 films printed in grey, 0 of 2 images"):
        report.raise_for_failures()


@peers.needs("dcmprscp")
def test_dcmprscp_takes_no_colours(driver: Driver, printer: peers.Server) -> None:
    colour = np.full((8, 8, 3), 77, np.uint8)
    assert not driver.run(print_films(peer_of(printer), [colour])).is_colour
    with pytest.raises(ContextNotAcceptedError):
        driver.run(print_films(peer_of(printer), [colour], colour=True))
    assert driver.run(printer_status(peer_of(printer))).status == "NORMAL"


# ---- pynetdicom ----------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """What a printer was asked: the operation, the class, the data, the context."""

    requests: list[tuple[str, str, Any, str]] = field(default_factory=list)

    def of(self, operation: str, sop_class: str) -> list[Any]:
        return [data for name, asked, data, _ in self.requests if (name, asked) == (operation, sop_class)]


@contextmanager
def strange_printer(
    *syntaxes: str,
    statuses: dict[tuple[str, str], int] | None = None,
    boxes: int = 2,
    event: str = "",
    abort_at: str = "",
) -> Iterator[tuple[Peer, Asked]]:
    """A printer that answers statuses by operation and class, and reports an event after it was asked to print."""
    pynetdicom = pytest.importorskip("pynetdicom")
    from pydicom.dataset import Dataset

    asked = Asked()
    evt = pynetdicom.evt

    def reference(sop_class: str, uid: str) -> Any:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        return item

    def note(operation: str, event: Any, data: Any) -> int:
        request = event.request
        sop_class = str(getattr(request, "AffectedSOPClassUID", None) or getattr(request, "RequestedSOPClassUID", ""))
        asked.requests.append((operation, sop_class, data, str(event.context.abstract_syntax)))
        if operation == abort_at:
            event.assoc.abort()
        return (statuses or {}).get((operation, sop_class), 0)

    def create(event: Any) -> tuple[int, Any]:
        data = event.attribute_list
        code = note("N-CREATE", event, data)
        if event.request.AffectedSOPClassUID == FILM_BOX:
            data.ReferencedImageBoxSequence = [
                reference("1.2.840.10008.5.1.1.4", f"1.2.{number}") for number in range(1, boxes + 1)
            ]
            if "AnnotationDisplayFormatID" in data:
                data.ReferencedBasicAnnotationBoxSequence = [reference(ANNOTATION_BOX, "1.3.1")]
        data.AffectedSOPInstanceUID = event.request.AffectedSOPInstanceUID
        return code, data

    def change(event: Any) -> tuple[int, Any]:
        return note("N-SET", event, event.modification_list), None

    def get(event: Any) -> tuple[int, Any]:
        answer = Dataset()
        answer.PrinterStatus, answer.PrinterStatusInfo, answer.PrinterName = "NORMAL", "NORMAL", "STRANGE"
        return note("N-GET", event, list(event.request.AttributeIdentifierList or [])), answer

    def act(happened: Any) -> tuple[int, Any]:
        code = note("N-ACTION", happened, None)
        answer = Dataset()
        answer.add_new(0x21000500, "SQ", [reference(PRINT_JOB, "1.4.1")])
        if event:
            threading.Thread(target=report, args=(happened.assoc,), daemon=True).start()
        return code, answer

    def report(association: Any) -> None:
        information = Dataset()
        if event == "job":
            information.ExecutionStatusInfo = "NORMAL"
            association.send_n_event_report(information, 3, PRINT_JOB, "1.4.1")
        else:
            information.PrinterStatusInfo = "SUPPLY LOW"
            association.send_n_event_report(information, 2, PRINTER, PRINTER_INSTANCE, meta_uid=syntaxes[0])

    def delete(event: Any) -> int:
        return note("N-DELETE", event, None)

    handlers = [
        (evt.EVT_N_CREATE, create),
        (evt.EVT_N_SET, change),
        (evt.EVT_N_GET, get),
        (evt.EVT_N_ACTION, act),
        (evt.EVT_N_DELETE, delete),
    ]

    def configure(ae: Any) -> None:
        for syntax in syntaxes:
            ae.add_supported_context(syntax)

    with peers.pynetdicom_scp(handlers=handlers, configure=configure) as server:
        yield peer_of(server), asked


def test_colours_are_sent_plane_by_plane(either: Driver) -> None:
    colour = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    with strange_printer(GREY_PRINT, COLOUR_PRINT) as (peer, asked):
        report = either.run(print_films(peer, [colour, np.full((4, 4), 9, np.uint8)], layout=(1, 2)))
    assert (report.is_colour, report.printed, report.failed) == (True, 1, ())
    assert {context for *_, context in asked.requests} == {COLOUR_PRINT}
    first, second = asked.of("N-SET", "1.2.840.10008.5.1.1.4.1")
    [item] = first.BasicColorImageSequence
    assert (first.ImageBoxPosition, item.PlanarConfiguration, item.PhotometricInterpretation) == (1, 1, "RGB")
    assert item.PixelData[: colour.size] == colour.transpose(2, 0, 1).tobytes()
    assert second.BasicColorImageSequence[0].PixelData == bytes([9]) * 48


def test_the_kind_of_film_follows_from_images_and_printer(driver: Driver) -> None:
    colour, grey = np.full((4, 4, 3), 5, np.uint8), np.full((4, 4), 5, np.uint8)
    with strange_printer(GREY_PRINT, COLOUR_PRINT) as (peer, _):
        assert not driver.run(print_films(peer, [grey])).is_colour
        assert driver.run(print_films(peer, [grey], colour=True)).is_colour
    with strange_printer(COLOUR_PRINT) as (peer, _):
        assert driver.run(print_films(peer, [grey])).is_colour
    with strange_printer(GREY_PRINT) as (peer, _):
        assert not driver.run(print_films(peer, [colour])).is_colour


def test_as_many_films_as_there_are_boxes_for(driver: Driver) -> None:
    with strange_printer(GREY_PRINT, boxes=3) as (peer, asked):
        report = driver.run(print_films(peer, images(7), layout="SLIDE"))
    assert (report.films, report.printed) == (3, 3)
    positions = [data.ImageBoxPosition for data in asked.of("N-SET", "1.2.840.10008.5.1.1.4")]
    assert positions == [1, 2, 3, 1, 2, 3, 1]
    assert [name for name, sop_class, *_ in asked.requests if sop_class == FILM_BOX] == [
        "N-CREATE",
        "N-ACTION",
        "N-DELETE",
    ] * 3
    assert [name for name, sop_class, *_ in asked.requests if sop_class == FILM_SESSION] == ["N-CREATE", "N-DELETE"]


def test_a_table_and_texts_go_out_in_their_contexts(driver: Driver) -> None:
    with strange_printer(GREY_PRINT, PRESENTATION_LUT, ANNOTATION_BOX) as (peer, asked):
        report = driver.run(
            print_films(
                peer,
                images(1),
                presentation_lut=range(0, 65536, 256),
                annotations="hello",
                annotation_format="1",
                film={"Illumination": 1500},
                image={"RequestedImageSize": 120},
                polarity="REVERSE",
            )
        )
    assert report.failed == ()
    [lut] = asked.of("N-CREATE", PRESENTATION_LUT)
    assert list(lut.PresentationLUTSequence[0].LUTDescriptor) == [256, 0, 16]
    entries = lut.PresentationLUTSequence[0]["LUTData"]
    assert entries.VR == "OW"
    assert np.frombuffer(entries.value, "<u2").tolist() == list(range(0, 65536, 256))
    [film] = asked.of("N-CREATE", FILM_BOX)
    assert film.ReferencedPresentationLUTSequence[0].ReferencedSOPInstanceUID == lut.AffectedSOPInstanceUID
    assert (film.AnnotationDisplayFormatID, film.Illumination) == ("1", 1500)
    [text] = asked.of("N-SET", ANNOTATION_BOX)
    assert (text.AnnotationPosition, text.TextString) == (1, "hello")
    [box] = asked.of("N-SET", "1.2.840.10008.5.1.1.4")
    assert (box.Polarity, box.RequestedImageSize) == ("REVERSE", 120)


@pytest.mark.parametrize("event", ["printer", "job"])
def test_events_that_come_meanwhile_are_reported(either: Driver, event: str) -> None:
    with strange_printer(GREY_PRINT, PRINT_JOB, event=event) as (peer, _):
        report = either.run(print_films(peer, images(1), wait=10 if event == "job" else 1))
    expected = {
        "printer": PrinterEvent("printer", "WARNING", "SUPPLY LOW", PRINTER_INSTANCE),
        "job": PrinterEvent("print job", "DONE", "NORMAL", "1.4.1"),
    }
    assert report.events == (expected[event],)
    assert report.jobs == ("1.4.1",)


def test_warnings_are_no_failures(driver: Driver) -> None:
    statuses = {("N-SET", "1.2.840.10008.5.1.1.4"): 0xB604, ("N-ACTION", FILM_BOX): 0xB603}
    with strange_printer(GREY_PRINT, statuses=statuses) as (peer, _):
        report = driver.run(print_films(peer, images(1)))
    assert [(step.step, step.reason) for step in report.warnings] == [
        ("image", "0xB604 Image size larger than image box size, the image has been demagnified."),
        ("print", "0xB603 Film Box SOP Instance hierarchy does not contain Image Box SOP Instances (empty page)"),
    ]
    assert (report.printed, report.failed) == (1, ())
    report.raise_for_failures()


def test_films_without_any_image_are_not_printed(driver: Driver) -> None:
    with strange_printer(GREY_PRINT, statuses={("N-SET", "1.2.840.10008.5.1.1.4"): 0xC605}) as (peer, asked):
        report = driver.run(print_films(peer, images(3), layout=(1, 2)))
    assert (report.films, report.printed, len(report.failed)) == (2, 0, 3)
    assert not any(name == "N-ACTION" for name, *_ in asked.requests)


def test_images_that_can_t_be_rendered_don_t_keep_others_from_being_printed(driver: Driver, tmp_path: Path) -> None:
    broken = dk.samples.ct_series(1, 16)[0]
    (tmp_path / "text.dcm").write_text("no DICOM")
    sources = [broken.assign(PixelData=b"1234"), tmp_path / "text.dcm", *images(1)]
    with strange_printer(GREY_PRINT, boxes=4) as (peer, asked):
        report = driver.run(print_films(peer, sources, layout=(2, 2)))
    assert [step.outcome for step in report if step.step == "image"] == ["failed", "failed", "done"]
    assert [data.ImageBoxPosition for data in asked.of("N-SET", "1.2.840.10008.5.1.1.4")] == [3]
    assert report.printed == 1


def test_what_breaks_off_leaves_a_report(either: Driver) -> None:
    with strange_printer(GREY_PRINT, abort_at="N-SET") as (peer, _):
        report = either.run(print_films(peer, images(2)))
    assert isinstance(report.ended_by, NetworkError)
    assert [step.step for step in report] == ["film box"]
    with pytest.raises(DicomError, match="ended early"):
        report.raise_for_failures()


def test_what_can_t_begin_raises(driver: Driver) -> None:
    with strange_printer(GREY_PRINT, statuses={("N-CREATE", FILM_SESSION): 0x0213}) as (peer, _):
        with pytest.raises(StatusError):
            driver.run(print_films(peer, images(1)))
        with pytest.raises(ContextNotAcceptedError):
            driver.run(print_films(peer, images(1), presentation_lut="IDENTITY"))
    with peers.pynetdicom_scp() as server:
        for operation in (print_films(peer_of(server), images(1)), printer_status(peer_of(server))):
            with pytest.raises(ContextNotAcceptedError):
                driver.run(operation)


def test_a_printer_that_keeps_its_status_to_itself_prints(driver: Driver) -> None:
    with strange_printer(GREY_PRINT, statuses={("N-GET", PRINTER): 0x0110}) as (peer, _):
        report = driver.run(print_films(peer, images(1)))
    assert report.printer is None
    assert report.printed == 1


def test_the_verbs_run_in_both_worlds() -> None:
    import asyncio

    with strange_printer(GREY_PRINT) as (peer, _):
        assert sync.print_films(peer, images(1)).printed == 1
        assert sync.printer_status(peer).name == "STRANGE"
        assert asyncio.run(aio.print_films(peer, images(1))).printed == 1
        assert asyncio.run(aio.printer_status(peer)).name == "STRANGE"
        with sync.connect(peer) as pool:
            assert sync.print_films(pool, images(1)).printed == 1
            assert sync.print_films(pool, images(1)).printed == 1


# ---- arguments and values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"layout": "nonsense"},
        {"layout": (1, 2, 3)},
        {"bits": 16},
        {"copies": 0},
        {"annotations": ["a"]},
        {"presentation_lut": "INVERSE"},
        {"presentation_lut": [1, 2, 3]},
        {"presentation_lut": [70000] * 256},
        {"presentation_lut": 5},
    ],
)
def test_arguments_that_make_no_sense_fail_before_anything_is_sent(driver: Driver, options: dict[str, Any]) -> None:
    with pytest.raises(ValueFormatError):
        driver.run(print_films(Peer(LOCALHOST, 1), images(1), **options))


def test_nothing_is_nothing_to_print(driver: Driver) -> None:
    with pytest.raises(ValueFormatError, match="nothing to print"):
        driver.run(print_films(Peer(LOCALHOST, 1), []))


def test_images_are_listed_frame_by_frame(tmp_path: Path) -> None:
    series = dk.samples.ct_series(2, 16)
    paths = dk.samples.write_series(series, tmp_path)
    table = dk.scan(tmp_path)
    assert [image.name for image in print_images(table)] == [str(path) for path in table.path]
    assert len(print_images(tmp_path)) == len(paths) == 2
    several = dk.DataSet(
        {"Rows": 1, "Columns": 2, "BitsAllocated": 8, "NumberOfFrames": 3, "PixelData": b"abcdef", "PatientID": "1"}
    )
    assert [image.frame for image in print_images([several])] == [0, 1, 2]
    stacks = print_images([np.zeros((3, 4, 5)), np.zeros((2, 4, 5, 3), np.uint8), np.zeros(3), np.zeros((4, 4, 3))])
    assert [image.is_colour for image in stacks] == [False, False, False, True, True, False, False]
    assert [image.error is not None for image in stacks] == [False] * 5 + [True] * 2


def test_arrays_are_brought_to_the_bits_of_the_film() -> None:
    values = np.array([[-100.0, 0.0, 300.0]])
    [image] = print_images([values])
    assert picture_of(image, colour=False).pixels.tolist() == [[0, 64, 255]]
    assert picture_of(image, colour=False, bits=12).pixels.tolist() == [[0, 1024, 4095]]
    assert picture_of(image, colour=False, window=(0.5, 1.0)).pixels.tolist()[0][0::2] == [0, 255]
    [mask] = print_images([np.array([[True, False]])])
    assert picture_of(mask, colour=False, bits=12).pixels.tolist() == [[4095, 0]]


def test_12_bits_and_8_bits_of_an_image_agree() -> None:
    for changes in ({}, {"PhotometricInterpretation": "MONOCHROME1"}):
        ds = dk.samples.ct_series(1, 32)[0].assign(changes)
        [image] = print_images(ds)
        fine = picture_of(image, colour=False, bits=12).pixels
        coarse = picture_of(image, colour=False).pixels
        assert np.abs(fine / 4095 * 255 - coarse).max() <= 0.51


def test_pixels_that_are_no_squares_say_so() -> None:
    [image] = print_images(dk.samples.ct_series(1, 8)[0].assign(PixelSpacing=(2.0, 1.0)))
    assert picture_of(image, colour=False).aspect == 2.0


def test_a_lut_of_few_bits_is_made_finer() -> None:
    from dicomkit.pixels.lookup import LookupTable

    made = presentation_lut(LookupTable(0, np.arange(256, dtype=np.uint8), 8, "curve"), 8)
    item = made["PresentationLUTSequence", 0]
    assert (item.LUTDescriptor, item.LUTExplanation, item.LUTData[255]) == ((256, 0, 16), "curve", 65535)


def test_reports_show_what_matters() -> None:
    steps = (
        PrintStep(1, "film box", status=status(0)),
        PrintStep(1, "image", 1, "a.dcm", 0, status=status(0xB604, "Basic Grayscale Image Box N-SET")),
        PrintStep(1, "image", 2, "b.dcm", 3, error=DicomError("no\x1b[31m pixels")),
        PrintStep(1, "print", status=status(0)),
    )
    report = PrintReport(steps)
    assert repr(report).splitlines()[0] == "<PrintReport: 1 of 1 films printed in grey, 1 of 2 images>"
    assert "\x1b" not in repr(report)
    assert repr(report).splitlines()[3].startswith("failed")
    table = report.to_table()
    assert table["outcome"].tolist() == ["done", "warning", "failed", "done"]
    assert table["film"].dtype == "Int64"
    assert "b.dcm" in report._repr_html_()
    assert (len(report), report[2].position, next(iter(report)).step) == (4, 2, "film box")


def test_a_status_shows_what_the_printer_says() -> None:
    said = DataSet(PrinterStatus="FAILURE", PrinterStatusInfo="COVER OPEN", PrinterName="A<B")
    state = PrinterStatus.of(said)
    assert not state.can_print
    assert repr(state) == "<PrinterStatus A<B: FAILURE, COVER OPEN>"
    assert "A&lt;B" in state._repr_html_()
