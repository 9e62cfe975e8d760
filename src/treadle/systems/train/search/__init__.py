"""The search grammar, and finding rows by it."""

from treadle.systems.train.search.entities import Binder, Column, Entity, Joined, Keyed, Many, Values
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.finding import Found, Question, count, find
from treadle.systems.train.search.vocabulary import Kind, Vocabulary

__all__ = [
    "Binder",
    "Column",
    "Entity",
    "Found",
    "Joined",
    "Keyed",
    "Kind",
    "Many",
    "Question",
    "SearchInvalid",
    "Values",
    "Vocabulary",
    "count",
    "find",
]
