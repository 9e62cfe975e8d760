"""Assessments, evaluation datasets and scorers: what is said is kept, merged and struck out as clients expect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.systems.train.traces.conftest import ADA, House, name_of
from treadle.systems.train.traces.assessing import AssessmentNamed, UpdateAssessment
from treadle.systems.train.traces.errors import (
    AssessmentNotFound,
    EvaluationDatasetNotFound,
    ScorerNotFound,
    TraceInvalid,
    TraceNotFound,
)
from treadle.systems.train.traces.evaluation import (
    CreateEvaluationDataset,
    DeleteRecords,
    EvaluationDatasetNamed,
    MergeRecords,
    RecordsOf,
    SearchEvaluationDatasets,
    TagEvaluationDataset,
    TieExperiments,
    UntagEvaluationDataset,
)
from treadle.systems.train.traces.evaluation_rows import EvaluationDataset, EvaluationRecord
from treadle.systems.train.traces.scorers import RegisterScorer, ScorerNamed, ScorersOf
from treadle.systems.train.tracking.errors import ExperimentNotFound


def made(house: House, name: str = "questions", **said: Any) -> EvaluationDataset:
    return house.datasets.create(ADA, CreateEvaluationDataset(name=name, **said))


def merged(house: House, dataset: str, *records: dict[str, Any]) -> tuple[int, int]:
    found = house.datasets.merge(ADA, MergeRecords(dataset=dataset, records=list(records)))
    return found.inserted, found.updated


def records(house: House, dataset: str, **asked: Any) -> list[EvaluationRecord]:
    return house.datasets.records(ADA, RecordsOf(dataset=dataset, **asked)).records


class TestAssessments:
    def test_one_needs_a_trace(self, house: House):
        with pytest.raises(TraceNotFound):
            house.judge(1, "ok", True)

    def test_overriding_and_taking_it_back(self, house: House):
        house.start(1)
        first = house.judge(1, "ok", True)
        second = house.judge(1, "ok", False, overrides=first.id)
        assert {one.id: one.is_valid for one in house.get(1).assessments} == {first.id: False, second.id: True}

        house.assessments.delete(ADA, AssessmentNamed(trace=name_of(1), assessment=second.id))
        house.assessments.delete(ADA, AssessmentNamed(trace=name_of(1), assessment=second.id))

        assert [(one.id, one.is_valid) for one in house.get(1).assessments] == [(first.id, True)]

    def test_overriding_what_is_not_there_changes_nothing(self, house: House):
        house.start(1)

        with pytest.raises(AssessmentNotFound):
            house.judge(1, "ok", True, overrides="a-none")

        assert house.get(1).assessments == []

    def test_an_update_keeps_what_it_does_not_name(self, house: House):
        house.start(1)
        first = house.judge(1, "ok", True, rationale="because", metadata={"a": "1"})

        house.assessments.update(
            ADA,
            UpdateAssessment(trace=name_of(1), assessment=first.id, kind="feedback", value=[1.0], metadata={"b": "2"}),
        )

        (found,) = house.get(1).assessments
        assert (found.name, found.value, found.rationale) == ("ok", [1.0], "because")
        assert found.metadata == {"a": "1", "b": "2"}
        assert (found.created_ms, found.source_type) == (first.created_ms, "HUMAN")

    def test_feedback_does_not_become_an_expectation(self, house: House):
        house.start(1)
        first = house.judge(1, "ok", True)

        with pytest.raises(TraceInvalid):
            house.assessments.update(
                ADA, UpdateAssessment(trace=name_of(1), assessment=first.id, kind="expectation", value=1)
            )

    def test_what_is_missing_is_named(self, house: House):
        house.start(1)
        with pytest.raises(AssessmentNotFound):
            house.assessments.get(ADA, AssessmentNamed(trace=name_of(1), assessment="a-none"))
        with pytest.raises(TraceNotFound):
            house.assessments.get(ADA, AssessmentNamed(trace=name_of(2), assessment="a-none"))


class TestEvaluationDatasets:
    def test_the_same_inputs_are_one_record(self, house: House):
        dataset = made(house).id

        assert merged(house, dataset, {"inputs": {"a": 1, "b": 2}, "expectations": {"x": 1}}, {"inputs": {"a": 2}}) == (
            2,
            0,
        )
        assert merged(house, dataset, {"inputs": {"b": 2, "a": 1}, "expectations": {"y": 2}, "tags": {"t": "1"}}) == (
            0,
            1,
        )

        found = {json.dumps(one.inputs): one for one in records(house, dataset)}
        first = found['{"a": 1, "b": 2}']
        assert (first.expectations, first.tags, first.outputs) == ({"x": 1, "y": 2}, {"t": "1"}, {})

    def test_the_schema_keeps_the_first_type_of_a_field(self, house: House):
        dataset = made(house).id
        merged(house, dataset, {"inputs": {"q": "x"}, "outputs": {"n": 1}, "expectations": {"l": [1]}})
        merged(house, dataset, {"inputs": {"q": 5, "more": None}, "outputs": {"n": 1.5}})

        found = house.datasets.get(ADA, EvaluationDatasetNamed(dataset=dataset))

        assert json.loads(found.schema or "") == {
            "inputs": {"q": "string", "more": "null"},
            "outputs": {"n": "integer"},
            "expectations": {"l": "array"},
            "version": "1.0",
        }
        assert json.loads(found.profile or "") == {"num_records": 2}

    def test_records_come_in_pages_that_hold_still(self, house: House):
        dataset = made(house).id
        merged(house, dataset, *({"inputs": {"n": n}} for n in range(7)))
        seen: list[str] = []
        token = None
        while True:
            page = house.datasets.records(ADA, RecordsOf(dataset=dataset, limit=3, page_token=token))
            seen += [one.id for one in page.records]
            token = page.next_page_token
            if token is None:
                break
            house.datasets.delete_records(ADA, DeleteRecords(dataset=dataset, records=seen[:1]))

        assert len(seen) == len(set(seen)) == 7

    def test_where_a_record_is_from_is_kept(self, house: House):
        dataset = made(house).id

        merged(
            house,
            dataset,
            {"inputs": {"a": 1}, "source": {"source_type": "trace", "source_data": {"trace_id": "tr-1"}}},
        )

        (found,) = records(house, dataset)
        assert (found.source_type, found.source_id) == ("TRACE", "tr-1")

    @pytest.mark.parametrize(
        "bad", [5, {"inputs": 5}, {"tags": [1]}, {"source": "x"}, {"source": {"source_type": "GUESS"}}]
    )
    def test_a_record_that_is_none_is_refused_before_any_is_written(self, house: House, bad: Any):
        dataset = made(house).id

        with pytest.raises(TraceInvalid):
            merged(house, dataset, {"inputs": {"a": 1}}, bad)

        assert records(house, dataset) == []

    def test_datasets_are_found_by_name_tag_time_and_experiment(self, house: House):
        house.experiments.begin(ADA.project)
        first = made(house, "alpha", tags={"team": "a"}, experiments=["0"]).id
        second = made(house, "beta").id

        def found(filter: str | None = None, **asked: Any) -> list[str]:
            page = house.datasets.search(ADA, SearchEvaluationDatasets(filter=filter, **asked))
            return [one.id for one in page.datasets]

        assert set(found()) == {first, second}
        assert found(order_by=["name DESC"]) == [second, first]
        assert found("name LIKE 'al%'") == [first]
        assert found("tags.team = 'a' AND created_time > 0") == [first]
        assert found(experiments=["0"]) == [first]
        page = house.datasets.search(ADA, SearchEvaluationDatasets(order_by=["name"], limit=1))
        again = SearchEvaluationDatasets(order_by=["name"], limit=1, page_token=page.next_page_token)
        assert [one.id for one in house.datasets.search(ADA, again).datasets] == [second]

    def test_tags_and_experiments_come_and_go(self, house: House):
        house.experiments.begin(ADA.project)
        dataset = made(house, tags={"a": "1"}).id
        house.datasets.tag(ADA, TagEvaluationDataset(dataset=dataset, tags={"b": "2"}))
        house.datasets.untag(ADA, UntagEvaluationDataset(dataset=dataset, key="a"))
        house.datasets.tie(ADA, TieExperiments(dataset=dataset, experiments=["0"]))
        with pytest.raises(ExperimentNotFound):
            house.datasets.tie(ADA, TieExperiments(dataset=dataset, experiments=["9"]))

        assert house.datasets.get(ADA, EvaluationDatasetNamed(dataset=dataset)).tags == {"b": "2"}
        assert house.datasets.experiments(ADA, EvaluationDatasetNamed(dataset=dataset)) == ["0"]
        house.datasets.untie(ADA, TieExperiments(dataset=dataset, experiments=["0", "9"]))
        assert house.datasets.experiments(ADA, EvaluationDatasetNamed(dataset=dataset)) == []

    def test_a_deleted_dataset_is_gone_with_its_records_and_the_log_says_so(self, house: House):
        dataset = made(house).id
        merged(house, dataset, {"inputs": {"a": 1}})

        house.datasets.delete(ADA, EvaluationDatasetNamed(dataset=dataset))
        house.datasets.delete(ADA, EvaluationDatasetNamed(dataset=dataset))

        with pytest.raises(EvaluationDatasetNotFound):
            house.datasets.get(ADA, EvaluationDatasetNamed(dataset=dataset))
        assert records(house, dataset) == []
        kinds = [event.kind for event in house.events.newest("p")]
        assert kinds == ["evaluation_dataset.deleted", "evaluation_dataset.created"]


class TestScorers:
    def register(self, house: House, content: Any = None, name: str = "polite") -> int:
        text = json.dumps({"name": name} if content is None else content)
        return house.scorers.register(ADA, RegisterScorer(experiment="0", name=name, serialized=text)).version

    def test_versions_are_counted_from_one_and_the_newest_is_listed(self, house: House):
        assert [self.register(house, {"n": n}) for n in range(3)] == [1, 2, 3]
        self.register(house, name="brief")

        newest = house.scorers.list(ADA, ScorersOf(experiments=["0"]))
        assert [(one.name, one.version) for one in newest] == [("brief", 1), ("polite", 3)]
        assert house.scorers.get(ADA, ScorerNamed(experiment="0", name="polite", version=2)).serialized == '{"n": 1}'

    def test_deleting_a_version_or_all_of_them(self, house: House):
        for _ in range(2):
            self.register(house)
        house.scorers.delete(ADA, ScorerNamed(experiment="0", name="polite", version=2))
        assert house.scorers.get(ADA, ScorerNamed(experiment="0", name="polite")).version == 1
        with pytest.raises(ScorerNotFound):
            house.scorers.delete(ADA, ScorerNamed(experiment="0", name="polite", version=2))

        house.scorers.delete(ADA, ScorerNamed(experiment="0", name="polite"))

        with pytest.raises(ScorerNotFound):
            house.scorers.versions(ADA, ScorerNamed(experiment="0", name="polite"))

    @pytest.mark.parametrize(
        "content",
        [{"call_source": "import os"}, {"ensemble_scorer_data": {"scorers": [{"call_source": "x"}]}}, [], "text"],
    )
    def test_a_scorer_that_carries_code_is_refused(self, house: House, content: Any):
        with pytest.raises(TraceInvalid):
            self.register(house, content)

        assert house.scorers.list(ADA, ScorersOf()) == []

    def test_a_scorer_needs_a_name_and_an_experiment(self, house: House):
        with pytest.raises(TraceInvalid):
            self.register(house, name="  ")
        with pytest.raises(ExperimentNotFound):
            house.scorers.register(ADA, RegisterScorer(experiment="7", name="x", serialized="{}"))
