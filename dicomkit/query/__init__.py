"""Queries: one value for C-FIND, QIDO-RS and a folder, and the rules of what matches it."""

from dicomkit.query.folder import find_in
from dicomkit.query.identifier import from_identifier, to_identifier, to_retrieval
from dicomkit.query.key import EMPTY, Key, Keys, is_universal
from dicomkit.query.matching import matcher, matches
from dicomkit.query.models import MODELS, model_for, model_of
from dicomkit.query.parameters import Search, from_parameters, to_parameters
from dicomkit.query.query import Query, level_name, query, returned, unique_key, usual_keys
from dicomkit.query.response import response

__all__ = [
    "EMPTY",
    "MODELS",
    "Key",
    "Keys",
    "Query",
    "Search",
    "find_in",
    "from_identifier",
    "from_parameters",
    "is_universal",
    "level_name",
    "matcher",
    "matches",
    "model_for",
    "model_of",
    "query",
    "response",
    "returned",
    "to_identifier",
    "to_parameters",
    "to_retrieval",
    "unique_key",
    "usual_keys",
]
