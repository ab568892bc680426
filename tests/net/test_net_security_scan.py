"""A static scan for what is often insecure; each finding is answered here, and one without an answer fails."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

#: Asserts state what the code around them has made sure of, for the type checker; none checks what came from outside.
SKIPPED = "B101"

#: By test of bandit and file: how many findings, and why each is as it should be.
ANSWERS = {
    ("B403", "dicomkit/tables/workers.py"): (1, "the import that the next one is about"),
    ("B301", "dicomkit/tables/workers.py"): (3, "pipes between a process and those it started itself"),
    ("B404", "dicomkit/tables/workers.py"): (1, "the import that the next one is about"),
    ("B603", "dicomkit/tables/workers.py"): (1, "this Python with a module of ours; nothing of it is input"),
    ("B403", "dicomkit/deidentification/folder.py"): (1, "asks whether a profile can be pickled; unpickles nothing"),
    ("B104", "dicomkit/serve/dimse.py"): (2, "compares with what the caller chose; listens on loopback by default"),
    ("B105", "dicomkit/cli/peers.py"): (1, "no passcode: the default of one that isn't given"),
    ("B608", "dicomkit/archive/transactions.py"): (1, "joins constants of the file"),
    ("B608", "dicomkit/archive/workitem_tables.py"): (2, "joins constants of the file"),
    ("B608", "dicomkit/delivery/queue.py"): (1, "joins constants of the package"),
    ("B608", "dicomkit/delivery/queue_contents.py"): (1, "joins constants of the package"),
    ("B608", "dicomkit/delivery/queue_control.py"): (3, "joins constants, numbers, and a category that is one of four"),
    ("B608", "dicomkit/delivery/queue_put.py"): (2, "joins constants and numbers, which are formatted as such"),
    ("B608", "dicomkit/delivery/queue_tables.py"): (1, "joins names of columns that the file lists"),
    ("B405", "dicomkit/net/audit_xml.py"): (1, "writes XML, and reads none"),
    ("B105", "dicomkit/web/media_types.py"): (1, "a token of RFC 9110, in the sense of grammar"),
}


def test_every_finding_is_answered():
    pytest.importorskip("bandit")
    command = [sys.executable, "-m", "bandit", "-q", "-r", "dicomkit", "-f", "json", "-s", SKIPPED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120)
    found = json.loads(done.stdout)
    assert found["errors"] == []
    counts = Counter((result["test_id"], Path(result["filename"]).as_posix()) for result in found["results"])
    places = [f"{result['test_id']} {result['filename']}:{result['line_number']}" for result in found["results"]]
    assert counts == {key: count for key, (count, _) in ANSWERS.items()}, places


def test_no_finding_is_silenced_in_the_code():
    marker = "# no" + "sec"
    assert [path for path in (ROOT / "dicomkit").rglob("*.py") if marker in path.read_text(encoding="utf-8")] == []


UNKNOWN = {"name": "a", "skip_reason": "not found"}
SOUND = {"name": "b", "version": "1", "vulns": []}
VULNERABLE = {"name": "c", "version": "2", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("packages", "exit_code", "says"),
    [
        ([UNKNOWN], 2, "0 packages audited, 0 vulnerable\n1 packages could not be audited"),
        ([], 2, "0 packages audited"),
        ([UNKNOWN, SOUND], 0, "1 packages audited, 0 vulnerable\n1 packages could not be audited"),
        ([UNKNOWN, SOUND, VULNERABLE], 1, "c 2: CVE-2026-1"),
    ],
)
def test_what_could_not_be_audited_is_not_taken_for_sound(packages, exit_code, says):
    specification = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit_dependencies.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    audit = module.read_report({"dependencies": packages})
    assert audit.exit_code == exit_code
    assert says in str(audit)
