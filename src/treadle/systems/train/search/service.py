"""The verbs of search: runs, experiments and logged models, by a filter and in an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store
from treadle.systems.train.search.catalog import EXPERIMENTS, RUNS, logged_models
from treadle.systems.train.search.contents import columns_of, contents
from treadle.systems.train.search.entities import in_list, list_for
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.finding import Question, find, find_parsed
from treadle.systems.train.search.model_orders import MEASURED, ordered_by
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.records import (
    CountRuns,
    ExperimentPage,
    LoggedModelPage,
    RunCount,
    RunPage,
    SearchExperiments,
    SearchLoggedModels,
    SearchRuns,
    View,
)
from treadle.systems.train.search.runs import RunQuestion, count_runs, facets, find_runs
from treadle.systems.train.search.syntax import All, fields_of
from treadle.systems.train.tracking.logged_models import LoggedModelRows
from treadle.systems.train.tracking.repository import ExperimentRows
from treadle.systems.train.tracking.rules import experiment_numbers

MOST = 50_000
"""The longest page."""
_WIDEST = 1 << 63
_LIFECYCLES: dict[View, tuple[str, ...]] = {
    "active": ("active",),
    "deleted": ("deleted",),
    "all": ("active", "deleted"),
}


class Searches:
    """See the module. begin: sees to it that a project has its first experiment."""

    def __init__(self, store: Store, begin: Callable[[str], None]) -> None:
        self._store, self._begin = store, begin

    @verb("searches.runs", permission="run.read")
    def runs(self, caller: Caller, request: SearchRuns) -> RunPage:
        """A page of runs with what was logged in them. Raises SearchInvalid."""
        check_limit(request.limit)
        columns = columns_of(request.columns)
        question = _run_question(caller.project, request)
        with self._store.read() as reader:
            found = find_runs(reader, question)
            items = contents(reader, caller.project, [row[0] for row in found.rows], columns)
            total = count_runs(reader, question) if request.with_total else None
        return RunPage(items=items, next=found.token, total=total)

    @verb("searches.count", permission="run.read")
    def count(self, caller: Caller, request: CountRuns) -> RunCount:
        """How many runs there are, and how many by value of a field. Raises SearchInvalid."""
        if not 1 <= request.most <= MOST:
            raise SearchInvalid(f"`most` must be from 1 to {MOST}.")
        asked = SearchRuns(experiments=request.experiments, filter=request.filter, view=request.view)
        question = _run_question(caller.project, asked)
        field = RUNS.field_of(request.by) if request.by else None
        with self._store.read() as reader:
            total = count_runs(reader, question)
            by_value = facets(reader, question, field, request.most) if field is not None else []
        return RunCount(total=total, facets=by_value)

    @verb("searches.experiments", permission="experiment.read")
    def experiments(self, caller: Caller, request: SearchExperiments) -> ExperimentPage:
        """A page of experiments with their tags. Raises SearchInvalid."""
        check_limit(request.limit)
        self._begin(caller.project)
        lifecycles = _LIFECYCLES[request.view]
        names = [f"lifecycle_{place}" for place in range(len(lifecycles))]
        question = Question(
            columns=("e.number",),
            scope=f"e.project = :project and e.lifecycle in ({', '.join(f':{name}' for name in names)})",
            parameters={"project": caller.project, **dict(zip(names, lifecycles, strict=True))},
            filter=request.filter,
            order_by=request.order_by,
            limit=request.limit,
            token=request.token,
            seal=[caller.project, request.view],
        )
        with self._store.read() as reader:
            found = find(reader, EXPERIMENTS, question)
            items = ExperimentRows().load(reader, caller.project, [row[0] for row in found.rows])
        return ExperimentPage(items=items, next=found.token)

    @verb("searches.logged_models", permission="logged_model.read")
    def logged_models(self, caller: Caller, request: SearchLoggedModels) -> LoggedModelPage:
        """A page of logged models with their parameters, tags and metrics. Raises SearchInvalid."""
        check_limit(request.limit)
        with self._store.read() as reader:
            return self._logged_models(reader, caller.project, request)

    def _logged_models(self, reader: Reader, project: str, request: SearchLoggedModels) -> LoggedModelPage:
        datasets = [(one.name, one.digest) for one in request.datasets]
        entity, orders = ordered_by(logged_models(datasets), request.order_by)
        condition = parse_filter(request.filter, entity.vocabulary)
        if datasets and not any(field.kind == "metric" for field in fields_of(condition)):
            condition = All(tuple(part for part in (condition, MEASURED) if part is not None))
        numbers = _numbers(request.experiments)
        question = Question(
            columns=("m.model",),
            scope=f"m.project = :project and m.lifecycle = 'active' and m.experiment {in_list(reader.dialect, ':numbers')}",
            parameters={"project": project, "numbers": list_for(reader.dialect, numbers)},
            filter=request.filter,
            limit=request.limit,
            token=request.token,
            seal=[project, numbers, datasets, [asdict(one) for one in request.order_by]],
        )
        found = find_parsed(reader, entity, question, condition, orders)
        items = LoggedModelRows().load(reader, project, [row[0] for row in found.rows])
        return LoggedModelPage(items=items, next=found.token)


def check_limit(limit: int) -> None:
    """Raises SearchInvalid for a page without rows, and for one that is too long."""
    if limit < 1:
        raise SearchInvalid(
            f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer"
        )
    if limit > MOST:
        raise SearchInvalid(f"Invalid value {limit} for parameter 'max_results' supplied. It must be at most {MOST}")


def _numbers(experiments: list[str]) -> list[int]:
    """The numbers of experiments, each once; what is beyond 64 bits is no experiment's."""
    return sorted({number for number in experiment_numbers(experiments) if -_WIDEST <= number < _WIDEST})


def _run_question(project: str, request: SearchRuns) -> RunQuestion:
    numbers = _numbers(request.experiments)
    return RunQuestion(
        project=project,
        experiments=numbers,
        lifecycles=_LIFECYCLES[request.view],
        condition=parse_filter(request.filter, RUNS),
        orders=parse_orders(request.order_by, RUNS),
        limit=request.limit,
        token=request.token,
        mark=[project, numbers, request.filter, list(request.order_by), request.view],
    )
