"""Label Studio's documents in and out."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.wire.labelstudio import (
    Control,
    NotLabelStudio,
    StudioAnnotation,
    StudioTask,
    read_tasks,
    write_config,
    write_tasks,
)

CONTROLS = [
    Control(name="verdict", kind="choices", choices=['a & "b"', "<c>"]),
    Control(name="knots", kind="number", minimum=0, maximum=200.5),
    Control(name="why", kind="textarea", title="Why?", required=False),
]

EXPORT = """[{
  "id": 12, "annotations": [{
    "id": 5, "completed_by": {"id": 1, "email": "ada@example.com"},
    "result": [
      {"id": "q", "type": "choices", "value": {"choices": ["Positive"]}, "origin": "manual", "to_name": "text", "from_name": "sentiment"},
      {"value": {"start": 1, "end": 4, "labels": ["PER"]}, "from_name": "ner", "to_name": "text", "type": "labels"},
      {"value": {"text": ["first", "second"]}, "from_name": "why", "to_name": "text", "type": "textarea"},
      {"value": {"rating": 4}, "from_name": "stars", "to_name": "text", "type": "rating"},
      {"value": {"choices": ["a", "b"]}, "from_name": "many", "to_name": "text", "type": "choices"}],
    "was_cancelled": false, "ground_truth": true, "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:06Z", "lead_time": 12.5, "prediction": {}, "result_count": 0, "task": 12}],
  "file_upload": "x.json", "drafts": [], "predictions": [], "data": {"text": "To have faith"}, "meta": {},
  "created_at": "2026-01-02T03:00:00Z", "inner_id": 1, "total_annotations": 1, "project": 3}]"""


def test_export_of_label_studio_is_read_and_what_is_not_taken_is_counted():
    [task] = read_tasks(EXPORT)

    assert (task.id, task.data) == (12, {"text": "To have faith"})
    [made] = task.annotations
    assert made.annotator == "ada@example.com"
    assert made.values == {"sentiment": "Positive", "why": "first\nsecond", "stars": 4.0}
    assert made.other_results == 2
    assert (made.ground_truth, made.lead_time_s) == (True, 12.5)
    assert made.created_at == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_bare_data_objects_are_tasks():
    assert read_tasks(b'[{"text": "hello"}]') == [StudioTask(data={"text": "hello"}, annotations=[])]


values = st.fixed_dictionaries(
    {"verdict": st.sampled_from(['a & "b"', "<c>"])},
    optional={"knots": st.floats(0, 200), "why": st.text()},
)
annotations = st.builds(
    StudioAnnotation,
    annotator=st.text(min_size=1),
    values=values,
    was_cancelled=st.booleans(),
    ground_truth=st.booleans(),
    lead_time_s=st.none() | st.floats(0, 1e6),
    created_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)
tasks = st.builds(
    StudioTask,
    data=st.dictionaries(st.text(min_size=1), st.text() | st.integers(-(2**53), 2**53)).map(
        lambda data: {"shown": "x", **{k: v for k, v in data.items() if k != "data"}}
    ),
    id=st.none() | st.integers(1, 2**31),
    annotations=st.lists(annotations, max_size=3),
)


@given(st.lists(tasks, max_size=4))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back(written):
    assert read_tasks(write_tasks(written, CONTROLS)) == written


@pytest.mark.parametrize(
    "document",
    ["", "{}", '{"data": {}}', "[1]", '[{"data": 3}]', '[{"data": {}, "annotations": [{"created_at": "then"}]}]'],
)
def test_other_documents_are_refused_with_the_way_to_export(document):
    with pytest.raises(NotLabelStudio) as refusal:
        read_tasks(document)

    assert "JSON" in refusal.value.fix


def test_config_is_well_formed_whatever_the_names_hold():
    view = ElementTree.fromstring(write_config(CONTROLS, ["wind <mph>", "b"]))

    assert [text.get("value") for text in view.iter("Text")] == ["$wind <mph>", "$b"]
    assert [choice.get("value") for choice in view.iter("Choice")] == ['a & "b"', "<c>"]
    assert view.find("Number").attrib == {
        "name": "knots",
        "toName": "task",
        "required": "true",
        "min": "0",
        "max": "200.5",
    }
    assert view.find("TextArea").get("required") == "false"
