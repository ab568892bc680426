"""The queue against a model that is a plain dictionary, through any sequence of operations."""

import itertools
import tempfile
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from dicomkit.delivery.queue import Queue
from dicomkit.dimse.outgoing import Outgoing

DESTINATIONS = ("PACS", "BACKUP")
UIDS = ("1.2.3.1", "1.2.3.2", "1.2.3.3", "2.25.7")
PATHS = ("/in/a.dcm", "/in/b.dcm")
LEASE = 60.0


@dataclass
class Row:
    """What the model knows of an entry."""

    id: int
    destination: str
    uid: str
    path: str
    priority: int
    state: str = "waiting"
    attempts: int = 0
    due: float | None = None
    lease: float | None = None
    owner: str | None = None
    turn: int = 0
    again: bool = False
    error: str | None = None

    def wait(self, *, attempts: int | None = None) -> None:
        self.state, self.due, self.lease, self.owner, self.again = "waiting", None, None, None, False
        self.attempts = self.attempts if attempts is None else attempts


@dataclass
class Model:
    """All entries, and what is paused."""

    rows: dict[int, Row] = field(default_factory=dict)
    paused: set[str | None] = field(default_factory=set)

    def undelivered(self, destination: str, uid: str) -> Row | None:
        found = [
            row
            for row in self.rows.values()
            if (row.destination, row.uid) == (destination, uid) and row.state != "delivered"
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def claimable(self, destinations: tuple[str, ...], now: float) -> list[Row]:
        """What can be claimed, the first first; what was claimed too long ago waits again."""
        if None in self.paused:
            return []
        wanted = [row for row in self.rows.values() if row.destination in destinations]
        wanted = [row for row in wanted if row.destination not in self.paused]
        for row in wanted:
            late = row.state == "sending" and row.lease is not None and row.lease <= now
            if late or (row.state == "deferred" and row.due is not None and row.due <= now):
                row.wait()
        return sorted((row for row in wanted if row.state == "waiting"), key=lambda row: (-row.priority, row.id))


class QueueMachine(RuleBasedStateMachine):
    """Operations in any order, by two openers of one file."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="queue-")
        self.now = 1_000_000.0
        self.queues = [self.opened(), self.opened()]
        self.model = Model()

    def opened(self) -> Queue:
        return Queue(f"{self.folder.name}/q", clock=lambda: self.now)

    def teardown(self) -> None:
        for queue in self.queues:
            queue.close()
        self.folder.cleanup()

    which = st.integers(0, 1)
    destination = st.sampled_from(DESTINATIONS)

    @rule(
        who=which,
        destination=destination,
        uids=st.lists(st.sampled_from(UIDS), min_size=1, max_size=6),
        path=st.sampled_from(PATHS),
        priority=st.integers(-1, 2),
        same=st.sampled_from(("replace", "keep")),
        again=st.booleans(),
        later=st.sampled_from((None, 30.0)),
    )
    def put(self, who, destination, uids, path, priority, same, again, later):
        items = [Outgoing("1.2", uid, "1.2.840.10008.1.2", bytes, path, 10) for uid in uids]
        not_before = None if later is None else self.now + later
        receipt = self.queues[who].put(
            items, destination, priority=priority, same=same, again=again, not_before=not_before
        )
        expected = {"added": 0, "merged": 0, "skipped": 0}
        delivered = {
            row.uid: row.id
            for row in self.model.rows.values()
            if row.destination == destination and row.state == "delivered"
        }
        for uid, number in zip(uids, receipt.ids, strict=True):
            row = self.model.undelivered(destination, uid)
            if not again and uid in delivered:
                expected["skipped"] += 1
                assert self.model.rows[number].uid == uid
            elif row is None:
                assert number not in self.model.rows
                row = Row(number, destination, uid, path, priority)
                self.model.rows[number] = row
                if not_before is not None:
                    row.state, row.due = "deferred", not_before
                expected["added"] += 1
            else:
                assert number == row.id
                expected["merged"] += 1
                if same == "replace":
                    unchanged = row.path == path
                    if row.state == "sending":
                        row.again = True
                    elif row.state == "dead" or not unchanged:
                        row.wait(attempts=0)
                        if not_before is not None:
                            row.state, row.due = "deferred", not_before
                    row.path, row.priority = path, max(row.priority, priority)
        assert (receipt.added, receipt.merged, receipt.skipped) == tuple(expected.values())
        assert receipt.refused == ()

    @rule(
        target=claims,
        who=which,
        most=st.integers(1, 4),
        destinations=st.sampled_from((None, "PACS", ("PACS", "BACKUP"), ())),
    )
    def claim(self, who, most, destinations):
        names = DESTINATIONS if destinations is None else (destinations,) if destinations == "PACS" else destinations
        expected = self.model.claimable(names, self.now)[:most]
        claimed = self.queues[who].claim(most, destinations=destinations, lease=LEASE)
        assert [entry.id for entry in claimed] == [row.id for row in expected]
        for entry, row in zip(claimed, expected, strict=True):
            assert entry.turn not in [other.turn for other in self.model.rows.values() if other.id == row.id]
            row.state, row.due, row.again = "sending", None, False
            row.owner, row.lease, row.turn = self.queues[who].owner, self.now + LEASE, entry.turn
            row.attempts += 1
        return multiple(*claimed)

    def held(self, entry) -> Row | None:
        """The row of a claim that is still good."""
        row = self.model.rows.get(entry.id)
        return row if row is not None and row.state == "sending" and row.turn == entry.turn else None

    @rule(who=which, entry=consumes(claims))
    def deliver(self, who, entry):
        row = self.held(entry)
        assert self.queues[who].delivered(entry) == (row is not None)
        if row is not None and row.again:
            row.wait(attempts=0)
            row.error = None
        elif row is not None:
            row.state, row.owner, row.lease, row.error = "delivered", None, None, None

    @rule(who=which, entry=consumes(claims), retry=st.sampled_from((None, 5.0, 100.0)))
    def fail(self, who, entry, retry):
        row = self.held(entry)
        retry_at = None if retry is None else self.now + retry
        assert self.queues[who].failed([entry], "no answer", category="transient", retry_at=retry_at) == (
            row is not None
        )
        if row is not None:
            row.error = "no answer"
            if row.again:
                row.wait(attempts=0)
            else:
                row.state, row.due = ("dead", None) if retry_at is None else ("deferred", retry_at)
                row.owner = row.lease = None

    @rule(who=which, entry=consumes(claims))
    def release(self, who, entry):
        row = self.held(entry)
        assert self.queues[who].release(entry) == (row is not None)
        if row is not None:
            row.wait(attempts=row.attempts - 1)

    @rule(who=which, entry=claims)
    def renew(self, who, entry):
        row = self.held(entry)
        assert self.queues[who].renew(entry, LEASE) == (row is not None)
        if row is not None:
            row.lease = self.now + LEASE

    @rule(seconds=st.sampled_from((1.0, 10.0, 61.0)))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(who=which, name=st.sampled_from((None, *DESTINATIONS)), pause=st.booleans())
    def pause_or_resume(self, who, name, pause):
        if pause:
            self.queues[who].pause(name)
            self.model.paused.add(name)
        else:
            self.queues[who].resume(name)
            self.model.paused.discard(name)
        for asked in (None, *DESTINATIONS):
            assert self.queues[1 - who].is_paused(asked) == bool({None, asked} & self.model.paused)

    @rule(who=which, name=st.sampled_from((None, *DESTINATIONS)))
    def retry(self, who, name):
        rows = [row for row in self.model.rows.values() if row.state == "deferred" and name in (None, row.destination)]
        assert self.queues[who].retry(name) == len(rows)
        for row in rows:
            row.wait()

    @rule(who=which, name=st.sampled_from((None, *DESTINATIONS)), category=st.sampled_from((None, "transient")))
    def requeue(self, who, name, category):
        rows = [row for row in self.model.rows.values() if row.state == "dead" and name in (None, row.destination)]
        assert self.queues[who].requeue(name, category=category) == len(rows)
        assert self.queues[who].requeue(name, category="security") == 0
        for row in rows:
            row.wait(attempts=0)

    @rule(
        who=which,
        name=st.sampled_from((None, *DESTINATIONS)),
        states=st.sampled_from(("dead", ("waiting", "deferred"), "delivered")),
    )
    def clear(self, who, name, states):
        gone = [
            row.id
            for row in self.model.rows.values()
            if row.state in ((states,) if isinstance(states, str) else states) and name in (None, row.destination)
        ]
        assert self.queues[who].clear(states, destination=name) == len(gone)
        for number in gone:
            del self.model.rows[number]

    @rule(who=which)
    def reopen(self, who):
        """Closing in good order gives back what was claimed."""
        owner = self.queues[who].owner
        self.queues[who].close()
        for row in self.model.rows.values():
            if row.owner == owner:
                row.wait()
        self.queues[who] = self.opened()

    @invariant()
    def they_agree(self):
        queue = self.queues[0]
        rows = sorted(self.model.rows.values(), key=lambda row: row.id)
        found = queue.entries()
        assert [
            (
                entry.id,
                entry.destination,
                entry.sop_instance_uid,
                entry.path,
                entry.priority,
                entry.state,
                entry.attempts,
                entry.next_attempt,
                entry.lease,
                entry.owner,
                entry.error,
            )
            for entry in found
        ] == [
            (
                row.id,
                row.destination,
                row.uid,
                row.path,
                row.priority,
                row.state,
                row.attempts,
                row.due,
                row.lease,
                row.owner,
                row.error,
            )
            for row in rows
        ]
        counts = queue.counts()
        for state, group in itertools.groupby(sorted(row.state for row in rows)):
            assert counts[state] == len(list(group))
        assert sum(counts.values()) == len(rows)

    @invariant()
    def the_next_time_is_when_something_can_be_claimed(self):
        time = self.queues[1].next_time()
        open_rows = [row for row in self.model.rows.values() if not {None, row.destination} & self.model.paused]
        times = [
            0.0 if row.state == "waiting" else row.due if row.state == "deferred" else row.lease
            for row in open_rows
            if row.state in ("waiting", "deferred", "sending")
        ]
        assert time == min(times, default=None)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
