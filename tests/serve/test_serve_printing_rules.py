"""What a printer takes and refuses, request by request, without any wire (PS3.4 Annex H)."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dicomkit as dk
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.normalized_provider import NormalizedRequest
from dicomkit.dimse.print_classes import (
    ANNOTATION_BOX,
    COLOUR_BOX,
    COLOUR_PRINT,
    FILM_BOX,
    FILM_SESSION,
    GREY_BOX,
    GREY_PRINT,
    PRESENTATION_LUT,
    PRINT_JOB,
    PRINTER,
    PRINTER_INSTANCE,
    REFERENCED_JOB,
)
from dicomkit.dimse.provider import Caller, Refused
from dicomkit.objects.film_pixels import FilmPicture, make_image_item
from dicomkit.serve.film_hierarchy import Hierarchy, Printer, PrintLimits
from dicomkit.serve.printing_rules import Outcome, Rules
from dicomkit.serve.printing_state import CLASSES, TRANSITIONS, perform
from dicomkit.values.tag import Tag

CALLER = Caller("USER", "PRINTER", "127.0.0.1", 1)
SYNTAX_OF = {
    PRESENTATION_LUT: PRESENTATION_LUT,
    ANNOTATION_BOX: ANNOTATION_BOX,
    PRINT_JOB: PRINT_JOB,
    COLOUR_BOX: COLOUR_PRINT,
}
EVERYTHING = frozenset(CLASSES)


class Played:
    """A hierarchy, and the requests that change it."""

    def __init__(self, meta: str = GREY_PRINT, **rules: Any) -> None:
        self.meta = meta
        self.hierarchy = Hierarchy()
        self.rules = Rules(
            **{"printer": Printer(), "limits": PrintLimits(), "negotiated": EVERYTHING, **rules}  # type: ignore[arg-type]
        )

    def ask(
        self,
        operation: str,
        sop_class: str,
        uid: str = "",
        data: DataSet | None = None,
        *,
        number: int = 0,
        attributes: tuple[str, ...] = (),
        syntax: str | None = None,
    ) -> Outcome:
        tags = tuple(map(Tag.of, attributes))
        under = syntax or SYNTAX_OF.get(sop_class, self.meta)
        asked = NormalizedRequest(operation, sop_class, uid, data, number, tags, CALLER, under, "1")
        outcome = perform(self.hierarchy, asked, self.rules)
        self.hierarchy = outcome.hierarchy
        return outcome

    def refused(self, *arguments: Any, **options: Any) -> int:
        before = self.hierarchy
        with pytest.raises(Refused) as caught:
            self.ask(*arguments, **options)
        assert self.hierarchy is before
        return caught.value.status

    def session(self, **attributes: Any) -> str:
        return str(self.ask("N-CREATE", FILM_SESSION, "1.1", DataSet(attributes)).answer.sop_instance_uid)

    def film(self, layout: str = "STANDARD\\2,2", uid: str = "", **attributes: Any) -> Outcome:
        return self.ask("N-CREATE", FILM_BOX, uid, film_data(layout, **attributes))


def film_data(layout: str = "STANDARD\\2,2", session: str = "1.1", **attributes: Any) -> DataSet:
    reference = DataSet(ReferencedSOPClassUID=FILM_SESSION, ReferencedSOPInstanceUID=session)
    return DataSet({"ImageDisplayFormat": layout, "ReferencedFilmSessionSequence": [reference], **attributes})


def image(position: int = 1, *, colour: bool = False, side: int = 4, **changes: Any) -> DataSet:
    pixels = np.zeros((side, side, 3) if colour else (side, side), np.uint8)
    item = make_image_item(FilmPicture(pixels)).assign(changes)
    sequence = "BasicColorImageSequence" if colour else "BasicGrayscaleImageSequence"
    return DataSet({"ImageBoxPosition": position, sequence: [item]})


def boxes(outcome: Outcome, sequence: str = "ReferencedImageBoxSequence") -> list[str]:
    assert outcome.answer.data is not None
    return [str(item.ReferencedSOPInstanceUID) for item in outcome.answer.data.all(sequence)]


@pytest.fixture
def played() -> Played:
    made = Played()
    made.session()
    return made


# ---- sessions and films --------------------------------------------------------------------------------------------


def test_a_film_needs_its_session() -> None:
    assert Played().refused("N-CREATE", FILM_BOX, "", film_data()) == 0x0106


def test_a_film_of_another_session_is_refused(played: Played) -> None:
    assert played.refused("N-CREATE", FILM_BOX, "", film_data(session="1.9")) == 0x0106


def test_there_is_one_session(played: Played) -> None:
    assert played.refused("N-CREATE", FILM_SESSION, "1.2", DataSet()) == 0x0111


def test_after_its_end_there_may_be_another_one(played: Played) -> None:
    played.film()
    played.ask("N-DELETE", FILM_SESSION, "1.1")
    assert played.refused("N-SET", FILM_SESSION, "1.1", DataSet()) == 0x0112
    assert played.ask("N-CREATE", FILM_SESSION, "", DataSet()).answer.sop_instance_uid


def test_memory_is_not_allocated() -> None:
    outcome = Played().ask("N-CREATE", FILM_SESSION, "1.1", DataSet(MemoryAllocation=1000))
    assert outcome.answer.status == 0xB600


@pytest.mark.parametrize(
    ("layout", "count"),
    [("STANDARD\\3,2", 6), ("ROW\\1,2,3", 6), ("COL\\2,1", 3), ("SLIDE", 56), ("SUPERSLIDE", 56), ("standard\\1,1", 1)],
)
def test_layouts_have_their_boxes(played: Played, layout: str, count: int) -> None:
    references = boxes(played.film(layout))
    assert len(set(references)) == len(references) == count


@pytest.mark.parametrize(
    "layout",
    ["CUSTOM\\1", "STANDARD", "STANDARD\\2", "STANDARD\\0,1", "STANDARD\\a,b", "2x3", "ROW\\", "COL\\-1,2", "x" * 500],
)
def test_other_layouts_are_refused(played: Played, layout: str) -> None:
    assert played.refused("N-CREATE", FILM_BOX, "", film_data(layout)) == 0x0106


def test_a_film_needs_a_layout(played: Played) -> None:
    assert played.refused("N-CREATE", FILM_BOX, "", film_data().drop("ImageDisplayFormat")) == 0x0120


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("FilmSizeID", "9INX9IN"),
        ("FilmOrientation", "SQUARE"),
        ("MagnificationType", "HUGE"),
        ("Trim", "MAYBE"),
        ("BorderDensity", "GREEN"),
        ("RequestedResolutionID", "LOW"),
        ("AnnotationDisplayFormatID", "ELSEWHERE"),
    ],
)
def test_values_that_there_are_not_are_refused(played: Played, keyword: str, value: str) -> None:
    assert played.refused("N-CREATE", FILM_BOX, "", film_data(**{keyword: value})) == 0x0106


def test_densities_out_of_range_are_a_warning(played: Played) -> None:
    assert played.film(MaxDensity=400).answer.status == 0xB605
    assert played.film(MaxDensity=300, MinDensity=30).answer.status == 0


def test_only_the_last_film_can_be_used(played: Played) -> None:
    first, second = played.film(uid="2.1"), played.film(uid="2.2")
    for operation, data, number in (("N-SET", DataSet(Trim="YES"), 0), ("N-ACTION", None, 1), ("N-DELETE", None, 0)):
        assert played.refused(operation, FILM_BOX, "2.1", data, number=number) == 0x0112
    assert played.refused("N-SET", GREY_BOX, boxes(first)[0], image()) == 0x0112
    assert played.ask("N-SET", GREY_BOX, boxes(second)[0], image()).answer.status == 0
    played.ask("N-DELETE", FILM_BOX, "2.2")
    assert played.ask("N-SET", GREY_BOX, boxes(first)[0], image()).answer.status == 0


def test_what_may_not_be_changed_of_a_film_is_told(played: Played) -> None:
    played.film(uid="2.1")
    outcome = played.ask("N-SET", FILM_BOX, "2.1", DataSet(FilmSizeID="A4", Trim="YES"))
    assert outcome.answer.status == 0x0107
    session = played.hierarchy.session
    assert session is not None
    assert session.films[0].attributes.get("FilmSizeID") is None
    assert session.films[0].attributes.Trim == "YES"


# ---- printing ------------------------------------------------------------------------------------------------------


def test_a_session_without_films_can_t_be_printed(played: Played) -> None:
    assert played.refused("N-ACTION", FILM_SESSION, "1.1", number=1) == 0xC600


def test_empty_films_are_printed_with_a_warning(played: Played) -> None:
    played.film(uid="2.1")
    assert played.ask("N-ACTION", FILM_BOX, "2.1", number=1).answer.status == 0xB603
    outcome = played.ask("N-ACTION", FILM_SESSION, "1.1", number=1)
    assert outcome.answer.status == 0xB602
    assert outcome.job is not None


def test_there_is_one_action(played: Played) -> None:
    played.film(uid="2.1")
    assert played.refused("N-ACTION", FILM_BOX, "2.1", number=2) == 0x0123


def test_a_film_or_all_films_are_printed() -> None:
    played = Played(negotiated=EVERYTHING)
    played.session(NumberOfCopies=2, FilmSessionLabel="HEADS")
    for uid in ("2.1", "2.2"):
        played.ask("N-SET", GREY_BOX, boxes(played.film(uid=uid))[0], image())
    one = played.ask("N-ACTION", FILM_BOX, "2.2", number=1)
    both = played.ask("N-ACTION", FILM_SESSION, "1.1", number=1)
    assert one.job is not None
    assert both.job is not None
    assert [film.uid for film in one.job.session.films] == ["2.2"]
    assert [film.uid for film in both.job.session.films] == ["2.1", "2.2"]
    assert (both.job.session.copies, both.job.session.label) == (2, "HEADS")
    assert both.answer.data is not None
    [reference] = both.answer.data[REFERENCED_JOB]
    assert reference.ReferencedSOPInstanceUID == both.job.uid
    got = played.ask("N-GET", PRINT_JOB, both.job.uid, attributes=("ExecutionStatus", "Originator")).answer.data
    assert got == DataSet(ExecutionStatus="DONE", Originator="USER")


def test_jobs_are_not_told_to_who_doesn_t_know_them() -> None:
    played = Played(negotiated={GREY_PRINT})
    played.session()
    played.film(uid="2.1")
    assert played.ask("N-ACTION", FILM_BOX, "2.1", number=1).answer.data is None


# ---- images --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 2, 5])
def test_an_image_has_the_position_of_its_box(played: Played, position: int) -> None:
    [first, *_] = boxes(played.film())
    assert played.refused("N-SET", GREY_BOX, first, image(position)) == 0x0106


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"SamplesPerPixel": 3}, 0x0106),
        ({"PhotometricInterpretation": "RGB"}, 0x0106),
        ({"BitsStored": 7}, 0x0106),
        ({"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}, 0x0106),
        ({"PixelRepresentation": 1}, 0x0106),
        ({"Rows": 5}, 0x0106),
        ({"Rows": 0}, 0x0106),
        ({"PixelData": bytes(400)}, 0x0106),
        ({"PixelAspectRatio": (0, 1)}, 0x0106),
        ({"Columns": None}, 0x0120),
        ({"PixelData": None}, 0x0120),
    ],
)
def test_pixels_of_another_kind_are_refused(played: Played, changes: dict[str, Any], status: int) -> None:
    [first, *_] = boxes(played.film())
    assert played.refused("N-SET", GREY_BOX, first, image(**changes)) == status


def test_an_image_can_be_replaced_and_erased(played: Played) -> None:
    [first, *_] = boxes(played.film())
    played.ask("N-SET", GREY_BOX, first, image(side=8))
    assert played.hierarchy.size == 64
    played.ask("N-SET", GREY_BOX, first, image(side=4))
    assert played.hierarchy.size == 16
    erased = DataSet({"ImageBoxPosition": 1, "BasicGrayscaleImageSequence": []})
    played.ask("N-SET", GREY_BOX, first, erased)
    assert played.hierarchy.size == 0


def test_nothing_but_the_image_is_kept_of_a_message(played: Played) -> None:
    [first, *_] = boxes(played.film())
    data = image().assign({"PatientComments": "x" * 1000, ("BasicGrayscaleImageSequence", 0, "ImageComments"): "y"})
    played.ask("N-SET", GREY_BOX, first, data)
    session = played.hierarchy.session
    assert session is not None
    [box, *_] = session.films[0].images
    assert box.image is not None
    assert "ImageComments" not in box.image
    assert "PatientComments" not in box.attributes


def test_images_larger_than_their_box(played: Played) -> None:
    played.rules = Rules(Printer(dots_per_inch=10), PrintLimits(), EVERYTHING)
    film = played.film("STANDARD\\1,1")
    [uid] = boxes(film)

    def status(**attributes: str) -> int:
        return played.ask("N-SET", GREY_BOX, uid, image(side=200).assign(attributes)).answer.status

    assert status() == 0xB604
    assert status(RequestedDecimateCropBehavior="DECIMATE") == 0xB60A
    assert status(RequestedDecimateCropBehavior="CROP") == 0xB609
    refused = image(side=200).assign(RequestedDecimateCropBehavior="FAIL")
    assert played.refused("N-SET", GREY_BOX, uid, refused) == 0xC603
    unmagnified = image(side=200).assign(RequestedDecimateCropBehavior="DECIMATE", MagnificationType="NONE")
    assert played.refused("N-SET", GREY_BOX, uid, unmagnified) == 0xC603


def test_grey_and_colour_boxes_have_classes_of_their_own(played: Played) -> None:
    [first, *_] = boxes(played.film())
    assert played.refused("N-SET", COLOUR_BOX, first, image(colour=True)) == 0x0119
    assert played.refused("N-SET", GREY_BOX, first, image(), syntax=COLOUR_PRINT) == 0x0122
    in_colour = Played(COLOUR_PRINT)
    in_colour.session()
    [first, *_] = boxes(in_colour.film())
    assert in_colour.ask("N-SET", COLOUR_BOX, first, image(colour=True)).answer.status == 0
    twelve = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    assert in_colour.refused("N-SET", COLOUR_BOX, first, image(colour=True, **twelve)) == 0x0106


# ---- the other classes ---------------------------------------------------------------------------------------------


def test_annotation_boxes_come_with_the_film_where_they_are_negotiated(played: Played) -> None:
    film = played.film(AnnotationDisplayFormatID="BOTTOM")
    first, second = boxes(film, "ReferencedBasicAnnotationBoxSequence")
    played.ask("N-SET", ANNOTATION_BOX, second, DataSet(AnnotationPosition=2, TextString="right"))
    assert played.refused("N-SET", ANNOTATION_BOX, first, DataSet(AnnotationPosition=2, TextString="no")) == 0x0106
    assert played.refused("N-SET", ANNOTATION_BOX, first, DataSet(TextString="no")) == 0x0120
    assert played.refused("N-SET", ANNOTATION_BOX, "9.9", DataSet(AnnotationPosition=1)) == 0x0112
    session = played.hierarchy.session
    assert session is not None
    assert [box.text for box in session.films[0].annotations] == ["", "right"]
    plain = Played(negotiated={GREY_PRINT})
    plain.session()
    assert boxes(plain.film(AnnotationDisplayFormatID="BOTTOM"), "ReferencedBasicAnnotationBoxSequence") == []


def lut_data(count: int = 256, bits: int = 16, first: int = 0) -> DataSet:
    return DataSet(
        PresentationLUTSequence=[DataSet(LUTDescriptor=(count, first, bits), LUTData=tuple(range(count)))],
    )


def with_lut(uid: str) -> dict[str, Any]:
    reference = DataSet(ReferencedSOPClassUID=PRESENTATION_LUT, ReferencedSOPInstanceUID=uid)
    return {"ReferencedPresentationLUTSequence": [reference]}


def test_a_lut_lives_on_in_what_refers_to_it(played: Played) -> None:
    played.ask("N-CREATE", PRESENTATION_LUT, "3.1", lut_data())
    played.film(uid="2.1", **with_lut("3.1"))
    played.ask("N-DELETE", PRESENTATION_LUT, "3.1")
    assert played.refused("N-CREATE", FILM_BOX, "", film_data(**with_lut("3.1"))) == 0x0106
    assert played.refused("N-DELETE", PRESENTATION_LUT, "3.1") == 0x0112
    session = played.hierarchy.session
    assert session is not None
    assert session.films[0].lut.table is not None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (DataSet(), 0x0120),
        (DataSet(PresentationLUTShape="INVERSE"), 0x0106),
        (lut_data().assign(PresentationLUTShape="IDENTITY"), 0x0106),
        (lut_data(100), 0x0106),
        (lut_data(bits=8), 0x0106),
        (lut_data(first=1), 0x0106),
        (DataSet(PresentationLUTSequence=[DataSet(LUTDescriptor=(256, 0, 16), LUTData=(1, 2))]), 0x0106),
    ],
)
def test_other_luts_are_refused(data: DataSet, status: int) -> None:
    assert Played().refused("N-CREATE", PRESENTATION_LUT, "", data) == status


def test_the_printer_says_how_it_is() -> None:
    played = Played(printer=Printer(name="FILM1", status="WARNING", info="SUPPLY LOW"))
    got = played.ask("N-GET", PRINTER, PRINTER_INSTANCE, attributes=("PrinterStatus", "PrinterStatusInfo"))
    assert got.answer.data == DataSet(PrinterStatus="WARNING", PrinterStatusInfo="SUPPLY LOW")
    some = played.ask("N-GET", PRINTER, PRINTER_INSTANCE, attributes=("PrinterName", "PatientID"))
    assert (some.answer.status, some.answer.data) == (0x0107, DataSet(PrinterName="FILM1"))
    assert played.refused("N-GET", PRINTER, "1.2.3") == 0x0112
    assert played.refused("N-SET", PRINTER, PRINTER_INSTANCE, DataSet()) == 0x0211


# ---- bounds --------------------------------------------------------------------------------------------------------


def test_peers_get_so_much_and_no_more() -> None:
    played = Played(limits=PrintLimits(films=1, boxes=4, pixels=10_000_000, memory=100, tables=1, copies=3, jobs=2))
    assert played.refused("N-CREATE", FILM_SESSION, "1.1", DataSet(NumberOfCopies=4)) == 0x0106
    played.session()
    assert played.refused("N-CREATE", FILM_BOX, "", film_data("ROW\\2,3")) == 0x0213
    assert played.refused("N-CREATE", FILM_BOX, "", film_data(RequestedResolutionID="HIGH")) == 0x0213
    first, second, *_ = boxes(played.film(uid="2.1"))
    assert played.refused("N-CREATE", FILM_BOX, "", film_data()) == 0x0213
    played.ask("N-SET", GREY_BOX, first, image(side=8))
    assert played.refused("N-SET", GREY_BOX, second, image(2, side=8)) == 0xC605
    assert played.ask("N-SET", GREY_BOX, first, image(side=10)).answer.status == 0
    played.ask("N-CREATE", PRESENTATION_LUT, "3.1", DataSet(PresentationLUTShape="LIN OD"))
    assert played.refused("N-CREATE", PRESENTATION_LUT, "", DataSet(PresentationLUTShape="IDENTITY")) == 0x0213
    for _ in range(4):
        played.ask("N-ACTION", FILM_BOX, "2.1", number=1)
    assert len(played.hierarchy.jobs) == 2
    assert all(not job.session.films for job in played.hierarchy.jobs)


def test_what_others_hold_counts() -> None:
    played = Played(limits=PrintLimits(memory=100), elsewhere=90)
    played.session()
    [first, *_] = boxes(played.film())
    assert played.refused("N-SET", GREY_BOX, first, image(side=4)) == 0xC605


def test_a_profile_counts_and_has_its_bound() -> None:
    played = Played(COLOUR_PRINT)
    played.session()
    assert played.refused("N-CREATE", FILM_BOX, "", film_data(ICCProfile=bytes((4 << 20) + 2))) == 0x0106
    played.film(ICCProfile=bytes(1000))
    assert played.hierarchy.size == 1000


def as_it_came(values: dict[str, str]) -> DataSet:
    """A data set with values that no writer of ours would let pass."""
    elements = {Tag.of(keyword): value.encode("latin-1") for keyword, value in values.items()}
    parts = (struct.pack("<HHI", tag.group, tag.element, len(value)) + value for tag, value in sorted(elements.items()))
    return dk.read(b"".join(parts), transfer_syntax="1.2.840.10008.1.2") if elements else DataSet()


VALUES = st.one_of(
    st.sampled_from(["", "YES", "NONE", "CUBIC", "STANDARD\\1,2", "ROW\\9999", "1.1", "2.1", "3.1", "WHITE", "150"]),
    st.text("AZ019,\\ x\x00\x1b\n\xe9", max_size=8),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(TRANSITIONS)),
            st.sampled_from(["", "1.1", "2.1", "3.1", PRINTER_INSTANCE]),
            st.dictionaries(
                st.sampled_from(["ImageDisplayFormat", "FilmSizeID", "Trim", "MagnificationType", "BorderDensity"]),
                VALUES,
                max_size=3,
            ),
            st.booleans(),
            st.integers(0, 2),
        ),
        max_size=8,
    )
)
def test_nothing_but_refusals_comes_of_odd_requests(requests: list[Any]) -> None:
    played = Played(limits=PrintLimits(films=2))
    for (sop_class, operation), uid, values, refers, number in requests:
        data = as_it_came(values).merge(DataSet(ImageBoxPosition=1, NumberOfCopies=number))
        if refers:
            data = film_data().merge(data).merge(image())
        with suppress(Refused):
            played.ask(operation, sop_class, uid, data, number=number)
    session = played.hierarchy.session
    assert session is None or len(session.films) <= 2
