"""Queries: one value for C-FIND, QIDO-RS and a folder, and the rules of what matches it."""

from dicomkit.query.identifier import from_identifier, returned, to_identifier
from dicomkit.query.matching import find_in, matcher, matches
from dicomkit.query.models import MODELS, model_for, model_of
from dicomkit.query.query import Key, Keys, Query, level_name, query, unique_key

__all__ = [
    "MODELS",
    "Key",
    "Keys",
    "Query",
    "find_in",
    "from_identifier",
    "level_name",
    "matcher",
    "matches",
    "model_for",
    "model_of",
    "query",
    "returned",
    "to_identifier",
    "unique_key",
]
