"""The rows of traces, their tags, metadata, links and spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.traces.analytics import metadata_of
from treadle.systems.train.traces.assessment_rows import AssessmentRows
from treadle.systems.train.traces.cleaning import clean, cleaned
from treadle.systems.train.traces.records import COLUMNS, MODEL_ID, NAME_TAG, SOURCE_RUN, StoredSpan, Trace

sql = Statements(__package__)

_encode = msgspec.json.Encoder().encode


def id_list(ids: Iterable[str]) -> str:
    """Ids as the statements with `:ids` take them."""
    return _encode(list(dict.fromkeys(ids))).decode()


class TraceRows:
    """Finds and records traces."""

    def __init__(self) -> None:
        self._assessments = AssessmentRows()

    def find(self, reader: Reader, project: str, ids: Sequence[str]) -> list[Trace]:
        """The traces of some ids that there are, in the order of the ids, with all that hangs on them."""
        found = {row[0]: trace_of(row) for row in reader.all(sql.traces_of, {"project": project, "ids": id_list(ids)})}
        self.complete(reader, project, found.values())
        return [found[id] for id in dict.fromkeys(ids) if id in found]

    def complete(self, reader: Reader, project: str, traces: Iterable[Trace]) -> None:
        """Fills in the tags, metadata and assessments of traces that were read as rows."""
        by_id = {trace.id: trace for trace in traces}
        if not by_id:
            return
        values = {"project": project, "ids": id_list(by_id)}
        for id, key, value in reader.all(sql.metadata_of, values):
            by_id[id].metadata[key] = value
        for id, key, value in reader.all(sql.tags_of, values):
            by_id[id].tags[key] = value
        for assessment in self._assessments.of_traces(reader, project, by_id):
            by_id[assessment.trace].assessments.append(assessment)
        for trace in by_id.values():
            trace.metadata |= metadata_of(trace)
            if trace.name is not None:
                trace.tags[NAME_TAG] = trace.name

    def lock(self, tx: Transaction, project: str, id: str) -> Trace | None:
        """The row of a trace, held until the transaction ends; None when there is none."""
        row = tx.find(sql.lock_trace, {"project": project, "trace": id})
        return None if row is None else trace_of(row)

    def insert(self, tx: Transaction, project: str, trace: Trace) -> bool:
        """Records the row of a trace; False when there is one of that id already."""
        return tx.execute(sql.insert_trace, _values(project, trace)) == 1

    def update(self, tx: Transaction, project: str, trace: Trace) -> None:
        """Writes the row of a trace anew."""
        tx.execute(sql.update_trace, _values(project, trace))

    def put_tags(self, tx: Transaction, project: str, id: str, tags: Mapping[str, str]) -> None:
        """Sets tags; the trace's name is none of them."""
        _put(tx, sql.put_tag, project, id, tags)

    def drop_tag(self, tx: Transaction, project: str, id: str, key: str) -> bool:
        """Takes a tag away, or the name; False when there is none."""
        if key != NAME_TAG:
            return tx.execute(sql.drop_tag, {"project": project, "trace": id, "key": key}) == 1
        trace = self.lock(tx, project, id)
        if trace is None or trace.name is None:
            return False
        self.rename(tx, project, id, None)
        return True

    def rename(self, tx: Transaction, project: str, id: str, name: str | None) -> None:
        """Sets the name of a trace."""
        tx.execute(sql.set_name, {"project": project, "trace": id, "name": name})

    def put_metadata(self, tx: Transaction, project: str, id: str, metadata: Mapping[str, str]) -> None:
        """Sets metadata, and ties the trace to the run and the model that it names."""
        _put(tx, sql.put_metadata, project, id, metadata)
        for key, kind in ((SOURCE_RUN, "source"), (MODEL_ID, "model")):
            if metadata.get(key):
                self.link(tx, project, id, kind, metadata[key])

    def add_metadata(self, tx: Transaction, project: str, id: str, key: str, value: str) -> None:
        """Sets one metadatum where there is none."""
        tx.execute(sql.add_metadata, {"project": project, "trace": id, "key": key, "value": value})

    def metadatum(self, reader: Reader, project: str, id: str, key: str) -> str | None:
        """One metadatum of a trace, or None."""
        row = reader.find(sql.find_metadata, {"project": project, "trace": id, "key": key})
        return None if row is None else str(row[0])

    def link(self, tx: Transaction, project: str, id: str, kind: str, target: str) -> None:
        """Ties a trace to what it belongs with; once is enough."""
        tx.execute(sql.put_link, {"project": project, "trace": id, "kind": kind, "target": clean(target)})

    def links(self, reader: Reader, project: str, id: str) -> list[tuple[str, str]]:
        """(kind, target) of everything that a trace is tied to."""
        return [(kind, target) for kind, target in reader.all(sql.links_of, {"project": project, "trace": id})]

    def linked(self, reader: Reader, project: str, kind: str, target: str) -> list[str]:
        """The ids of the traces that are tied to a thing: what a run, a model or a prompt leads to."""
        values = {"project": project, "kind": kind, "target": target}
        return [id for (id,) in reader.all(sql.traces_linked, values)]

    def put_spans(self, tx: Transaction, project: str, experiment: str, spans: Sequence[StoredSpan]) -> None:
        """Records spans; one that came before is replaced."""
        shared = {"project": project, "experiment": int(experiment)}
        tx.execute_many(sql.put_span, [_fields(span) | shared for span in spans])

    def spans(self, reader: Reader, project: str, ids: Iterable[str]) -> dict[str, list[str]]:
        """By trace, the contents of its spans, the root first."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for id, content in reader.all(sql.spans_of, {"project": project, "ids": id_list(ids)}):
            found[id].append(content)
        return found

    def move_spans(self, tx: Transaction, project: str, id: str, experiment: str) -> None:
        """Brings the spans of a trace into its experiment."""
        tx.execute(sql.move_spans, {"project": project, "trace": id, "experiment": int(experiment)})

    def experiment_of(self, reader: Reader, project: str, experiment: str) -> tuple[str, str] | None:
        """(artifact location, lifecycle) of an experiment, or None."""
        values = {"project": project, "experiment": int(experiment)}
        row = reader.find(sql.find_experiment, values)
        return None if row is None else (row[0], row[1])

    def to_delete(
        self, tx: Transaction, project: str, experiment: int, *, ids: Sequence[str], until_ms: int, limit: int
    ) -> list[str]:
        """The ids of an experiment's traces: those named, or else the oldest until a time."""
        values: dict[str, object] = {"project": project, "experiment": experiment}
        if ids:
            rows = tx.all(sql.select_named_for_delete, values | {"ids": id_list(ids)})
        else:
            rows = tx.all(sql.select_for_delete, values | {"until_ms": until_ms, "limit": limit})
        return [id for (id,) in rows]

    def delete(self, tx: Transaction, project: str, ids: Iterable[str]) -> int:
        """Takes traces away with all that hangs on them; answers how many there were."""
        count = 0
        for id in ids:
            values = {"project": project, "trace": id}
            for statement in (
                sql.delete_assessments,
                sql.delete_spans,
                sql.delete_links,
                sql.delete_metadata,
                sql.delete_tags,
            ):
                tx.execute(statement, values)
            count += tx.execute(sql.delete_trace, values)
        return count


def _put(tx: Transaction, statement: Any, project: str, id: str, pairs: Mapping[str, str]) -> None:
    shared = {"project": project, "trace": id}
    rows = [shared | {"key": clean(key), "value": clean(value)} for key, value in sorted(pairs.items())]
    if rows:
        tx.execute_many(statement, rows)


def _values(project: str, trace: Trace) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(trace, name) for name in COLUMNS}
    return cleaned(values) | {"project": project, "experiment": int(trace.experiment)}


def _fields(span: StoredSpan) -> dict[str, object]:
    return {name: getattr(span, name) for name in StoredSpan.__slots__}


def trace_of(row: Row) -> Trace:
    """A trace from its row, without tags, metadata and assessments."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["experiment"] = str(values["experiment"])
    return Trace(**values)
