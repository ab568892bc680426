"""The packaged tables are what the generator makes of the extracted standard, and load fast."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from realdata import STANDARD, needs_standard

ROOT = Path(__file__).parent.parent.parent


@needs_standard
def test_shipped_tables_equal_what_the_generator_makes():
    spec = importlib.util.spec_from_file_location("make_standard_tables", ROOT / "tools" / "make_standard_tables.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    made = generator.make_tables(STANDARD)
    folder = ROOT / "dicomkit" / "standard" / "data"
    shipped = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert {name: shipped.get(name) == text for name, text in made.items()} == dict.fromkeys(made, True)


def test_tables_have_the_rows_that_the_readme_states():
    folder = ROOT / "dicomkit" / "standard" / "data"
    lines = (folder / "attributes.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) - 2 == 5309 + 46
    assert len((folder / "uids.tsv").read_text(encoding="utf-8").splitlines()) - 2 == 1989
    privates = (folder / "private.tsv").read_text(encoding="utf-8").splitlines()
    assert sum("\t" in line for line in privates[2:]) == 13285


def test_tables_are_loaded_only_when_used():
    code = (
        "import dicomkit.standard.attributes as a, dicomkit.standard.uids as u, dicomkit.standard.private as p;"
        "loaders = [a._columns, a._vrs, a._attributes, u._entries, p._blocks];"
        "assert all(loader.cache_info().currsize == 0 for loader in loaders);"
        "a.vr_of(0x00100010);"
        "assert [loader.cache_info().currsize for loader in loaders] == [1, 1, 0, 0, 0]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
