"""Secrets: names for what must enter no key, row, log or bundle.

The value is looked up when it is revealed, late and where it is needed, and is struck out of captured logs and errors.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from treadle.ground.errors import InvalidInput, NotFound

_PREFIX = "TREADLE_SECRET_"
_MIN_LETTERS = 4
"""Shorter values are not struck out: they would blot out half of every log."""

_revealed: set[str] = set()


class SecretMissing(NotFound):
    code = "engine.secret_missing"


class SecretUsedAsText(InvalidInput):
    code = "engine.secret_used_as_text"


@dataclass(frozen=True, slots=True)
class Secret:
    """A name for something that stays unsaid until `reveal`."""

    name: str

    def reveal(self) -> str:
        """The value, from the variable TREADLE_SECRET_<NAME>, or from the file that TREADLE_SECRET_<NAME>_FILE names.

        Raises SecretMissing.
        """
        variable = _PREFIX + self.name.upper().replace("-", "_").replace("/", "_")
        value = os.environ.get(variable)
        if value is None and (place := os.environ.get(variable + "_FILE")):
            value = Path(place).read_text(encoding="utf-8").rstrip("\n")
        if value is None:
            raise SecretMissing(
                f"The secret {self.name!r} is not set.",
                fix=f"Set {variable}, or let {variable}_FILE name a file that holds it.",
            )
        note_secret(value)
        return value

    def __str__(self) -> str:
        raise SecretUsedAsText(f"The secret {self.name!r} was used as text.", fix="Call .reveal() where it is needed.")


def secret(name: str) -> Secret:
    """Names a secret; `reveal()` gives it, late."""
    return Secret(name)


def note_secret(value: str) -> None:
    """From now on strikes a value out, which came from elsewhere than a named secret."""
    if len(value) >= _MIN_LETTERS:
        _revealed.add(value)


def redacted(text: str) -> str:
    """The text without any secret that was revealed in this process."""
    for value in _revealed:
        if value in text:
            text = text.replace(value, "•••")
    return text
