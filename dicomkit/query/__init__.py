"""Queries: one value for C-FIND, QIDO-RS and a folder, and the rules of what matches it."""

from dicomkit.query.identifier import from_identifier, to_identifier
from dicomkit.query.key import EMPTY, Key, Keys, is_universal
from dicomkit.query.matching import find_in, matcher, matches
from dicomkit.query.models import MODELS, model_for, model_of
from dicomkit.query.query import Query, level_name, query, returned, unique_key, usual_keys

__all__ = [
    "EMPTY",
    "MODELS",
    "Key",
    "Keys",
    "Query",
    "find_in",
    "from_identifier",
    "is_universal",
    "level_name",
    "matcher",
    "matches",
    "model_for",
    "model_of",
    "query",
    "returned",
    "to_identifier",
    "unique_key",
    "usual_keys",
]
