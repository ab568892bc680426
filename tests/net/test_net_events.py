"""Events and what consumes them: logging, metrics, ladder; text from the wire that can do no harm."""

import dataclasses
import logging
import pickle
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomkit.net.events import Event, at_least, describe, now, to_all, to_logging
from dicomkit.net.exchanges import exchanges
from dicomkit.net.ladder_diagram import ladder
from dicomkit.net.measures import metrics
from dicomkit.net.printable import printable


class Command(dict):
    """A command set as events carry it."""

    def __init__(self, name, **elements):
        super().__init__(elements)
        self.name = name


def message(way, name, time, *, peer="PACS", association="1", size=None, **elements):
    data = {"command": Command(name, **elements)}
    if size is not None:
        data["bytes"] = size
    return Event(f"message {way}", peer=peer, association=association, data=data, time=time)


def store(number, start, end, status=0, **more):
    return [
        message("sent", "C-STORE-RQ", start, MessageID=number, **more),
        message("received", "C-STORE-RSP", end, MessageIDBeingRespondedTo=number, Status=status),
    ]


@given(st.text() | st.binary(), st.integers(1, 50))
@example("\u202e\u2066\r\n\x1b]0;x\x07", 50)
@example(b"\xff\xfe\x00" * 40, 50)
def test_printable_text_is_bounded_and_can_be_printed(text, limit):
    safe = printable(text, limit)
    assert len(safe) <= limit
    assert safe.isprintable()
    assert "\n" not in safe
    safe.encode("utf-8")


@given(st.text(max_size=20), st.text(max_size=20))
def test_printable_text_can_not_be_taken_for_another(one, other):
    assert (printable(one, 10**6) == printable(other, 10**6)) == (one == other)


def test_printable_takes_time_by_the_limit_and_not_by_the_text():
    assert len(printable(b"\0" * 50_000_000, 16)) == 16
    assert printable(memoryview(b"abc")) == "abc"


def test_events_are_frozen_values():
    event = Event("message sent", peer="A")
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.peer = "B"
    assert pickle.loads(pickle.dumps(event)) == event
    assert now() <= event.time + 1


@pytest.mark.parametrize(
    ("name", "data", "direction"),
    [
        ("message sent", {}, "sent"),
        ("message received", {}, "received"),
        ("association requested", {}, "sent"),
        ("association requested", {"direction": "received"}, "received"),
        ("state changed", {}, ""),
    ],
)
def test_directions(name, data, direction):
    assert Event(name, data=data).direction == direction


def test_what_is_done_with_an_instance_goes_no_way():
    assert Event("instance refused", category="storage").direction == ""
    assert Event("connection refused", category="security").direction == ""


def test_a_log_line_can_not_be_forged(caplog):
    logger = logging.getLogger("test.net")
    consume = to_logging(logger)
    with caplog.at_level(logging.INFO, "test.net"):
        consume(
            Event("association requested", "warning", peer="EVIL\nERROR root: all is lost", data={"aet": "\x1b[2J"})
        )
        consume(Event("message sent", "debug"))
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.event.peer.startswith("EVIL")
    assert "\n" not in record.getMessage()
    assert "\x1b" not in record.getMessage()
    assert "EVIL\\nERROR" in record.getMessage()


def test_a_log_line_is_bounded():
    assert len(describe(Event("x" * 9999, peer="p" * 9999, data={"k" * 9999: "v" * 9999}))) < 500


def test_consumers_can_be_combined():
    everything, serious = [], []
    consume = to_all(everything.append, at_least("warning", serious.append))
    for level in ("debug", "info", "warning", "error"):
        consume(Event("x", level))
    assert [event.level for event in everything] == ["debug", "info", "warning", "error"]
    assert [event.level for event in serious] == ["warning", "error"]


def test_exchanges_are_matched_by_association_side_and_message_id():
    events = [
        message("sent", "C-STORE-RQ", 1.0, MessageID=1, association="a"),
        message("sent", "C-STORE-RQ", 1.1, MessageID=1, association="b"),
        message("received", "C-ECHO-RQ", 1.2, MessageID=1, association="b"),
        message("received", "C-STORE-RSP", 2.0, MessageIDBeingRespondedTo=1, Status=0xA700, association="b"),
        message("sent", "C-ECHO-RSP", 2.5, MessageIDBeingRespondedTo=1, Status=0, association="b"),
        message("received", "C-STORE-RSP", 3.0, MessageIDBeingRespondedTo=1, Status=0, association="a"),
        message("received", "C-STORE-RSP", 3.0, MessageIDBeingRespondedTo=9, Status=0, association="a"),
    ]
    found = list(exchanges(events))
    assert [(entry.association, entry.operation, entry.is_user, entry.status.category) for entry in found] == [
        ("b", "C-STORE", True, "Failure"),
        ("b", "C-ECHO", False, "Success"),
        ("a", "C-STORE", True, "Success"),
    ]
    assert [round(entry.seconds, 6) for entry in found] == [0.9, 1.3, 2.0]


def test_pending_responses_end_nothing():
    events = [message("sent", "C-FIND-RQ", 0.0, MessageID=3)]
    events += [
        message("received", "C-FIND-RSP", n, MessageIDBeingRespondedTo=3, Status=0xFF00, size=10) for n in range(1, 6)
    ]
    [running] = exchanges(events)
    assert (running.responses, running.status, running.seconds, running.answered) == (5, None, None, 1)
    [done] = exchanges([*events, message("received", "C-FIND-RSP", 9.0, MessageIDBeingRespondedTo=3, Status=0)])
    assert (done.responses, done.seconds, done.received) == (6, 9.0, 50)


def test_metrics_fold_latency_and_throughput():
    events = []
    for number in range(1, 21):
        events += store(number, number, number + number / 100, 0xA700 if number == 20 else 0, size=1000)
    events += [message("sent", "C-STORE-RQ", 21.0, MessageID=21, size=1000)]
    [row] = metrics(events).rows
    assert (row.peer, row.operation, row.role) == ("PACS", "C-STORE", "user")
    assert (row.requests, row.failures, row.unanswered, row.bytes) == (21, 1, 1, 21_000)
    assert row.median == pytest.approx(0.10)
    assert row.slowest_twentieth == pytest.approx(0.19)
    assert row.slowest == pytest.approx(0.20)
    assert row.seconds == pytest.approx(20.0)
    assert row.bytes_per_second == pytest.approx(1050)
    table = metrics(events).to_table()
    assert table.loc[0, "requests"] == 21
    assert "C-STORE" in metrics(events)._repr_html_()


def test_metrics_of_nothing():
    assert metrics([]).rows == ()
    assert len(metrics([]).to_table()) == 0
    assert "<script" not in metrics([])._repr_html_()


def test_a_ladder_is_drawn_without_script_and_escapes_names():
    events = [
        Event("association requested", peer="<b>\n&", association="1", time=0.0),
        *(dataclasses.replace(event, peer="<b>\n&") for event in store(1, 0.1, 0.2, 0xA700)),
    ]
    html = ladder(events)._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    [svg] = re.findall(r"<svg.*</svg>", html, re.DOTALL)
    root = ElementTree.fromstring(svg)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "C-STORE-RSP #1 0xA700 Failure" in texts
    assert "var(--dk-bad)" in html
    assert "<b>\\n&" in texts


def test_a_ladder_is_bounded_and_says_what_it_leaves_out():
    drawn = ladder([Event("message sent", time=float(n)) for n in range(500)], max_rows=100)
    assert repr(drawn) == "<Ladder of 500 events>"
    assert "400 more events" in drawn._repr_html_()
    assert len(str(drawn).splitlines()) == 100
    assert str(ladder([])) == ""
    assert "<svg" not in ladder([])._repr_html_()


def test_each_association_has_a_ladder_of_its_own():
    events = [Event("message sent", association=str(n % 2), time=float(n)) for n in range(6)]
    assert ladder(events)._repr_html_().count("<svg") == 2
