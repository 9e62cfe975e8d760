"""What tuning asks of tracking: that every trial is a run, written in the same transaction as the trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from treadle.kernel.governance import Caller
from treadle.kernel.store import Transaction
from treadle.systems.train.tuning.records import AttributeKind, TrialState


class TrialRuns(Protocol):
    """The runs of studies and trials."""

    def take_number(self, project: str) -> int:
        """The number of the next run; asked for before the transaction that will use it."""

    def begin_study(
        self, tx: Transaction, caller: Caller, run_number: int, number: int, name: str, directions: Sequence[str]
    ) -> str:
        """The run under which those of the study's trials will stand."""

    def end_study(self, tx: Transaction, caller: Caller, run: str) -> None:
        """Says that a study was deleted; its runs stay."""

    def begin_trial(
        self,
        tx: Transaction,
        caller: Caller,
        run_number: int,
        study_run: str,
        number: int,
        state: TrialState,
        body: Mapping[str, Any],
    ) -> str | None:
        """The run of a new trial; `body` as of the change `trial`. None where the study has no run any more."""

    def write(self, tx: Transaction, caller: Caller, run: str, kind: AttributeKind, key: str, value: Any) -> None:
        """A parameter, an intermediate value or an attribute of a trial."""

    def move(self, tx: Transaction, caller: Caller, run: str, state: TrialState, values: Sequence[float]) -> None:
        """A trial's next state, and its final values if it has any."""
