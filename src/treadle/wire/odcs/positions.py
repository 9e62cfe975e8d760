"""YAML as plain values that remember their lines.

Only what JSON can say comes out: text, numbers, booleans, null, lists and mappings with text keys. Dates stay text, as
the standard wants them. No tag is obeyed, so a document can never make an object or run code.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_BYTES = 4 << 20
MAX_NODES = 200_000

Path = tuple[str | int, ...]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEPT = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}


class Unreadable(Exception):
    """The text is no YAML, or more than a contract needs: `line` (from 1) and a message."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def parse(text: str) -> tuple[Any, dict[Path, int]]:
    """The value of a YAML document, and the line (from 1) of every path in it. Raises Unreadable."""
    if len(text.encode()) > MAX_BYTES:
        raise Unreadable(1, f"the document is larger than {MAX_BYTES >> 20} MiB")
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, str(error.problem or error.context)) from error
    except yaml.YAMLError as error:
        raise Unreadable(1, str(error).splitlines()[0]) from error
    if root is None:
        raise Unreadable(1, "the document is empty")
    return _Reading().read(root)


class _Reading:
    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.construct = yaml.SafeLoader("").construct_object

    def read(self, root: yaml.Node) -> tuple[Any, dict[Path, int]]:
        return self._value(root, ()), self.lines

    def _value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if len(self.lines) > MAX_NODES:
            raise Unreadable(line, f"the document has more than {MAX_NODES:,} values; are its aliases nested?")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.construct(node) if node.tag in _KEPT else node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable(line, "a key must be plain text")
            if key.value in answer:
                raise Unreadable(line, f"the key {key.value!r} comes twice")
            self.lines[(*path, key.value)] = line
            answer[key.value] = self._value(value, (*path, key.value))
        return answer
