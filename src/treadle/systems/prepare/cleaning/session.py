"""One cleaning on its way into a dataset: the rows as they come out of the steps, and the judgement of each batch.

Whoever lands asks for a batch, and then has it judged; so each batch waits here with its positions until it is. Rows that
a step holds, and rows that a rule refuses, leave at the same gate and are told apart in the log.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import polars as pl

from treadle.systems.prepare.checking import RULES as REFUSED_BY
from treadle.systems.prepare.cleaning.changes import AT, QUARANTINED, REFUSED, RULES
from treadle.systems.prepare.cleaning.program import HELD, Program, held_values
from treadle.systems.prepare.cleaning.steps import can_hold
from treadle.systems.prepare.failing_rows import row_ids
from treadle.systems.prepare.gate import ContractSession, Divided
from treadle.systems.prepare.records import RuleResult, Severity

RAW = "_raw"
_MOST_EXAMPLES = 5


class CleaningSession:
    """Hands over cleaned rows and judges them. carried: rows that a person has let in before; they are taken as they are."""

    types: Mapping[str, str] = {}

    def __init__(
        self,
        program: Program,
        frames: Iterable[pl.DataFrame],
        *,
        judge: ContractSession,
        carried: pl.DataFrame | None = None,
    ) -> None:
        self.program, self._frames, self._judge, self._carried = program, frames, judge, carried
        self._waiting: deque[pl.DataFrame | None] = deque()
        self._examples: dict[str, list[str]] = {}
        self.kept = self.quarantined = self.refused = 0
        self.refused_rows: list[pl.DataFrame] = []
        """The ids of rows that did not pass, by batch."""

    def frames(self) -> Iterator[pl.DataFrame]:
        """The cleaned rows, batch by batch; when the last is judged, the log is whole."""
        for frame in self.program.run(self._frames):
            if frame.height:
                self._waiting.append(frame)
                yield frame.drop(AT, HELD)
        self.program.changes.end()
        if self._carried is not None and self._carried.height:
            self._waiting.append(None)
            yield self._carried

    def judge(self, frame: pl.DataFrame) -> Divided:
        """Divides the batch that was handed over last."""
        cleaned = self._waiting.popleft()
        if cleaned is None:
            return Divided(kept=frame, refused=_refused_form(frame.clear()))
        numbered = frame.with_columns(cleaned[AT], cleaned[HELD])
        good = numbered.filter(pl.col(HELD) == 0).drop(HELD)
        judged = self._judge.judge(good)
        kept, refused = judged.kept, judged.refused
        held = self._held(numbered, cleaned)
        self._note(cleaned, refused)
        self.kept += kept.height
        left = [_refused_form(part.drop(AT)) for part in (held, refused) if part.height]
        whole = pl.concat(left) if left else _refused_form(frame.clear())
        self.refused_rows.append(whole.select("_landing", "_row"))
        return Divided(kept=kept.drop(AT), refused=whole)

    def verdict(self, refused_before: Mapping[str, int]) -> dict[str, Any]:
        """What rules and steps have found, as JSON."""
        found = self._judge.verdict(refused_before)
        if "results" not in found:
            return found
        found["rows"] += self.quarantined
        found["refused"] += self.quarantined
        found["results"] += msgspec.to_builtins(list(self._of_steps()))
        return found

    def _held(self, numbered: pl.DataFrame, cleaned: pl.DataFrame) -> pl.DataFrame:
        """The rows that steps hold, as rows of the quarantine: with the names of the steps, and what the cells said."""
        _, held = self.program.parted(cleaned)
        if not held.height:
            return numbered.clear().drop(HELD)
        self.program.changes.removes(len(self.program.steps), QUARANTINED, held)
        self.quarantined += held.height
        said = held_values(self.program.changes, dict(held.select(AT, RULES).iter_rows()))
        texts = [_text(said.get(at)) for at in held[AT]]
        for name in held[RULES].explode().unique().drop_nulls():
            examples = self._examples.setdefault(name, [])
            of_it = held.filter(pl.col(RULES).list.contains(name))
            examples += row_ids(of_it.head(max(0, _MOST_EXAMPLES - len(examples))))
        whole = numbered.filter(pl.col(HELD) != 0).drop(HELD)
        return whole.with_columns(held[RULES].alias(REFUSED_BY), pl.Series(RAW, texts, dtype=pl.String))

    def _note(self, cleaned: pl.DataFrame, refused: pl.DataFrame) -> None:
        self.refused += refused.height
        if refused.height:
            named = refused.select(AT, pl.col(REFUSED_BY).alias(RULES))
            gone = cleaned.drop(HELD).join(named, on=AT, how="inner", maintain_order="left")
            self.program.changes.removes(len(self.program.steps), REFUSED, gone)

    def _of_steps(self) -> Iterator[RuleResult]:
        for one in self.program.steps:
            if not (self.program.held_by[one.id] or can_hold(one.step)):
                continue
            severity: Severity = "error" if one.severity not in ("warning", "info") else one.severity  # type: ignore[assignment]
            failed = self.program.held_by[one.id]
            yield RuleResult(
                rule=one.id,
                kind=f"cleaning:{one.kind}",
                severity=severity,
                dimension="conformity",
                columns=one.step.columns,
                evaluated=self.program.changes.rows,
                failed=failed,
                passed=failed == 0,
                examples=self._examples.get(one.id, []),
                description=one.description or f"{one.kind} of {', '.join(one.step.columns) or 'a row'}",
            )


def _refused_form(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as rows of a quarantine."""
    columns = []
    if REFUSED_BY not in frame.columns:
        columns.append(pl.lit([], pl.List(pl.String)).alias(REFUSED_BY))
    if RAW not in frame.columns:
        columns.append(pl.lit(None, pl.String).alias(RAW))
    return frame.with_columns(columns).select(pl.exclude(REFUSED_BY, RAW), REFUSED_BY, RAW)


def _text(values: Mapping[str, Any] | None) -> str | None:
    return None if not values else json.dumps(values, default=str, ensure_ascii=False)
