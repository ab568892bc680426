"""Where the file of an instance goes: a template of attributes, and nothing of them that leads a path astray."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import ValueFormatError
from dicomkit.standard.attributes import tag_of

DEFAULT_TEMPLATE = "{PatientID}/{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
_LONGEST, _LONGEST_PART = 64, 240
"""Bytes of UTF-8: names of files may have 255."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_UNSAFE = re.compile(r"[^\w.+=@-]+")


def placing(template: str = DEFAULT_TEMPLATE) -> Callable[[DataSet], str]:
    """Make what gives the place of an instance, relative to its archive.

    Parameters
    ----------
    template
        Keywords of attributes in braces; ``/`` parts folders.

    Raises
    ------
    ValueFormatError
        When a keyword is none, or SOPInstanceUID isn't in the last part, without which files would replace each other.

    Examples
    --------
    >>> place = placing("{PatientID}/{StudyDate}/{Modality}-{SOPInstanceUID}.dcm")
    >>> place(DataSet(PatientID="../../etc", StudyDate="20240101", SOPInstanceUID="1.2.3"))
    '__.._etc/20240101/_-1.2.3.dcm'
    """
    parts = template.split("/")
    fields = [template_keywords(part) for part in parts]
    for name in {name for names in fields for name in names}:
        if tag_of(name) is None:
            raise ValueFormatError(f"{name!r} in the template is no keyword of an attribute", hint="like {PatientID}")
    if "SOPInstanceUID" not in fields[-1]:
        raise ValueFormatError(
            f"the template {template!r} names files without SOPInstanceUID", hint="add {SOPInstanceUID}"
        )

    part_of = lru_cache(4096)(path_part)  # those of a study come again and again

    def place(ds: DataSet) -> str:
        values = {name: part_of(ds.get(name)) for names in fields for name in names}
        uid = str(ds.get("SOPInstanceUID") or "")
        if values["SOPInstanceUID"] != uid:  # it is no UID: what it becomes could be the name of another, too
            values["SOPInstanceUID"] = f"{values['SOPInstanceUID'][: _LONGEST // 2]}-{_digest(uid)}"
        return "/".join(part_of(part.format(**values), longest=_LONGEST_PART) for part in parts)

    return place


def template_keywords(template: str) -> list[str]:
    """List what stands in the braces of a template.

    Examples
    --------
    >>> template_keywords("{PatientID}/{SOPInstanceUID}.dcm")
    ['PatientID', 'SOPInstanceUID']
    """
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def path_part(value: Any, *, longest: int = _LONGEST) -> str:
    """Turn a value from anywhere into one part of a path.

    Examples
    --------
    >>> path_part("a/b\\\\c\\n"), path_part(".."), path_part(None), path_part("CON"), path_part("-rf")
    ('a_b_c_', '_', '_', '_CON', '_rf')
    """
    text = "" if value is None else "_".join(map(str, value)) if isinstance(value, tuple) else str(value)
    text = _cut(_UNSAFE.sub("_", text), longest)
    text = re.sub(r"^[.-]+", "_", text).rstrip(".")  # hidden, or an option to a program
    return f"_{text}" if not text or _RESERVED.fullmatch(text) else text


def _cut(text: str, longest: int) -> str:
    """Make a text no longer than so many bytes; what was cut keeps apart from others that begin alike."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= longest:
        return text
    return f"{encoded[: longest - 17].decode('utf-8', 'ignore')}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
