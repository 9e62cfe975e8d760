"""Contracts of one table `t`, made of parts."""

from __future__ import annotations

from typing import Any

import yaml

from treadle.wire.odcs import Contract, decode

HEAD = {"apiVersion": "v3.2.0", "kind": "DataContract", "id": "t", "version": "1.0.0", "status": "active"}


def contract_text(properties: list[dict[str, Any]], **rest: Any) -> str:
    """`sla` are service levels; all else belongs to the table, or with `top` to the contract."""
    top = dict(rest.pop("top", {}))
    if "sla" in rest:
        top["slaProperties"] = rest.pop("sla")
    table = {"name": "t", "properties": properties, **{name: value for name, value in rest.items() if value}}
    return yaml.safe_dump({**HEAD, "schema": [table], **top}, sort_keys=False, allow_unicode=True)


def contract_of(properties: list[dict[str, Any]], **rest: Any) -> Contract:
    """See contract_text."""
    return decode(contract_text(properties, **rest))
