"""A printer of ours on a wire: DCMTK, pynetdicom and our user print to it; its events, files, and what it forgets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, Driver
from PIL import Image

import dicomkit as dk
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import Proposal
from dicomkit.dimse.normalized import Reply, request
from dicomkit.dimse.normalized_provider import with_services
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import using
from dicomkit.dimse.print_classes import (
    COLOUR_PRINT,
    FILM_BOX,
    FILM_SESSION,
    GREY_BOX,
    GREY_PRINT,
    PRESENTATION_LUT,
    PRINT_JOB,
    PRINTER,
    PRINTER_INSTANCE,
)
from dicomkit.dimse.print_report import PrinterEvent, PrintReport
from dicomkit.dimse.printing import print_films, printer_status
from dicomkit.dimse.provider import Provider, provide
from dicomkit.dimse.steps import Operation
from dicomkit.errors import SourceError, ValueFormatError
from dicomkit.net.errors import ContextNotAcceptedError, StatusError
from dicomkit.objects.film_pixels import FilmPicture, make_image_item
from dicomkit.serve.film_hierarchy import Printer, PrintLimits
from dicomkit.serve.print_management import printing
from dicomkit.serve.printed_files import PrintedFilm

COARSE = Printer(dots_per_inch=25.4)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> Driver:
    found: Driver = request.param
    return found


@contextmanager
def printer(driver: Driver, into: Any, **options: Any) -> Iterator[Peer]:
    options.setdefault("printer", COARSE)
    provider = with_services(Provider({}, lambda _: ()), [printing(into, **options)])
    with driver.serve(lambda wire, address: provide(provider, wire, address)) as port:
        yield Peer(LOCALHOST, port, "PRINTER")


def flat(value: int) -> Any:
    return np.full((8, 8), value, np.uint8)


# ---- our own user --------------------------------------------------------------------------------------------------


def test_films_are_printed_where_the_layout_says(driver: Driver) -> None:
    films: list[PrintedFilm] = []
    values = [30, 60, 90, 120, 150, 180, 210, 240]
    with printer(driver, films.append) as peer:
        report: PrintReport = driver.run(
            print_films(peer, [flat(value) for value in values], layout="2x3", film_size="A4", copies=2, label="HEADS")
        )
    assert (report.films, report.printed, report.failed, report.is_colour) == (2, 2, (), False)
    first, second = films
    assert (first.size, first.copies, first.label, first.count) == ((210.0, 297.0), 2, "HEADS", 1)
    cells = [(row, column) for row in (74, 223) for column in (35, 105, 175)]
    assert [int(first.picture[cell]) for cell in cells] == values[:6]
    assert [int(second.picture[cell]) for cell in cells] == [210, 240, 0, 0, 0, 0]
    assert first.caller is not None
    assert first.caller.calling_aet == "DICOMKIT"


def test_colours_are_printed_in_colour(driver: Driver) -> None:
    films: list[PrintedFilm] = []
    colour = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    with printer(driver, films.append) as peer:
        report = driver.run(print_films(peer, [colour, flat(90)], layout=(1, 2), film_size="A4"))
        grey = driver.run(print_films(peer, [colour], colour=False, film_size="A4"))
    assert (report.is_colour, grey.is_colour) == (True, False)
    assert films[0].picture[148, 52].tolist() == [200, 100, 50]
    assert films[0].picture[148, 157].tolist() == [90, 90, 90]
    assert films[1].picture[148, 105] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_a_printer_without_colours_gets_greys(driver: Driver) -> None:
    films: list[PrintedFilm] = []
    colour = np.full((8, 8, 3), 77, np.uint8)
    with printer(driver, films.append, colour=False) as peer:
        report = driver.run(print_films(peer, [colour], film_size="A4"))
        with pytest.raises(ContextNotAcceptedError):
            driver.run(print_films(peer, [colour], colour=True))
    assert not report.is_colour
    assert films[0].picture[148, 105] == 77


def test_a_session_is_one_job_and_one_document(driver: Driver, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    images = [flat(value) for value in (50, 100, 150)]
    with printer(driver, folder, formats=("png", "pdf")) as peer:
        report = driver.run(print_films(peer, images, collate=True, wait=10, film_size="A4"))
    assert (report.films, report.printed, len(report.jobs)) == (3, 3, 1)
    assert report.events == (PrinterEvent("print job", "DONE", "NORMAL", report.jobs[0]),)
    pictures = sorted(folder.glob("*.png"))
    assert [int(np.asarray(Image.open(path))[148, 105]) for path in pictures] == [50, 100, 150]
    [document] = folder.glob("*.pdf")
    assert document.read_bytes().count(b"/Type /Page ") == 3


def test_each_film_is_a_job_otherwise(driver: Driver, tmp_path: Path) -> None:
    with printer(driver, tmp_path, formats=("pdf",)) as peer:
        report = driver.run(print_films(peer, [flat(1), flat(2)], wait=10))
    assert len(set(report.jobs)) == len(report.jobs) == 2
    assert {event.sop_instance_uid for event in report.events} == set(report.jobs)
    assert len(list(tmp_path.glob("*.pdf"))) == 2


def test_tables_and_texts_arrive(driver: Driver) -> None:
    films: list[PrintedFilm] = []
    inverse = range(65535, -1, -257)
    with printer(driver, films.append, printer=Printer(dots_per_inch=100)) as peer:
        report = driver.run(
            print_films(
                peer,
                [flat(50)],
                presentation_lut=inverse,
                annotations=["some text"],
                annotation_format="TITLE",
                film={"BorderDensity": "WHITE", "Trim": "NO"},
            )
        )
        twelve = driver.run(print_films(peer, [flat(50)], bits=12, presentation_lut="IDENTITY"))
    assert not report.failed
    assert not twelve.failed
    middle = films[0].picture.shape[0] // 2, films[0].picture.shape[1] // 2
    assert films[0].picture[middle] == 205
    assert films[1].picture[middle] == 50
    strip = films[0].picture[:30, :300]
    assert strip.min() < 60
    assert strip.max() == 255


def test_texts_without_a_box_have_failed(driver: Driver) -> None:
    with printer(driver, lambda film: None) as peer:
        report = driver.run(print_films(peer, [flat(1)], annotations=["a", "b"], annotation_format="LABEL"))
    assert [(step.step, step.outcome) for step in report if step.step == "annotation"] == [
        ("annotation", "done"),
        ("annotation", "failed"),
    ]
    assert report.printed == 1


def test_the_printer_says_how_it_is(driver: Driver) -> None:
    with printer(driver, lambda film: None, printer=Printer("FILM1", status="WARNING", info="SUPPLY LOW")) as peer:
        status = driver.run(printer_status(peer))
    assert (status.status, status.info, status.name, status.can_print) == ("WARNING", "SUPPLY LOW", "FILM1", True)


def test_a_change_of_the_printer_is_told_once(driver: Driver) -> None:
    states = iter([Printer(), Printer(), *[Printer(status="WARNING", info="SUPPLY LOW")] * 50])
    with printer(driver, lambda film: None, printer=lambda: next(states)) as peer:
        report = driver.run(print_films(peer, [flat(1)]))
    assert report.printer is not None
    assert report.printer.status == "NORMAL"
    assert report.events == (PrinterEvent("printer", "WARNING", "SUPPLY LOW", PRINTER_INSTANCE),)
    assert report.printed == 1


# ---- what fails ----------------------------------------------------------------------------------------------------


def test_a_film_that_can_t_be_written_is_not_printed(driver: Driver, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with printer(driver, folder) as peer:
        folder.rmdir()
        report = driver.run(print_films(peer, [flat(1)]))
    [failed] = report.failed
    assert failed.step == "print"
    assert failed.status is not None
    assert failed.status.code == 0x0213
    assert str(tmp_path) not in failed.reason
    assert report.printed == 0


def fail(film: PrintedFilm) -> None:
    raise KeyError("a fault of the callback")


def test_a_callback_that_fails_fails_the_print(driver: Driver) -> None:
    with printer(driver, fail) as peer:
        report = driver.run(print_films(peer, [flat(1)]))
    assert [(step.step, step.status.code if step.status else 0) for step in report.failed] == [("print", 0x0110)]


@pytest.mark.parametrize("end", ["released", "aborted"])
def test_films_are_forgotten_with_their_association(driver: Driver, end: str) -> None:
    films: list[PrintedFilm] = []
    images = [np.zeros((100, 100), np.uint8)] * 2
    with printer(driver, films.append, limits=PrintLimits(memory=25_000)) as peer:
        for _ in range(3):
            with suppress(ZeroDivisionError):
                driver.run(using(peer, Proposal.of(GREY_PRINT), partial(leave_films_behind, end)))
        report = driver.run(print_films(peer, images, layout=(1, 2)))
    assert not report.failed
    assert len(films) == 1


def leave_films_behind(end: str, association: Association) -> Operation:
    """Create a film with two images, and go away."""
    session = yield from request(
        association, "N-CREATE", FILM_SESSION, "1.1", DataSet(NumberOfCopies=1), under=GREY_PRINT
    )
    reference = DataSet(ReferencedSOPClassUID=FILM_SESSION, ReferencedSOPInstanceUID=session.sop_instance_uid)
    data = DataSet(ImageDisplayFormat="STANDARD\\2,1", ReferencedFilmSessionSequence=[reference])
    film: Reply = yield from request(association, "N-CREATE", FILM_BOX, None, data, under=GREY_PRINT)
    assert film.data is not None
    item = make_image_item(FilmPicture(np.zeros((100, 100), np.uint8)))
    for position, box in enumerate(film.data.ReferencedImageBoxSequence, 1):
        image = DataSet(ImageBoxPosition=position, BasicGrayscaleImageSequence=[item])
        yield from request(association, "N-SET", GREY_BOX, box.ReferencedSOPInstanceUID, image, under=GREY_PRINT)
    if end == "aborted":
        raise ZeroDivisionError


def test_classes_alone_are_not_accepted(driver: Driver) -> None:
    def body(association: Association) -> Operation:
        yield from request(association, "N-CREATE", FILM_SESSION, "1.1", DataSet())

    with printer(driver, fail) as peer, pytest.raises(ContextNotAcceptedError):
        driver.run(using(peer, Proposal.of(FILM_SESSION), body))


def test_a_lut_has_a_context_of_its_own(driver: Driver) -> None:
    def body(association: Association) -> Operation:
        data = DataSet(PresentationLUTShape="IDENTITY")
        yield from request(association, "N-CREATE", PRESENTATION_LUT, "3.1", data, under=GREY_PRINT)

    with printer(driver, fail) as peer, pytest.raises(StatusError) as caught:
        driver.run(using(peer, Proposal.of(GREY_PRINT, PRESENTATION_LUT), body))
    assert caught.value.status.code == 0x0122


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueFormatError):
        printing(tmp_path, formats=("tiff",))  # type: ignore[arg-type]
    (tmp_path / "file").touch()
    with pytest.raises(SourceError):
        printing(tmp_path / "file")


# ---- DCMTK and pynetdicom ------------------------------------------------------------------------------------------


@peers.needs("dcmpsprt", "dcmprscu")
@pytest.mark.parametrize("options", [(), ("--session-print",), ("--monochrome1",)], ids=["film", "session", "inverted"])
def test_dcmprscu_prints(tmp_path: Path, options: tuple[str, ...]) -> None:
    films: list[PrintedFilm] = []
    pixels = np.zeros((2, 16, 16), np.uint16)
    pixels[0, :8], pixels[1, 8:] = 4000, 2000
    files = []
    for number, values in enumerate(pixels):
        ds = dk.samples.ct_series(1, 16)[0]
        uid = f"1.2.3.{number}"
        window = {"WindowCenter": 2048, "WindowWidth": 4096, "RescaleIntercept": 0, "RescaleSlope": 1}
        ds = ds.assign(PixelData=values.tobytes(), PixelRepresentation=0, SOPInstanceUID=uid, **window)
        files.append(tmp_path / f"{number}.dcm")
        dk.write(ds, files[-1])
    job = ["--layout", 1, 2, "--filmsize", "8INX10IN", "--identity", "--annotation", "hello", "--border", "WHITE"]
    with dk.serve_dimse(services=[printing(films.append, printer=Printer(dots_per_inch=100))], port=0) as server:
        more = "Annotation = 1\\LABEL\n"
        peers.dcmprscu(server.port, files, tmp_path / "work", *options, job=job, more=more).check()
    [film] = films
    assert (film.size, film.picture.shape) == ((203.2, 254.0), (1000, 800))
    upper, lower = film.picture[100, 400], film.picture[390, 400]
    assert upper > 230
    assert lower < 10
    assert film.picture[580, 400] < 10
    assert 100 < film.picture[860, 400] < 150
    assert film.picture[970:, 10:400].min() < 60 < 255 == film.picture[2, 2]


def scu(*syntaxes: str) -> Any:
    pynetdicom = pytest.importorskip("pynetdicom")
    ae = pynetdicom.AE("SCU")
    ae.network_timeout = ae.dimse_timeout = ae.acse_timeout = 60
    for syntax in syntaxes:
        ae.add_requested_context(syntax)
    return ae


def pydicom_set(**elements: Any) -> Any:
    from pydicom.dataset import Dataset

    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def test_pynetdicom_prints_in_colour_and_gets_events() -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    films: list[PrintedFilm] = []
    events: list[tuple[str, int, Any]] = []
    told = threading.Event()

    def listen(event: Any) -> tuple[int, Any]:
        events.append((str(event.request.AffectedSOPClassUID), event.event_type, event.event_information))
        told.set()
        return 0, None

    with dk.serve_dimse(services=[printing(films.append, printer=COARSE)], port=0) as server:
        handlers = [(pynetdicom.evt.EVT_N_EVENT_REPORT, listen)]
        association = scu(COLOUR_PRINT, PRINT_JOB).associate(LOCALHOST, server.port, evt_handlers=handlers)
        assert association.is_established
        status, printer_data = association.send_n_get([0x21100010], PRINTER, PRINTER_INSTANCE, meta_uid=COLOUR_PRINT)
        assert (status.Status, printer_data.PrinterStatus) == (0, "NORMAL")
        ask: Callable[..., Any] = association.send_n_create
        status, _ = ask(pydicom_set(NumberOfCopies="1"), FILM_SESSION, "1.2.1", meta_uid=COLOUR_PRINT)
        assert status.Status == 0
        session = pydicom_set(ReferencedSOPClassUID=FILM_SESSION, ReferencedSOPInstanceUID="1.2.1")
        film = pydicom_set(ImageDisplayFormat="STANDARD\\1,1", FilmSizeID="A4", ReferencedFilmSessionSequence=[session])
        status, made = ask(film, FILM_BOX, "1.2.2", meta_uid=COLOUR_PRINT)
        assert status.Status == 0
        [box] = made.ReferencedImageBoxSequence
        image = pydicom_set(
            SamplesPerPixel=3,
            PhotometricInterpretation="RGB",
            PlanarConfiguration=1,
            Rows=4,
            Columns=4,
            BitsAllocated=8,
            BitsStored=8,
            HighBit=7,
            PixelRepresentation=0,
            PixelData=b"\xc8" * 16 + b"\x64" * 16 + b"\x32" * 16,
        )
        image["PixelData"].VR = "OB"
        data = pydicom_set(ImageBoxPosition=1, BasicColorImageSequence=[image])
        uid = box.ReferencedSOPInstanceUID
        status, _ = association.send_n_set(data, box.ReferencedSOPClassUID, uid, meta_uid=COLOUR_PRINT)
        assert status.Status == 0
        status, reply = association.send_n_action(None, 1, FILM_BOX, "1.2.2", meta_uid=COLOUR_PRINT)
        assert status.Status == 0
        assert reply is not None
        job = reply[0x21000500][0].ReferencedSOPInstanceUID
        assert told.wait(60)
        status, said = association.send_n_get([0x21000020], PRINT_JOB, job)
        assert (status.Status, said.ExecutionStatus) == (0, "DONE")
        status = association.send_n_delete(FILM_SESSION, "1.2.1", meta_uid=COLOUR_PRINT)
        assert status.Status == 0
        association.release()
        assert association.is_released
    [(sop_class, number, information)] = events
    assert (sop_class, number, information.ExecutionStatusInfo) == (PRINT_JOB, 3, "NORMAL")
    [printed] = films
    assert printed.picture[148, 105].tolist() == [200, 100, 50]


def test_pynetdicom_is_refused_with_the_statuses_of_the_standard() -> None:
    with dk.serve_dimse(services=[printing(lambda film: None, colour=False)], port=0) as server:
        association = scu(GREY_PRINT, COLOUR_PRINT).associate(LOCALHOST, server.port)
        assert [context.abstract_syntax for context in association.accepted_contexts] == [GREY_PRINT]
        status, _ = association.send_n_action(None, 1, FILM_BOX, "1.2.2", meta_uid=GREY_PRINT)
        assert status.Status == 0x0112
        status, _ = association.send_n_create(
            pydicom_set(PrintPriority="LOW"), FILM_SESSION, "1.2.1", meta_uid=GREY_PRINT
        )
        assert status.Status == 0
        status, _ = association.send_n_action(None, 1, FILM_SESSION, "1.2.1", meta_uid=GREY_PRINT)
        assert status.Status == 0xC600
        status, _ = association.send_n_set(pydicom_set(Trim="NO"), GREY_BOX, "1.9", meta_uid=GREY_PRINT)
        assert status.Status == 0x0112
        association.release()
