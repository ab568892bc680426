"""Unified procedure steps, and who is told of them: a worklist in memory or in an SQLite file (PS3.4 CC).

It knows neither DIMSE nor HTTP: a provider of either asks it, and delivers the events that come of what was asked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from dicomkit.archive import workitem_states as states
from dicomkit.archive.workitem_listeners import Listener, Listeners
from dicomkit.archive.workitem_rules import WorkitemError, new_step
from dicomkit.archive.workitem_search import matching, only_allowed
from dicomkit.archive.workitem_states import INVALID_ARGUMENT, Outcome, Workitem, failure
from dicomkit.archive.workitem_subscriptions import move, subscribe, subscribed_to_all, to_subscribers, unsubscribe
from dicomkit.archive.workitem_tables import Subscription, WorkitemTables
from dicomkit.dataset.dataset import DataSet
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import Keys, Query, query, response
from dicomkit.standard.procedure_steps import FILTERED, GLOBAL, IN_PROGRESS, transition
from dicomkit.values.uid import UID, new_uid

if TYPE_CHECKING:
    import pandas as pd

INVALID_INSTANCE = 0x0117
LOCK_NOT_GRANTED, NOT_APPROPRIATE = 0xB301, 0xC314
NOT_CONTACTED, CHOOSES_NOT_TO_CANCEL = 0xC312, 0xC313

_COLUMNS = (
    *("ProcedureStepLabel", "ProcedureStepState", "ScheduledProcedureStepPriority", "PatientName", "PatientID"),
    *("ScheduledProcedureStepStartDateTime", "InputReadinessState", "WorklistLabel", "SOPInstanceUID"),
)


class Workitems:
    """A worklist of unified procedure steps.

    Every request is one transaction: it happens whole or not at all, and events are handed out after it has happened.
    What is refused raises a WorkitemError with the status of the standard. All methods may be called from any thread.

    Parameters
    ----------
    path
        An SQLite file, which is made where it isn't there; None keeps all in memory.
    worklist
        The Worklist Label of steps that come without one.
    keep
        Seconds for which a step stays after its end; longer where somebody has a deletion lock.
    most, most_bytes
        How many steps there may be, and how large one may be; those that ended first make room.
    most_subscribers
        How many AE titles may be subscribed.
    deletion_locks
        Whether deletion locks are granted.
    cancels
        Where the steps are performed by this program: told of a request to cancel one that is in progress, and says
        whether it is cancelled. None: by others, who are told of it by an event.
    clock
        Tells the time.

    Examples
    --------
    >>> from dicomkit.objects.procedure_step import make_procedure_step
    >>> worklist = Workitems()
    >>> step = worklist.create(make_procedure_step("Report"))
    >>> worklist.change_state(step.uid, "IN PROGRESS", "2.25.1")
    <Outcome ...: 0x0000, 0 events>
    >>> [match.ProcedureStepLabel for match in worklist.search(ProcedureStepState="IN PROGRESS")]
    ['Report']
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        worklist: str = "Worklist",
        keep: float = 86_400.0,
        most: int = 100_000,
        most_bytes: int = 1 << 20,
        most_subscribers: int = 256,
        deletion_locks: bool = True,
        cancels: Callable[[Workitem, DataSet], bool] | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.worklist, self.keep, self.most, self.most_bytes = worklist, keep, most, most_bytes
        self.most_subscribers, self.deletion_locks = most_subscribers, deletion_locks
        self._cancels, self._clock = cancels, clock
        self._tables, self._in_a_file = WorkitemTables(path), path is not None
        self._lock = threading.RLock()
        self._listeners = Listeners()

    # ---- requests --------------------------------------------------------------------------------------------------

    def create(self, step: DataSet, uid: str | None = None) -> Outcome:
        """Create a step (N-CREATE, PS3.4 CC.2.5).

        Parameters
        ----------
        step
            What `dicomkit.objects.procedure_step.make_procedure_step` gives, or a peer sent.
        uid
            Its SOP Instance UID; a new one where nobody says.

        Raises
        ------
        WorkitemError
            When it is there already, lacks something, or there is no room.
        """
        name = str(uid or step.get("SOPInstanceUID") or new_uid())
        if not UID(name).is_valid:
            raise WorkitemError("the SOP Instance UID is none", status=INVALID_INSTANCE)
        now = self._clock()
        with self._transaction() as events:
            known = self._tables.get(name)
            found = transition("create", "null" if known is None else known.state)
            if not found.then:
                raise WorkitemError("there is such a step already", status=found.status)
            ds, code = new_step(step, name, now, worklist=self.worklist)
            made = Workitem(name, ds)
            self._tables.make_room(now.timestamp() - self.keep, self.most)
            self._write(made, now)
            for ae, how in sorted(subscribed_to_all(self._tables, ds).items()):
                events += move(self._tables, f"create, global {how}", ae, name, "null", made)
                events += [replace(event, receivers=(ae,)) for event in states.assigned_reports(made)]
        return Outcome(name, code, tuple(events))

    def get(self, uid: str) -> DataSet:
        """Return a step, without its Transaction UID (N-GET, PS3.4 CC.2.7).

        Raises
        ------
        WorkitemError
            When it isn't there.
        """
        with self._lock:
            return self._tables.known(uid, "N-GET").dataset

    def set(self, uid: str, changes: DataSet) -> Outcome:
        """Change a step (N-SET, PS3.4 CC.2.6); the changes hold the Transaction UID where it is in progress.

        Raises
        ------
        WorkitemError
            When it isn't there, its state or the Transaction UID doesn't let it change, or something may not be set.
        """
        now = self._clock()
        with self._transaction() as events:
            before = self._tables.get(uid)
            after = states.change(before, changes, now)
            assert before is not None
            self._write(after, now)
            events += to_subscribers(self._tables, uid, states.reports_of(before, after))
        return Outcome(uid, 0, tuple(events))

    def change_state(self, uid: str, state: str, transaction_uid: str | None = None) -> Outcome:
        """Change the state of a step, as who performs it (N-ACTION 1, PS3.4 CC.2.1).

        Parameters
        ----------
        state
            ``"IN PROGRESS"``, ``"COMPLETED"`` or ``"CANCELED"``.
        transaction_uid
            What a step is claimed with, and has to be shown from then on.

        Raises
        ------
        WorkitemError
            When it isn't there, the state can't be reached, the Transaction UID is another, or something is missing.
        """
        now = self._clock()
        with self._transaction() as events:
            before = self._tables.get(uid)
            passed, code = states.change_state(before, state, str(transaction_uid or ""), now)
            events += self._pass(passed, now)
        return Outcome(uid, code, tuple(events))

    def request_cancel(self, uid: str, information: DataSet | None = None, *, requesting_ae: str = "") -> Outcome:
        """Ask that a step be cancelled, as who doesn't perform it (N-ACTION 2, PS3.4 CC.2.2).

        Parameters
        ----------
        information
            The reason, and whom to ask.
        requesting_ae
            Who asks.

        Raises
        ------
        WorkitemError
            When it isn't there, is completed, its performer doesn't want to, or nobody can be told.
        """
        asked, now = information if information is not None else DataSet(), self._clock()
        with self._transaction() as events:
            before = self._tables.get(uid)
            passed, code = states.request_cancel(before, asked, now)
            if before is not None and before.state == IN_PROGRESS:
                events += to_subscribers(self._tables, uid, [states.cancel_report(before, asked, requesting_ae)])
                if self._cancels is None:
                    if not events:
                        raise failure(NOT_CONTACTED, "N-ACTION")
                elif self._cancels(before, asked):
                    passed = states.perform_cancel(before, asked, now)
                else:
                    raise failure(CHOOSES_NOT_TO_CANCEL, "N-ACTION")
            events += self._pass(passed, now)
        return Outcome(uid, code, tuple(events))

    def subscribe(self, uid: str, ae: str, *, lock: bool = False, keys: Query | None = None) -> Outcome:
        """Tell somebody of a step, or of all (N-ACTION 3, PS3.4 CC.2.3).

        Parameters
        ----------
        uid
            Of the step; or a well-known UID, for all that there are and will be.
        ae
            The AE title that is told.
        lock
            Whether to keep steps after their end until the subscription has gone.
        keys
            What steps have to match, with the well-known UID of the filtered subscription.

        Raises
        ------
        WorkitemError
            When the step isn't there, the filter asks for nothing, or there are too many subscribers.
        """
        granted = lock and self.deletion_locks
        asked = Keys() if keys is None or uid != FILTERED else only_allowed(keys).keys
        if uid == FILTERED and not asked:
            raise WorkitemError("a filter asks for something", status=INVALID_ARGUMENT)
        with self._transaction() as events:
            wanted = Subscription(ae, uid, granted, asked)
            events += subscribe(self._tables, wanted, self.most_subscribers, self.most_bytes)
        return Outcome(uid, LOCK_NOT_GRANTED if lock and not granted else 0, tuple(events))

    def unsubscribe(self, uid: str, ae: str) -> Outcome:
        """Tell somebody no more of a step; with a well-known UID of all that there are and will be (N-ACTION 4).

        Raises
        ------
        WorkitemError
            When the step isn't there.
        """
        with self._transaction():
            unsubscribe(self._tables, uid, ae)
        return Outcome(uid)

    def suspend(self, uid: str, ae: str) -> Outcome:
        """Tell somebody no more of steps that will be created, but still of those that there are (N-ACTION 5).

        Raises
        ------
        WorkitemError
            When the UID isn't a well-known one.
        """
        with self._transaction():
            if uid not in (GLOBAL, FILTERED):
                self._tables.known(uid, "N-ACTION")
                raise failure(NOT_APPROPRIATE, "N-ACTION")
            self._tables.unsubscribe_from_all(ae, uid)
        return Outcome(uid)

    def search(
        self, asked: Query | None = None, *, offset: int = 0, limit: int | None = None, **keys: Any
    ) -> Iterator[DataSet]:
        """Give what a query asks for of each step that matches it (C-FIND, PS3.4 CC.2.8), in the order of creation.

        Parameters
        ----------
        asked
            A query without a level; where it doesn't say what to return, that is what PS3.18 11.9.2 lists.
        offset, limit
            How many matches to leave out, and to give at most.
        keys
            In place of a query, what `dicomkit.query.query` takes.
        """
        wanted = asked if asked is not None else replace(query(None, **keys), return_keys=None)
        wanted = only_allowed(wanted)
        found = (response(wanted, step.dataset) for step in matching(self._tables, self._lock, wanted))
        return islice(found, offset, None if limit is None else offset + limit)

    def to_table(self, **keys: Any) -> pd.DataFrame:
        """Return one row for each step that matches, with typed columns."""
        from dicomkit.tables.to_table import to_table

        return to_table(list(self.search(**keys)), _COLUMNS)

    # ---- what its provider does itself -----------------------------------------------------------------------------

    def delete(self, uid: str) -> None:
        """Forget a step.

        Raises
        ------
        WorkitemError
            When it isn't there, or somebody has a deletion lock.
        """
        with self._transaction():
            self._tables.known(uid, "N-GET")
            if any(one.lock for one in self.subscriptions(uid)):
                raise WorkitemError("somebody has a deletion lock on the step", hint="let them unsubscribe first")
            self._tables.delete([uid])

    def expire(self) -> int:
        """Forget the steps that ended long enough ago and have no deletion lock, and return how many there were."""
        with self._transaction():
            return self._tables.delete(self._tables.expired(self._clock().timestamp() - self.keep))

    def subscriptions(self, uid: str | None = None) -> tuple[Subscription, ...]:
        """List who is subscribed to a step; without one, who is to all that there will be, with a filter or without."""
        with self._lock:
            return self._tables.subscriptions_to_all() if uid is None else self._tables.subscriptions(uid)

    def status_change(
        self, scp_status: str = "RESTARTED", *, fallback: Iterable[str] = (), preserved: bool | None = None
    ) -> Outcome:
        """Tell all subscribers that who manages the steps was restarted, or will go (PS3.4 CC.2.4.3).

        Parameters
        ----------
        scp_status
            ``"RESTARTED"`` or ``"GOING DOWN"``.
        fallback
            AE titles that are told in any case.
        preserved
            Whether steps and subscriptions are what they were before; None: they are where they are kept in a file.
        """
        with self._transaction() as events:
            receivers = tuple(sorted({*self._tables.subscribers(), *fallback}))
            kept = self._in_a_file if preserved is None else preserved
            if receivers:
                events.append(states.status_report(scp_status, kept, receivers))
        return Outcome(GLOBAL, 0, tuple(events))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Hand the events of every request to a function, in order; return what ends that.

        The listener has to be quick, and may not ask for anything itself.
        """
        return self._listeners.add(listener)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._tables.close()

    def __enter__(self) -> Workitems:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._lock:
            return self._tables.count()

    def __contains__(self, uid: object) -> bool:
        with self._lock:
            return self._tables.get(str(uid)) is not None

    def __iter__(self) -> Iterator[Workitem]:
        return matching(self._tables, self._lock, Query(None, Keys()))

    def __repr__(self) -> str:
        with self._lock:
            counts = ", ".join(f"{count} {state}" for state, count in self._tables.counts().items())
        return f"<Workitems: {counts or 'none'}>"

    # ---- steps -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[list[StepEvent]]:
        """Do all or nothing; and then tell the listeners."""
        events: list[StepEvent] = []
        with self._lock:
            with self._tables.transaction():
                yield events
            if events:
                self._listeners.tell(tuple(events))

    def _write(self, step: Workitem, now: datetime) -> None:
        self._tables.put(step, now.timestamp(), self.most_bytes)

    def _pass(self, passed: Sequence[Workitem], now: datetime) -> list[StepEvent]:
        """Write the last of the states that a step goes through, and say what is reported of each."""
        events = []
        for after in passed:
            events += to_subscribers(self._tables, after.uid, [states.state_report(after)])
        if passed:
            self._write(passed[-1], now)
        return events
