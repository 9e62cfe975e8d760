"""Random conditions and orders on runs, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.systems.train.search.filling import Made
from treadle.systems.train.search import syntax as s

TEXTS = ["x", "X", "xy", "a%b", "a_b", "it's", "ü", "x*y", "[x]", "y" * 251 + "a", "y" * 251 + "b"]
NUMBERS = [0, 1, -3.5, 0.1, 2.0]
METRICS, PARAMS, TAGS = ["a", "b", "c d", "e.f"], ["p", "q r", "s.t"], ["t", "u/v"]

metric = st.sampled_from(METRICS).map(lambda key: s.Field("metric", key, "number"))
time = st.sampled_from(["start_time", "end_time"]).map(lambda key: s.Field("attribute", key, "number"))
text_field = st.one_of(
    st.sampled_from(PARAMS).map(lambda key: s.Field("parameter", key, "text")),
    st.sampled_from(TAGS).map(lambda key: s.Field("tag", key, "text")),
    st.sampled_from(["run_name", "status", "user_id"]).map(lambda key: s.Field("attribute", key, "text")),
)
dataset = st.sampled_from(["name", "digest", "context"]).map(lambda key: s.Field("dataset", key, "text"))
number = st.sampled_from(NUMBERS).map(s.Number)
expression: st.SearchStrategy[s.Expression] = st.recursive(
    st.one_of(metric, time, number, metric.map(lambda field: s.Aggregate("max", field))),
    lambda inner: st.one_of(
        st.builds(s.Arithmetic, st.sampled_from("+-*/"), inner, inner),
        inner.filter(lambda found: not isinstance(found, s.Number)).map(s.Negative),
    ),
    max_leaves=3,
)
compared = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
texts = st.sampled_from(TEXTS).map(s.Text)
patterns = st.sampled_from(["x%", "%", "_", "X_", "%b", "%[x]%", "x*y", "", "y%"]).map(s.Text)
atom = st.one_of(
    st.builds(s.Comparison, metric, compared, number),
    st.builds(s.Comparison, time, compared, number),
    st.builds(s.Comparison, expression, compared, expression),
    st.builds(s.Comparison, st.one_of(text_field, dataset), st.sampled_from(["=", "!="]), texts),
    st.builds(s.Comparison, st.one_of(text_field, dataset), st.sampled_from(["LIKE", "ILIKE"]), patterns),
    st.builds(s.Comparison, text_field, st.just("RLIKE"), st.sampled_from(["^x+y?$", "[ab]", "y{3}"]).map(s.Text)),
    st.builds(
        s.Membership,
        st.one_of(text_field, dataset),
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    st.builds(
        s.Membership, metric, st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3).map(tuple), st.booleans()
    ),
    st.builds(s.Range, st.one_of(metric, time), number, number),
    st.builds(s.Absence, st.one_of(metric, time, text_field, dataset), st.booleans()),
)
condition: st.SearchStrategy[s.Condition] = st.recursive(
    atom,
    lambda inner: st.one_of(
        inner.map(s.Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: s.All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: s.AnyOf(tuple(parts))),
    ),
    max_leaves=5,
)
order = st.builds(s.Order, st.one_of(metric, time, text_field), st.booleans())
orders = st.lists(order, max_size=2, unique_by=lambda found: found.value).map(tuple)


@st.composite
def run(draw: st.DrawFn, number: int) -> Made:
    return Made(
        number=number,
        name=draw(st.sampled_from(["a", "B", "ab"])),
        status=draw(st.sampled_from(["RUNNING", "FINISHED"])),
        start_ms=draw(st.sampled_from([None, 1, 2, 3])),
        end_ms=draw(st.sampled_from([None, 3, 4])),
        metrics=draw(st.dictionaries(st.sampled_from(METRICS), st.sampled_from([None, *map(float, NUMBERS)]))),
        params=draw(st.dictionaries(st.sampled_from(PARAMS), st.sampled_from(TEXTS))),
        tags=draw(st.dictionaries(st.sampled_from(TAGS), st.sampled_from(TEXTS))),
        datasets=draw(
            st.lists(
                st.tuples(st.sampled_from("mx"), st.sampled_from("1x"), st.sampled_from([None, "x"])),
                max_size=2,
                unique_by=lambda found: found[:2],
            )
        ),
    )
