"""A folder goes in, another comes out: de-identified in parallel, resumable, the originals untouched."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomkit.deidentification.changes import Change
from dicomkit.deidentification.deidentify import applied
from dicomkit.deidentification.identifiers import Identifiers
from dicomkit.deidentification.manifest import Done, Manifest
from dicomkit.deidentification.profile import BASIC_PROFILE, Profile
from dicomkit.deidentification.pseudonyms import Pseudonyms, new_key
from dicomkit.deidentification.rules import Rules
from dicomkit.deidentification.survey import Seen, knowledge, outputs, survey
from dicomkit.errors import DicomError, SourceError, ValueFormatError
from dicomkit.files.read import read
from dicomkit.replacement import replace_file
from dicomkit.tables.find_files import Place, find_files
from dicomkit.tables.workers import in_processes

if TYPE_CHECKING:
    import pandas as pd

BATCH = 16
_FEW = 256
_MOST_WORKERS = 8


class Task(NamedTuple):
    """One file to be written, and what is known of its patient from other files."""

    path: str
    output: str
    known: Identifiers


class Result(NamedTuple):
    """What became of a task."""

    error: str | None
    notes: str | None
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Common:
    """What all tasks share; ``target`` is None in a dry run."""

    rules: Rules
    pseudonyms: Pseudonyms
    target: str | None


def deidentify_folder(
    source: Place | Iterable[Place],
    target: Place,
    profile: Profile = BASIC_PROFILE,
    *,
    key: bytes | str | None = None,
    known: Identifiers | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    dry_run: bool = False,
) -> pd.DataFrame:
    """De-identify all DICOM files of a folder into another (PS3.15 annex E).

    Files are written whole or not at all, as study/series/instance by their new UIDs. When it is interrupted, the same
    call goes on where it was. DICOMDIRs and files that are no DICOM are left out, and told.

    Parameters
    ----------
    source
        A folder, file, glob pattern, zip archive, or several of these; never written to.
    target
        A folder, which may not contain the source, nor lie in it.
    profile, key, known
        As for `dicomkit.deidentify`. Without a key a random one is made; the table then has it as ``attrs["key"]``,
        which is needed to go on, or to add to the target.
    workers
        How many processes; 1 works in this one. When not given: one per processor, for more than a few files.
    progress
        Whether to show a progress bar; when not given, when it takes longer than a second.
    dry_run
        Write nothing, and return the table of what would change in which file.

    Returns
    -------
    DataFrame
        One row a file: ``path``, ``output`` (relative to the target), ``status`` (``"written"``, ``"present"`` from an
        earlier run, ``"skipped"`` or ``"failed"``), ``error`` and ``notes``. In a dry run one row a change.

    Raises
    ------
    SourceError
        When source and target overlap, the source is not there, or the target can't be written or was made with
        another key or profile.
    ValueFormatError
        When functions in the profile can't be handed to worker processes.

    Examples
    --------
    >>> import tempfile, dicomkit as dk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = dk.samples.write_series(dk.samples.ct_series(slices=2, size=16), f"{folder}/in")
    ...     table = deidentify_folder(f"{folder}/in", f"{folder}/out", key="secret of the trial")
    ...     dk.read(f"{folder}/out/{table['output'][0]}").PatientIdentityRemoved
    'YES'
    """
    places = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    goal = os.path.abspath(os.fspath(target))
    paths = find_files(places)
    _check_apart(places, paths, goal)
    secret = new_key() if key is None else key
    pseudonyms, rules = Pseudonyms.of(secret), Rules.of(profile)
    count = _worker_count(workers, len(paths), profile)
    files = survey(paths, count)
    names, identifying = outputs(files, rules, pseudonyms), knowledge(files, rules, known)
    manifest = None
    if not dry_run:
        _make_folder(goal)
        manifest = Manifest.of(goal, pseudonyms, profile)
    open_ones = [n for n, seen in enumerate(files) if seen.error is None and not _present(manifest, seen, names[n])]
    tasks = [Task(files[n].path, names[n], identifying[files[n].patient]) for n in open_ones]
    results: dict[int, Result] = {}
    common = Common(rules, pseudonyms, None if dry_run else goal)
    for first, batch in _finished(tasks, common, count, progress):
        rows = open_ones[first : first + len(batch)]
        results.update(zip(rows, batch, strict=True))
        if manifest is not None:
            _append(manifest, [(files[n], names[n]) for n in rows if results[n].error is None])
    made = _changes_table(files, results) if dry_run else _outcome_table(files, names, results)
    if key is None:
        made.attrs["key"] = secret
    return made


def work(tasks: Sequence[Task], common: Common) -> list[Result]:
    """De-identify files, or tell what would change in them; what fails gives a result that says why."""
    folders: set[str] = set()
    return [_one(task, common, folders) for task in tasks]


def _one(task: Task, common: Common, folders: set[str]) -> Result:
    record: list[Change] | None = [] if common.target is None else None
    try:
        made = applied(read(task.path), common.rules, common.pseudonyms, task.known, record)
        if common.target is not None:
            output = os.path.join(common.target, task.output)
            folder = os.path.dirname(output)
            if folder not in folders:
                _make_folder(folder)
                folders.add(folder)
            replace_file(output, made.part10())
    except DicomError as error:
        error.path = None
        return Result(str(error), None, [])
    changes = [change for change in record or () if change.before != change.after or change.action == "X"]
    return Result(None, "; ".join(made.notes) or None, changes)


def _finished(
    tasks: Sequence[Task], common: Common, workers: int, progress: bool | None
) -> Iterator[tuple[int, list[Result]]]:
    """The results of batches as they come, with a progress bar."""
    batches: Iterator[tuple[int, list[Result]]]
    if workers > 1 and len(tasks) > 1:
        batches = in_processes(work, common, tasks, workers, min(BATCH, -(-len(tasks) // workers)))
    else:
        batches = ((first, work(tasks[first : first + BATCH], common)) for first in range(0, len(tasks), BATCH))
    bar = None
    if tasks and progress is not False:
        from tqdm.auto import tqdm

        bar = tqdm(total=len(tasks), unit=" files", desc="de-identify", leave=False, delay=0 if progress else 1)
    try:
        for first, results in batches:
            yield first, results
            if bar is not None:
                bar.update(len(results))
    finally:
        if bar is not None:
            bar.close()


def _worker_count(workers: int | None, files: int, profile: Profile) -> int:
    """How many processes to use; functions that only this process knows keep the work in it."""
    if workers is not None and workers < 1:
        raise ValueFormatError(f"{workers} workers can't de-identify", hint="give 1 or more")
    count = workers or (min(os.cpu_count() or 1, _MOST_WORKERS) if files >= _FEW else 1)
    if count > 1 and not _portable(profile):
        if workers is not None:
            hint = "define them in a module that can be imported, or use workers=1"
            raise ValueFormatError("the functions in the profile can't be handed to worker processes", hint=hint)
        return 1
    return count


def _portable(profile: Profile) -> bool:
    """Whether another process can take the profile over."""
    try:
        data = pickle.dumps(profile)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return b"__main__" not in data


def _present(manifest: Manifest | None, seen: Seen, output: str) -> bool:
    """Whether an earlier run has written this very input to this very place."""
    return manifest is not None and manifest.output_of(seen.path, seen.size, seen.modified) == output


def _append(manifest: Manifest, written: Iterable[tuple[Seen, str]]) -> None:
    """Note what is done."""
    lines = [manifest.line(seen.path, Done(seen.size, seen.modified, output)) for seen, output in written]
    try:
        with open(manifest.path, "a", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as error:
        raise SourceError(f"can't write the manifest: {error.strerror}", path=manifest.path) from error


def _outcome_table(files: Sequence[Seen], names: Sequence[str], results: dict[int, Result]) -> pd.DataFrame:
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for n, (seen, output) in enumerate(zip(files, names, strict=True)):
        if seen.error is not None:
            rows.append((seen.path, None, "skipped", seen.error, None))
        elif n not in results:
            rows.append((seen.path, output, "present", None, None))
        elif results[n].error is not None:
            rows.append((seen.path, None, "failed", results[n].error, None))
        else:
            rows.append((seen.path, output, "written", None, results[n].notes))
    return pd.DataFrame(rows, columns=["path", "output", "status", "error", "notes"], dtype="string")


def _changes_table(files: Sequence[Seen], results: dict[int, Result]) -> pd.DataFrame:
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for n in sorted(results):
        if results[n].error is not None:
            rows.append((files[n].path, None, "failed", None, None, results[n].error))
        rows += [(files[n].path, ".".join(map(str, change.path)), *change[1:]) for change in results[n].changes]
    return pd.DataFrame(rows, columns=["file", *Change._fields], dtype="string")


def _check_apart(places: Sequence[Place], paths: Sequence[str], target: str) -> None:
    """Refuse a target that is the source, contains it or lies in it, links resolved."""
    goal = os.path.realpath(target)
    for place in (*places, *{os.path.dirname(path) for path in paths}):
        real = os.path.realpath(os.fspath(place))
        listed = os.path.isdir(real) and place in places
        if real == goal or _inside(real, goal) or (listed and _inside(goal, real)):
            hint = "give a folder beside the source"
            raise SourceError("the target is the source, contains it or lies in it", path=target, hint=hint)


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise SourceError(f"can't make the folder: {error.strerror}", path=path) from error
