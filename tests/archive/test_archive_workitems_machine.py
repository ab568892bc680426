"""Random requests to a worklist: it does, and tells, what a small model of PS3.4 CC.1.1 and CC.2.3 does and tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dicomkit.archive.workitem_rules import WorkitemError
from dicomkit.archive.workitem_states import Outcome
from dicomkit.archive.workitems import Workitems
from dicomkit.dataset.dataset import DataSet
from dicomkit.objects.procedure_step import PERFORMED, PROGRESS, discontinued, make_procedure_step, performed, progress
from dicomkit.query import query
from dicomkit.standard.procedure_steps import FILTERED, GLOBAL

AES = ("A", "B")
TRANSACTIONS = ("2.25.901", "2.25.902")
UIDS = ("2.25.1", "2.25.2")
SOME_UID = st.sampled_from((*UIDS, *UIDS, UIDS[0], "2.25.404"))
OFTEN_RIGHT = st.sampled_from((TRANSACTIONS[0], TRANSACTIONS[0], TRANSACTIONS[0], TRANSACTIONS[0], TRANSACTIONS[1], ""))
STATES = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
ROOM, READING = ("R1", "99ROOMS", "Room 1"), ("110005", "DCM", "Interpretation")
DONE, GIVEN_UP = performed(station=ROOM, workitem=READING), discontinued()

Told = list[tuple[int, str, tuple[str, ...], str | None]]
"""Type, step, receivers and state of the events that are expected."""


@dataclass
class Step:
    """What the model knows of a step."""

    priority: str
    state: str = "SCHEDULED"
    transaction: str = ""
    done: bool = False
    given_up: bool = False
    progress: int = -1
    ready: bool = True
    subscribers: dict[str, bool] = field(default_factory=dict)


class Machine(RuleBasedStateMachine):
    """The worklist, and the model of it."""

    @initialize(in_a_file=st.booleans())
    def begin(self, in_a_file: bool) -> None:
        self.folder = TemporaryDirectory() if in_a_file else None
        self.steps: dict[str, Step] = {}
        self.all: dict[tuple[str, str], bool] = {}
        self.heard: Told = []
        self.expected: Told = []
        self.open()
        for uid in UIDS:
            self.create(uid, "HIGH", "SCHEDULED")

    def open(self) -> None:
        self.worklist = Workitems(Path(self.folder.name, "worklist") if self.folder else None)
        self.worklist.listen(
            lambda events: self.heard.extend((one.number, one.uid, one.receivers, one.state) for one in events)
        )

    @precondition(lambda self: self.folder and len(self.heard) % 4 == 3)
    @rule()
    def restart(self) -> None:
        self.worklist.close()
        self.open()

    def teardown(self) -> None:
        if hasattr(self, "worklist"):
            self.worklist.close()
            if self.folder:
                self.folder.cleanup()

    def ask(self, expected: int, call: Any, *arguments: Any, **options: Any) -> bool:
        """Ask for something; the status is the expected one. Tells whether it was done."""
        outcome: Outcome | WorkitemError
        try:
            outcome = call(*arguments, **options)
        except WorkitemError as error:
            outcome = error
        assert f"{outcome.status:04X}" == f"{expected:04X}", outcome
        assert isinstance(outcome, WorkitemError) == (expected >> 12 == 0xC or expected in (0x0111, 0x0106))
        return expected == 0

    def tell(self, number: int, uid: str, *, state: str | None = None) -> None:
        receivers = tuple(sorted(self.steps[uid].subscribers))
        if receivers:
            self.expected.append((number, uid, receivers, state))

    @rule(
        uid=st.sampled_from(UIDS),
        priority=st.sampled_from(("HIGH", "LOW")),
        state=st.sampled_from(("SCHEDULED", "SCHEDULED", "IN PROGRESS")),
    )
    def create(self, uid: str, priority: str, state: str) -> None:
        there = uid in self.steps
        ds = make_procedure_step("Read", priority=priority, station=ROOM, workitem=READING).assign(
            ProcedureStepState=state
        )
        status = 0x0111 if there else 0 if state == "SCHEDULED" else 0xC309
        if not self.ask(status, self.worklist.create, ds, uid):
            return
        step = self.steps[uid] = Step(priority)
        for ae in AES:
            scopes = [scope for scope in (GLOBAL, FILTERED) if (ae, scope) in self.all]
            scopes = [scope for scope in scopes if scope == GLOBAL or priority == "HIGH"]
            if scopes:
                step.subscribers[ae] = any(self.all[ae, scope] for scope in scopes)
                self.expected += [(1, uid, (ae,), "SCHEDULED"), (5, uid, (ae,), None)]

    @rule(
        uid=SOME_UID,
        asked=st.sampled_from((*STATES, "IN PROGRESS", "COMPLETED", "CANCELED")),
        transaction=OFTEN_RIGHT,
    )
    def change_state(self, uid: str, asked: str, transaction: str) -> None:
        step = self.steps.get(uid)
        if step is None:
            status = 0xC307
        elif asked == "SCHEDULED":
            status = 0xC303
        elif not transaction or (step.transaction and transaction != step.transaction):
            status = 0xC301
        elif asked == step.state:
            status = {"IN PROGRESS": 0xC302, "COMPLETED": 0xB306, "CANCELED": 0xB304}[asked]
        elif step.state in ("COMPLETED", "CANCELED"):
            status = 0xC300
        elif asked == "IN PROGRESS":
            status = 0
        elif step.state == "SCHEDULED":
            status = 0xC310
        else:
            enough = step.done if asked == "COMPLETED" else step.given_up
            status = 0 if enough else 0xC304
        if self.ask(status, self.worklist.change_state, uid, asked, transaction):
            assert step is not None
            step.state, step.transaction = asked, step.transaction or transaction
            self.tell(1, uid, state=asked)

    @rule(
        uid=SOME_UID,
        what=st.sampled_from(("label", "done", "given up", "progress", "readiness", "patient")),
        transaction=OFTEN_RIGHT,
        percent=st.integers(0, 3),
    )
    def set(self, uid: str, what: str, transaction: str, percent: int) -> None:
        changes = {
            "label": DataSet(ProcedureStepLabel=f"label {percent}"),
            "done": DONE,
            "given up": GIVEN_UP,
            "progress": progress(percent),
            "readiness": DataSet(InputReadinessState="READY" if percent % 2 else "INCOMPLETE"),
            "patient": DataSet(PatientID="other"),
        }[what]
        step = self.steps.get(uid)
        if step is None:
            status = 0xC307
        elif step.state in ("COMPLETED", "CANCELED"):
            status = 0xC300
        elif step.state == "SCHEDULED" and transaction:
            status = 0xC310
        elif step.state == "IN PROGRESS" and transaction != step.transaction:
            status = 0xC301
        else:
            status = 0x0106 if what == "patient" else 0
        changes = changes.assign(TransactionUID=transaction) if transaction else changes
        if not self.ask(status, self.worklist.set, uid, changes):
            return
        assert step is not None
        if what == "done":
            step.done = True
        elif what == "readiness":
            if step.ready != bool(percent % 2):
                self.tell(1, uid, state=step.state)
            step.ready = bool(percent % 2)
        elif what in ("progress", "given up"):  # each replaces the item
            before = step.progress
            step.progress, step.given_up = (percent, False) if what == "progress" else (-1, True)
            if what == "progress" and before != percent:
                self.tell(3, uid)

    @rule(uid=st.sampled_from(UIDS), how=st.sampled_from(("claim", "done", "COMPLETED", "given up", "CANCELED")))
    def perform(self, uid: str, how: str) -> None:
        """Go a part of the usual way, as whoever holds the first transaction."""
        self.change_state(uid, "IN PROGRESS", TRANSACTIONS[0])
        if how != "claim":
            self.set(uid, "done" if how in ("done", "COMPLETED") else "given up", TRANSACTIONS[0], 0)
        if how in ("COMPLETED", "CANCELED"):
            self.change_state(uid, how, TRANSACTIONS[0])

    @rule(uid=SOME_UID, in_earnest=st.sampled_from((False, False, True)))
    def request_cancel(self, uid: str, in_earnest: bool) -> None:
        step = self.steps.get(uid)
        if step is not None and step.state == "SCHEDULED" and not in_earnest:
            return
        if step is None:
            status = 0xC307
        elif step.state == "IN PROGRESS":
            status = 0 if step.subscribers else 0xC312
        else:
            status = {"SCHEDULED": 0, "COMPLETED": 0xC311, "CANCELED": 0xB304}[step.state]
        if not self.ask(status, self.worklist.request_cancel, uid, requesting_ae="X"):
            return
        assert step is not None
        if step.state == "IN PROGRESS":
            self.tell(2, uid)
            return
        self.tell(1, uid, state="IN PROGRESS")
        self.tell(1, uid, state="CANCELED")
        step.state, step.given_up = "CANCELED", True
        step.transaction = "one that nobody knows"

    @rule(uid=SOME_UID, ae=st.sampled_from(AES), lock=st.booleans())
    def subscribe(self, uid: str, ae: str, lock: bool) -> None:
        step = self.steps.get(uid)
        if self.ask(0 if step else 0xC307, self.worklist.subscribe, uid, ae, lock=lock):
            assert step is not None
            step.subscribers[ae] = lock
            self.expected.append((1, uid, (ae,), step.state))

    @rule(ae=st.sampled_from(AES), lock=st.booleans(), filtered=st.booleans())
    def subscribe_to_all(self, ae: str, lock: bool, filtered: bool) -> None:
        scope = FILTERED if filtered else GLOBAL
        keys = query(None, ScheduledProcedureStepPriority="HIGH") if filtered else None
        assert self.ask(0, self.worklist.subscribe, scope, ae, lock=lock, keys=keys)
        self.all[ae, scope] = lock
        for uid, step in self.steps.items():
            if ae not in step.subscribers and (not filtered or step.priority == "HIGH"):
                step.subscribers[ae] = lock
                if lock:
                    self.expected.append((1, uid, (ae,), step.state))

    @rule(uid=SOME_UID, ae=st.sampled_from(AES))
    def unsubscribe(self, uid: str, ae: str) -> None:
        step = self.steps.get(uid)
        if self.ask(0 if step else 0xC307, self.worklist.unsubscribe, uid, ae):
            assert step is not None
            step.subscribers.pop(ae, None)

    @rule(ae=st.sampled_from(AES))
    def unsubscribe_from_all(self, ae: str) -> None:
        assert self.ask(0, self.worklist.unsubscribe, GLOBAL, ae)
        self.all = {pair: lock for pair, lock in self.all.items() if pair[0] != ae}
        for step in self.steps.values():
            step.subscribers.pop(ae, None)

    @rule(ae=st.sampled_from(AES), scope=st.sampled_from((GLOBAL, FILTERED)))
    def suspend(self, ae: str, scope: str) -> None:
        assert self.ask(0, self.worklist.suspend, scope, ae)
        self.all.pop((ae, scope), None)

    @rule(uid=st.sampled_from(UIDS), in_earnest=st.sampled_from((False, False, True)))
    def delete(self, uid: str, in_earnest: bool) -> None:
        step = self.steps.get(uid)
        if not in_earnest:
            return
        free = step is not None and not any(step.subscribers.values())
        try:
            self.worklist.delete(uid)
            assert free
            del self.steps[uid]
        except WorkitemError:
            assert not free

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        if not hasattr(self, "steps"):
            return
        assert self.heard == self.expected
        assert {item.uid: item.state for item in self.worklist} == {uid: one.state for uid, one in self.steps.items()}
        for uid, step in self.steps.items():
            found = self.worklist.get(uid)
            assert "TransactionUID" not in found
            assert bool(found.get(PERFORMED)) == step.done
            assert bool(found.get(PROGRESS)) == (step.given_up or step.progress >= 0)
            assert {one.ae: one.lock for one in self.worklist.subscriptions(uid)} == step.subscribers
        assert {(one.ae, one.uid): one.lock for one in self.worklist.subscriptions()} == self.all


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
