"""UIDs: the rules of PS3.5 9.1, names of the registry, and new ones."""

import pickle
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.errors import ValueFormatError
from dicomkit.values.uid import UID, new_uid

components = st.integers(0, 10**8).map(str)
uids = st.lists(components, min_size=2, max_size=7).map(".".join)
seeds = st.text(st.characters()) | st.binary() | st.lists(st.text() | st.binary(), max_size=4)


@given(uids)
def test_numbers_and_dots_are_valid(text):
    assert UID(text).is_valid
    assert UID.of(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "1", "1.", ".1", "1..2", "1.02", "00.1", "1.2 ", "1.2\0", "1.2\n", "1.a", "1.-2", "1.٣", "1." + "2" * 63],
)
def test_broken_rules(text):
    assert not UID(text).is_valid
    with pytest.raises(ValueFormatError, match="neither a UID"):
        UID.of(text)


def test_sixty_four_characters_are_allowed():
    assert UID("1." + "2" * 62).is_valid


@given(st.text())
def test_any_text_is_kept(text):
    uid = UID(text)
    assert str(uid) == uid == text
    assert hash(uid) == hash(text)
    assert isinstance(uid.is_valid, bool)


def test_what_the_registry_says():
    uid = UID("1.2.840.10008.1.2.2")
    assert (uid.name, uid.keyword, uid.type, uid.retired, uid.is_private) == (
        "Explicit VR Big Endian",
        "ExplicitVRBigEndian",
        "Transfer Syntax",
        True,
        False,
    )
    unknown = UID("1.2.840.100089.1")
    assert (unknown.name, unknown.keyword, unknown.type, unknown.retired, unknown.is_private) == (
        "",
        "",
        "",
        False,
        True,
    )
    assert not UID("1.2.840.10008").is_private


def test_of_keyword_and_name():
    assert UID.of("MRImageStorage") == UID.of("MR Image Storage") == "1.2.840.10008.5.1.4.1.1.4"


def test_repr_and_pickle():
    uid = UID("1.2.3")
    assert repr(uid) == "UID('1.2.3')"
    copy = pickle.loads(pickle.dumps(uid))
    assert (copy, type(copy)) == (uid, UID)


def test_without_a_root_it_is_a_uuid():
    made = {new_uid() for _ in range(100)}
    assert len(made) == 100
    for uid in made:
        assert uid.is_valid
        assert uid.startswith("2.25.")
        assert uuid.UUID(int=int(uid[5:])).version == 4


@given(seeds)
def test_a_seed_makes_a_uuid_that_is_always_the_same(seed):
    uid = new_uid(seed=seed)
    assert uid == new_uid(seed=seed)
    assert uid.is_valid
    made = uuid.UUID(int=int(uid.removeprefix("2.25.")))
    assert (made.variant, made.version) == (uuid.RFC_4122, 8)


def test_a_seed_makes_the_same_uid_in_every_release():
    assert new_uid(seed="dicomkit") == "2.25.206774286694963826879696991187242401185"
    assert new_uid("1.2.3", seed=b"dicomkit") == "1.2.3.206774286694963826879696991187242401185"


@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=3))
def test_other_seeds_make_other_uids(one, other):
    assert (new_uid(seed=one) == new_uid(seed=other)) == (one == other)


def test_the_parts_of_a_seed_are_kept_apart():
    assert new_uid(seed=("ab", "c")) != new_uid(seed=("a", "bc"))
    assert new_uid(seed=("abc",)) == new_uid(seed="abc") == new_uid(seed=b"abc")


@given(uids.filter(lambda root: len(root) <= 43 and not root.startswith("1.2.840.10008")), st.none() | seeds)
def test_a_root_of_ones_own(root, seed):
    uid = new_uid(root, seed=seed)
    assert uid.is_valid
    assert uid.startswith(root + ".")


@pytest.mark.parametrize("root", ["", "1.2.", "abc", "1.2.840.10008", "1.2.840.10008.1", "1.02", "1." + "2" * 42])
def test_roots_that_are_none(root):
    with pytest.raises(ValueFormatError, match="root"):
        new_uid(root)


def test_the_longest_root():
    uid = new_uid("1." + "2" * 41, seed="x")
    assert uid.is_valid
    assert len(uid) <= 64
