"""What holds for the repository as a whole: layers, names, docstrings, one version, equal lists of dependencies."""

import ast
import importlib.metadata
import re
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from dicomkit._version import __version__

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dicomkit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

HEAVY = {"numpy", "pandas", "xarray", "matplotlib", "imagecodecs", "httpx", "ipywidgets"}
LIGHT_LAYERS = set(
    "errors display descriptors sources opening replacement standard values dataset encoding files __init__".split()
)


def layers() -> list[str]:
    """The layers in the order in which docs/architecture.md prints them, lowest first."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = text.split("## The layers")[1].split("```")[1]
    return re.findall(r"^(\w+)(?:/|\.py)", block, re.MULTILINE)


def module_name(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}


def layer_of(module: str) -> str:
    """The layer of a module, by its dotted name."""
    return module.split(".")[1] if "." in module else "__init__"


def is_type_checking(node: ast.AST) -> bool:
    """Whether it is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(tree: ast.AST, *, typing_only: bool = True, in_functions: bool = True) -> set[str]:
    """The dotted names of all modules that a module imports."""
    found = set()
    pending = list(ast.iter_child_nodes(tree))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
        elif is_type_checking(node) and not typing_only:
            pending += node.orelse
        elif in_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += ast.iter_child_nodes(node)
    return found


def inside(names: set[str]) -> set[str]:
    """Those of them that are modules of the package."""
    return {name for name in names if name.split(".")[0] == "dicomkit"}


def test_every_folder_is_a_layer_of_the_architecture():
    assert {layer_of(module) for module in MODULES} - set(layers()) == set()


def test_imports_point_downward():
    order = layers()
    upward = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        for imported in inside(imports(TREES[path]))
        if order.index(layer_of(imported)) > order.index(layer_of(module))
    ]
    assert upward == []


def test_no_circles():
    graph = {module: inside(imports(TREES[path], typing_only=False)) - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_light_layers_import_nothing_heavy_when_loaded():
    heavy = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        if layer_of(module) in LIGHT_LAYERS
        for imported in imports(TREES[path], typing_only=False, in_functions=False)
        if imported.split(".")[0] in HEAVY
    ]
    assert heavy == []


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_modules_have_a_name_and_open_with_a_sentence(path):
    names = {path.stem, *path.relative_to(PACKAGE).parts[:-1]}
    assert not names & {"util", "utils", "helper", "helpers", "common", "misc", "base", "core"}
    docstring = ast.get_docstring(TREES[path])
    assert docstring
    assert docstring.split("\n\n")[0].rstrip().endswith((".", ":", "::"))


def test_the_package_is_typed_and_has_its_tables():
    assert (PACKAGE / "py.typed").exists()
    assert (PACKAGE / "standard" / "data" / "README.md").exists()


def test_one_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changelog, re.MULTILINE)[1] == __version__
    assert "version" in PROJECT["dynamic"]
    try:
        installed = importlib.metadata.version("dicomkit")
    except importlib.metadata.PackageNotFoundError:
        return
    assert installed == __version__


def without_extra(requirement: str) -> str:
    """A requirement in lower case, without the extras of its package."""
    return re.sub(r"\[.*?\]", "", requirement).lower()


def test_environment_yml_equals_the_dependencies_and_extras():
    required = {f"python{PROJECT['requires-python']}", *map(without_extra, PROJECT["dependencies"])}
    for requirements in PROJECT["optional-dependencies"].values():
        required |= {without_extra(requirement) for requirement in requirements}
    required.discard("dicomkit")
    text = (ROOT / "environment.yml").read_text(encoding="utf-8").split("dependencies:")[1]
    listed = re.findall(r"^ *- ([^:\n]+)$", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) - {"pip"} == required


def test_extras_refer_to_extras_that_exist():
    extras = PROJECT["optional-dependencies"]
    for requirements in extras.values():
        for requirement in requirements:
            if referred := re.fullmatch(r"dicomkit\[(.*)\]", requirement):
                assert set(referred[1].split(",")) <= set(extras)


def test_every_dependency_has_a_lower_bound():
    requirements = [
        *PROJECT["dependencies"],
        *(r for extra in PROJECT["optional-dependencies"].values() for r in extra),
    ]
    assert [r for r in requirements if ">=" not in r and not r.startswith("dicomkit[")] == []


def test_changelog_fragments_are_named_by_issue_and_kind():
    names = {path.name for path in (ROOT / "changelog.d").iterdir()} - {"README.md"}
    assert [name for name in names if not re.fullmatch(r"\d+\.(added|changed|fixed|removed)(\.\d+)?\.md", name)] == []


def test_basenames_of_tests_are_unique():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
