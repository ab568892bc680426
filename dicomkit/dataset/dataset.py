"""The immutable data set: a mapping from tags to values that decodes a value when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from dicomkit.dataset import edit, private_blocks, show
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import EMPTY_INDEX, Index
from dicomkit.dataset.path import Key, Path, holder_of, values_of, walk
from dicomkit.dataset.records import Records
from dicomkit.dataset.repairs import Repairs
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.standard.attributes import keywords, tag_of, tags_by_keyword
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax

_NOTHING: Any = object()
_UNREAD: Any = object()


class DataSet(Mapping[Any, Any]):
    """A DICOM data set (PS3.5 section 7) that never changes.

    Keys are tags, keywords and paths; values are None (empty), a scalar, or a tuple of several; a sequence is a tuple
    of DataSets. ``assign``, ``drop``, ``merge`` and ``map`` return a new DataSet that shares everything untouched.

    Parameters
    ----------
    elements
        Values by keyword or tag, or Elements. Items of sequences may be dicts.

    Raises
    ------
    ValueFormatError
        When a value breaks the rules of its VR; names the tag.
    UnsupportedError
        When sequences are nested more than 100 deep, here or in an edit.

    Examples
    --------
    >>> ds = DataSet(PatientName="DOE^JANE", PixelSpacing=[0.5, 0.5], ContentSequence=[{"CodeMeaning": "a"}])
    >>> ds.PatientName.family_name, ds["PixelSpacing"], ds[0x0010, 0x0010]
    ('DOE', (0.5, 0.5), PersonName('DOE^JANE'))
    >>> ds["ContentSequence", 0, "CodeMeaning"]
    'a'
    >>> ds.assign(PatientName="ROE^RICHARD").drop("PixelSpacing")
    DataSet(2 elements)
    """

    __slots__ = ("__weakref__", "_depth", "_hash", "_meta", "_overlay", "_records", "_tags", "_values")

    _records: Records
    _overlay: dict[int, Element | None]
    _values: dict[int, Any]
    _tags: tuple[Tag, ...] | None
    _meta: DataSet | Index | None
    _hash: int | None
    _depth: int | None

    def __init__(self, elements: Mapping[Any, Any] | Iterable[Element] = (), /, **by_keyword: Any) -> None:
        changes = edit.changes(elements, by_keyword, type(self))
        self._fill(Records(EMPTY_INDEX, 0, 0, None, 0, type(self)), changes, {}, None)

    @classmethod
    def of_index(cls, index: Index, meta: Index | None = None) -> DataSet:
        """Make the DataSet of what a scanner found."""
        return cls._of(Records(index, 0, len(index.rows) // 4, None, 0, cls), {}, {}, meta)

    @classmethod
    def _of(
        cls, records: Records, overlay: dict[int, Element | None], values: dict[int, Any], meta: DataSet | Index | None
    ) -> DataSet:
        ds = object.__new__(cls)
        ds._fill(records, overlay, values, meta)
        return ds

    def _fill(
        self, records: Records, overlay: dict[int, Element | None], values: dict[int, Any], meta: DataSet | Index | None
    ) -> None:
        _put_records(self, records)
        _put_overlay(self, overlay)
        _put_values(self, values)
        _put_tags(self, None)
        _put_meta(self, meta)
        _put_hash(self, None)
        _put_depth(self, None)

    # Reading.

    def __getitem__(self, key: Any) -> Any:
        value = self._find(key)
        if value is _NOTHING:
            raise self._missing(key)
        return value

    def __getattr__(self, keyword: str) -> Any:
        tag = tags_by_keyword().get(keyword)
        if tag is None:
            if keyword[:1].isupper():
                raise self._missing(keyword)
            raise MissingElementError(f"{keyword!r} is neither a keyword of PS3.6 nor an attribute of DataSet")
        value = self._values.get(tag, _UNREAD)
        if value is _UNREAD:
            value = self._decoded(tag)
        if value is _NOTHING:
            raise self._missing(keyword)
        return value

    def get(self, key: Key, /, default: Any = None) -> Any:
        """Return the value of a tag, keyword or path, or a default where it is missing."""
        value = self._find(key)
        return default if value is _NOTHING else value

    def all(self, key: Key) -> tuple[Any, ...]:
        """Return the values of a key as a tuple: several, one, or none where it is missing, empty or no sequence.

        Examples
        --------
        >>> ds = DataSet(ImageType="DERIVED", Modality="")
        >>> ds.all("ImageType"), ds.all("Modality"), ds.all("Rows")
        (('DERIVED',), (), ())
        """
        return values_of(self, key)

    def element(self, key: Key) -> Element:
        """Return the whole element of a tag, keyword or path: its VR, raw bytes, text and origin.

        Raises
        ------
        MissingElementError
            When there is none.
        """
        if type(key) is Tag:
            found = self._element(key)
        else:
            holder, last = holder_of(self, key)
            found = holder._element(Tag.of(last)) if holder is not None and last is not None else None
        if found is None:
            raise self._missing(key)
        return found

    def elements(self) -> Iterator[Element]:
        """Yield the elements in the order of their tags."""
        for tag in self._sorted_tags():
            found = self._element(tag)
            assert found is not None
            yield found

    def walk(self) -> Iterator[tuple[Path, Element]]:
        """Yield every element with its path, those of nested items after their sequence.

        Examples
        --------
        >>> [path for path, element in DataSet(ContentSequence=[{"CodeMeaning": "a"}]).walk()]
        [('ContentSequence',), ('ContentSequence', 0, 'CodeMeaning')]
        """
        return walk(self)

    def __contains__(self, key: Any) -> bool:
        try:
            holder, last = holder_of(self, key)
            return holder is not None and (last is None or holder._has(Tag.of(last)))
        except ValueFormatError:
            return False

    def __iter__(self) -> Iterator[Tag]:
        return iter(self._sorted_tags())

    def __len__(self) -> int:
        return len(self._sorted_tags())

    # Editing: every one returns a new DataSet.

    def assign(self, changes: Mapping[Any, Any] | Iterable[Element] = (), /, **by_keyword: Any) -> DataSet:
        """Return a DataSet with elements set, by keyword, tag or path, or as Elements.

        Raises
        ------
        ValueFormatError
            When a value breaks the rules of its VR, or a path leads nowhere.

        Examples
        --------
        >>> ds = DataSet(ContentSequence=[{"CodeMeaning": "a"}])
        >>> ds.assign({("ContentSequence", 0, "CodeMeaning"): "b"})["ContentSequence", 0, "CodeMeaning"]
        'b'
        """
        return edit.assign(self, edit.changes(changes, by_keyword, type(self)))

    def drop(self, *keys: Key) -> DataSet:
        """Return a DataSet without these tags, keywords or paths; those that are missing make no difference."""
        return edit.drop(self, keys)

    def merge(self, other: Mapping[Any, Any]) -> DataSet:
        """Return a DataSet with the elements of both; where both have one, the other's."""
        return edit.merge(self, other)

    def map(self, function: Callable[[Element], Any]) -> DataSet:
        """Return a DataSet in which every element, nested ones included, went through a function.

        The function returns the element itself (kept), another Element or value (replaces it), or ``dicomkit.DROP``.

        Examples
        --------
        >>> DataSet(PatientName="a^b", Rows=3).map(lambda e: "X" if e.vr == "PN" else e).PatientName
        PersonName('X')
        """
        return edit.map_elements(self, function)

    def load(self) -> DataSet:
        """Return an equal DataSet with all of its source in memory."""
        return self._of(self._records.load(), self._overlay, {}, self.meta.load() if len(self.meta) else None)

    def detach(self) -> DataSet:
        """Return an equal DataSet that holds only its own bytes, in memory, and no path."""
        return self._of(self._records.detach(), self._overlay, {}, self.meta.detach() if len(self.meta) else None)

    # What is around the elements.

    @property
    def meta(self) -> DataSet:
        """The File Meta Information (PS3.10 7.1), empty where there is none."""
        if isinstance(self._meta, Index):
            object.__setattr__(self, "_meta", DataSet.of_index(self._meta))
        return self._meta if isinstance(self._meta, DataSet) else DataSet()

    def with_meta(self, meta: Mapping[Any, Any]) -> DataSet:
        """Return a DataSet with other File Meta Information; what of it is generated, `write` makes anew.

        Examples
        --------
        >>> DataSet(Rows=2).with_meta({"SourceApplicationEntityTitle": "HERE"}).meta.SourceApplicationEntityTitle
        'HERE'
        """
        given = meta if isinstance(meta, DataSet) else DataSet(meta)
        return self._of(self._records, self._overlay, self._values.copy(), given)

    @property
    def transfer_syntax(self) -> TransferSyntax:
        """The transfer syntax in which the bytes are encoded; Explicit VR Little Endian for a new DataSet."""
        return self._records.index.transfer_syntax

    @property
    def repairs(self) -> Repairs:
        """The structural deviations that the reader tolerated."""
        return Repairs((*self.meta._records.repairs, *self._records.repairs))

    @property
    def path(self) -> str | None:
        """The path or URL that it was read from, or None."""
        return getattr(self._records.index.source, "path", None)

    def private_creators(self) -> dict[str, tuple[int, ...]]:
        """Return the private creators, and the blocks (gggg00ee) that each has reserved (PS3.5 7.8.1)."""
        return private_blocks.creators(self)

    def private(self, creator: str, group: int | None = None) -> dict[int, Element]:
        """Return the elements of a private creator by the last byte of their tag.

        Examples
        --------
        >>> ds = DataSet([Element.of((9, 0x10), "ACME", "LO"), Element.of((9, 0x1001), "x", "SH")])
        >>> ds.private("ACME")[0x01].value
        'x'
        """
        return private_blocks.elements_of(self, creator, group)

    # Values behave as values.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DataSet):
            return NotImplemented
        from dicomkit.dataset.equality import equal

        return self is other or equal(self, other)

    def __hash__(self) -> int:
        if (found := self._hash) is None:
            from dicomkit.dataset.equality import hash_of

            _put_hash(self, found := hash_of(self))
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a DataSet never changes; use ds.assign({name}=...), which returns a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a DataSet never changes; use ds.drop({name!r}), which returns a new one")

    def __reduce__(self) -> tuple[Any, ...]:
        return DataSet._of, (self._records.compact(), self._overlay, {}, self._meta)

    def __copy__(self) -> DataSet:
        return self

    def __deepcopy__(self, memo: object) -> DataSet:
        return self

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._ipython_key_completions_()]

    def _ipython_key_completions_(self) -> list[str]:
        return [tag.keyword for tag in self._sorted_tags() if tag.keyword]

    def __repr__(self) -> str:
        return show.one_line(self)

    def __str__(self) -> str:
        return show.text(self)

    def _repr_html_(self) -> str:
        return show.html(self)

    # How an element is found.

    def _has(self, tag: int) -> bool:
        return (self._overlay[tag] if tag in self._overlay else self._records.find(tag)) is not None

    def _value(self, tag: int) -> Any:
        """The value of a tag, or _NOTHING."""
        value = self._values.get(tag, _UNREAD)
        return self._decoded(tag) if value is _UNREAD else value

    def _decoded(self, tag: int) -> Any:
        """The value of a tag that was not asked for before, or _NOTHING."""
        if tag in self._overlay:
            element = self._overlay[tag]
            value = _NOTHING if element is None else element.value
        else:
            records = self._records
            record = (records.places or records.positions()).get(tag >> 16 | (tag & 0xFFFF) << 16)
            if record is None:
                return _NOTHING
            value = records.value(record, tag, self)
        self._values[tag] = value
        return value

    def _element(self, tag: Tag) -> Element | None:
        if tag in self._overlay:
            return self._overlay[tag]
        record = self._records.find(tag)
        return None if record is None else self._records.element(record, tag, self._value(tag), self)

    def _find(self, key: Any) -> Any:
        """The value of a key, or _NOTHING."""
        if isinstance(key, str):
            tag = tag_of(key)
            return self._value(Tag.of(key) if tag is None else tag)
        if isinstance(key, int):
            return self._value(key)
        holder, last = holder_of(self, key)
        if holder is None:
            return _NOTHING
        return holder if last is None else holder._find(last)

    def _sorted_tags(self) -> tuple[Tag, ...]:
        if (found := self._tags) is None:
            tags: Iterable[Tag] = map(_tag_of_word, self._records.positions())
            if self._overlay:
                several = set(tags)
                for tag, element in self._overlay.items():
                    (several.discard if element is None else several.add)(tag if type(tag) is Tag else Tag(tag))
                tags = several
            _put_tags(self, found := tuple(sorted(tags)))
        return found

    def _missing(self, key: Any) -> MissingElementError:
        return show.missing(self, key, keywords)

    def read_source(self, offset: int, length: int) -> bytes:
        """Return bytes of the source that it was read from, from memory where they are."""
        return self._records.index.read(offset, length)

    # The surroundings that its elements see (dataset/context.py).

    def outward(self, tag: int) -> Any:
        """Return the value of a tag here, or else in the nearest data set that contains this one; None without any."""
        value = self._value(tag)
        if value is not _NOTHING:
            return value
        outer = self._records.outer
        return outer.outward(tag) if outer is not None else None

    def private_creator(self, tag: int) -> str | None:
        """Return the creator that has reserved the block of a private tag, or None (PS3.5 7.8.1)."""
        return private_blocks.creator_of(self, tag)


@lru_cache(1 << 14)
def _tag_of_word(word: int) -> Tag:
    return Tag(word >> 16 | (word & 0xFFFF) << 16)


# Slots are set through their descriptors: __setattr__ refuses, and this is quicker than object.__setattr__.
_put_records, _put_overlay, _put_values, _put_tags, _put_meta, _put_hash, _put_depth = (
    DataSet.__dict__[name].__set__ for name in ("_records", "_overlay", "_values", "_tags", "_meta", "_hash", "_depth")
)
