"""Write dicomkit/__init__.pyi: what type checkers and editors see of the lazy façade.

Usage: python tools/make_facade_stub.py > dicomkit/__init__.pyi
"""

from __future__ import annotations

from importlib import import_module

HEAD = '"""What `dicomkit` gives, for type checkers and editors; the façade loads each name when it is first used."""'


FACADE = vars(import_module("dicomkit"))


def stub() -> str:
    """Give the text of the stub."""
    lines = [f"from dicomkit import {name} as {name}" for name in FACADE["_NAMESPACES"]]
    for module, names in sorted(_names_by_module().items()):
        lines += [f"from {module} import {name} as {name}" for name in sorted(names, key=_isort_key)]
    return "\n".join([HEAD, "", *lines, ""])


def _names_by_module() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, module in FACADE["_FACADE"].items():
        found.setdefault(module, []).append(name)
    return found


def _isort_key(name: str) -> tuple[int, str]:
    """Constants before classes before functions, as the import sorter has them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


if __name__ == "__main__":
    print(stub(), end="")
