"""The page on security says what is so: its recipes run, and its limits are those of the code."""

import importlib
import re
import shutil
from pathlib import Path

import peers
import pytest

from dicomkit.net.timeouts import Timeouts
from dicomkit.net.tls import PROFILES

certificates = peers.certificates

PAGE = (Path(__file__).parent.parent.parent / "docs" / "security.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_recipes_run(recipe, certificates, tmp_path, monkeypatch):
    for entry in (certificates.server, certificates.client):
        for path in (entry.certificate, entry.key, entry.pkcs12):
            shutil.copy(path, tmp_path)
    shutil.copy(certificates.authority, tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(recipe, "security.md", "exec"), {})


def test_there_are_recipes():
    assert len(RECIPES) == 5


def test_limits_are_those_of_the_code():
    checked = 0
    for number, unit, where in re.findall(r"\| (\d+) ?(KiB|MiB|, )[^|]*\| `(\S+)` \|", PAGE):
        module, _, name = where.rpartition(".")
        value = getattr(importlib.import_module(f"dicomkit.{module}"), name)
        assert value == int(number) * {"KiB": 1 << 10, "MiB": 1 << 20}.get(unit, 1), where
        checked += 1
    assert checked == 6


def test_time_outs_are_those_of_the_code():
    default = Timeouts()
    assert default.operation is None
    assert (default.connect, default.read, default.write, default.artim, default.idle) == (10, 30, 30, 30, 60)
    for words in ("10 s to connect", "30 s\nfor bytes either way and for the ARTIM timer", "60 s between two requests"):
        assert words in PAGE


def test_profiles_are_those_of_the_code():
    assert re.findall(r"^\| `([^`]+)` \| B\.", PAGE, re.MULTILINE) == list(PROFILES)
