"""Contract records to YAML text, in the standard's own order and without what is not said."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from treadle.wire.odcs.records import Contract

_BREAKS = "\r\x85\u2028\u2029"


class _Writer(yaml.SafeDumper):
    """Long text in blocks, lists indented: as a person would write it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(writer: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    if any(mark in value for mark in _BREAKS):
        style = '"'  # elsewhere YAML would take them for the end of a line
    return writer.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Writer.add_representer(str, _text)


def encode(contract: Contract) -> str:
    """YAML text that `decode` reads back as an equal contract."""
    value: dict[str, Any] = {"apiVersion": contract.api_version, "kind": contract.kind}
    value |= {"id": contract.id, "version": contract.version, "status": contract.status}
    value |= msgspec.to_builtins(contract)
    return yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)
