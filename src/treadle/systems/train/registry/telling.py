"""What the registry leaves in the log, and what it says to those who listen.

Every change is an event. Some are announced as well, under the names and with the contents that MLflow's webhooks have; for
a prompt, which is a model whose versions are texts, under names of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Transaction
from treadle.systems.train.registry.ports import Announcer
from treadle.systems.train.registry.records import PROMPT_TAG, ModelLine, ModelVersion, is_prompt

_PROMPT_TEXT, _PROMPT_TYPE = "mlflow.prompt.text", "_mlflow_prompt_type"


class Teller:
    """Appends events and announces them, in the caller's transaction."""

    def __init__(self, events: EventLog, announcer: Announcer | None) -> None:
        self._events, self._announcer = events, announcer

    def tell(self, tx: Transaction, caller: Caller, kind: str, subject: str, body: Mapping[str, Any]) -> str:
        """Appends an event; answers its id."""
        return self._events.append(
            tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=dict(body)
        )

    def created(self, tx: Transaction, caller: Caller, line: ModelLine, tags: Mapping[str, str]) -> None:
        """A model, or a prompt, was made."""
        event = self.tell(tx, caller, "model.created", line.subject, {"name": line.name})
        kind, hidden = "registered_model.created", frozenset[str]()
        if is_prompt(tags):
            kind, hidden = "prompt.created", frozenset({PROMPT_TAG, _PROMPT_TYPE})
        shown = {key: value for key, value in tags.items() if key not in hidden}
        data = {"name": line.name, "tags": shown, "description": line.description or ""}
        self._announce(tx, caller, kind, data, event)

    def registered(
        self,
        tx: Transaction,
        caller: Caller,
        version: ModelVersion,
        tags: Mapping[str, str],
        body: Mapping[str, Any],
    ) -> None:
        """A version, or the text of a prompt, was registered."""
        event = self.tell(tx, caller, "model.registered", version.subject, body)
        data: dict[str, Any] = {"name": version.model, "version": str(version.number)}
        kind, shown = "model_version.created", dict(tags)
        if is_prompt(tags):
            kind = "prompt_version.created"
            data["template"] = shown.pop(_PROMPT_TEXT, None)
            shown = {key: value for key, value in shown.items() if key not in (PROMPT_TAG, _PROMPT_TYPE)}
        else:
            data |= {"source": version.source or "", "run_id": version.run_id or None}
        self._announce(tx, caller, kind, {**data, "tags": shown, "description": version.description or None}, event)

    def tagged(
        self,
        tx: Transaction,
        caller: Caller,
        line: ModelLine,
        number: int | None,
        key: str,
        value: str | None,
        *,
        is_prompt: bool,
    ) -> None:
        """A label was set, or with no value taken away. Labels of models that are no prompts are not announced."""
        noun, subject = ("model", line.subject) if number is None else ("version", f"{line.subject}/{number}")
        verb = "untagged" if value is None else "tagged"
        body = {"key": key} if value is None else {"key": key, "value": value[:_LONGEST]}
        event = self.tell(tx, caller, f"{noun}.{verb}", subject, body)
        data: dict[str, Any] = {"name": line.name}
        if number is not None:
            data["version"] = str(number)
        data["key"] = key
        if value is not None:
            data["value"] = value
        entity = ("prompt" if is_prompt else "model") + ("_tag" if number is None else "_version_tag")
        if entity != "model_tag":
            self._announce(tx, caller, f"{entity}.{'deleted' if value is None else 'set'}", data, event)

    def aliased(
        self, tx: Transaction, caller: Caller, line: ModelLine, alias: str, number: int | None, *, is_prompt: bool
    ) -> None:
        """An alias was moved, or without a number taken away; the event is the ref's own."""
        entity = "prompt_alias" if is_prompt else "model_version_alias"
        data = {"name": line.name, "alias": alias}
        if number is None:
            self._announce(tx, caller, f"{entity}.deleted", data, "")
        else:
            self._announce(tx, caller, f"{entity}.created", {**data, "version": str(number)}, "")

    def _announce(self, tx: Transaction, caller: Caller, kind: str, data: Mapping[str, Any], event: str) -> None:
        if self._announcer is not None:
            self._announcer.announce(tx, caller.project, kind=kind, data=data, event=event)


_LONGEST = 250
"""Letters of a label's value that an event keeps: a prompt's text is up to 100,000."""
