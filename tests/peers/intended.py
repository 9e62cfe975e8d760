"""The differences that are meant; docs/reference/mlflow-differences.md lists the same, with the reason of each.

Each is a function of that name, and tests/peers/test_differences.py shows each at work.
"""

from __future__ import annotations

from typing import Any

from tests.peers.twins import PAGE, Difference


def is_intended(difference: Difference) -> bool:
    """Whether Treadle means to answer otherwise than a stock server does."""
    return any(one(difference) for one in INTENDED)


def statements_stay_inside(difference: Difference) -> bool:
    """Where a stock server passes on what its database said, Treadle refuses too and says what is wrong in words."""
    said = _message(difference.stock)
    if "(sqlite3." not in said and "(psycopg" not in said:
        return False
    if " Error: (" in said:
        return _code(difference.stock) == _code(difference.treadle)
    return 400 <= difference.treadle[0] < 500


def breakdowns_are_refusals(difference: Difference) -> bool:
    """Where a stock server breaks down (500), Treadle refuses what was asked."""
    return difference.stock[0] >= 500 and 400 <= difference.treadle[0] < 500


def bodies_are_objects(difference: Difference) -> bool:
    """A body that is no JSON object is refused; a stock server reads some as an empty one."""
    is_taken = (difference.stock[0], difference.treadle[0]) == (200, 400)
    return is_taken and difference.method == "POST" and isinstance(difference.body, str)


def errors_have_one_form(difference: Difference) -> bool:
    """Every error has the protocol's form, where a stock server answers some with a page or with a `detail`."""
    if difference.stock[0] != difference.treadle[0] or difference.stock[0] < 400:
        return False
    return not _code(difference.stock) and bool(_code(difference.treadle))


def errors_say_more(difference: Difference) -> bool:
    """An error begins as a stock server's does; what follows (the keys that there are, what to do) is Treadle's own."""
    is_same_error = difference.stock[0] == difference.treadle[0] and _code(difference.stock) == _code(
        difference.treadle
    )
    begins = [_message(one).split()[:2] for one in (difference.stock, difference.treadle)]
    return is_same_error and difference.stock[0] >= 400 and begins[0] == begins[1] != []


def searches_know_more(difference: Difference) -> bool:
    """A search takes more than a stock server's grammar, and says in its own words why it does not take a question."""
    if not difference.path.endswith("/search") or difference.stock[0] not in (400, 500):
        return False
    return difference.treadle[0] == 200 or _code(difference.treadle) == "INVALID_PARAMETER_VALUE"


def pages_have_a_size(difference: Difference) -> bool:
    """A page's size is above 0 and below its limit in every search; a stock server checks it in some."""
    if not difference.path.endswith("/search") or difference.stock[0] != 200:
        return False
    if difference.treadle[0] == 400:
        said = _message(difference.treadle)
        return said.startswith("Invalid value") and "max_results" in said
    return difference.treadle == (200, {}) and difference.stock[1] == {PAGE: "‹page›"}  # nothing, and then the next


def orders_name_a_key_once(difference: Difference) -> bool:
    """A key stands once in the order of a search, of experiments as of runs; a stock server takes it twice in some."""
    is_taken = (difference.stock[0], difference.treadle[0]) == (200, 400)
    return is_taken and "`order_by` contains duplicate fields" in _message(difference.treadle)


def repetitions_are_taken(difference: Difference) -> bool:
    """What a model is told again (a metric, a tag twice in one request) is taken; a stock server fails on its own key."""
    is_taken = (difference.stock[0], difference.treadle[0]) == (400, 200)
    return is_taken and "UNIQUE constraint failed" in _message(difference.stock)


def unknown_states_are_refused(difference: Difference) -> bool:
    """A state of a logged model that there is not is refused; a stock server takes it for `UNSPECIFIED`."""
    is_taken = (difference.stock[0], difference.treadle[0]) == (200, 400)
    return is_taken and difference.method == "PATCH" and "'status'" in _message(difference.treadle)


def uploads_answer_an_object(difference: Difference) -> bool:
    """A stored file is answered with an empty object, as every other success is; a stock server's answer has no body."""
    is_upload = difference.method == "PUT" and "/mlflow-artifacts/artifacts/" in difference.path
    return is_upload and difference.stock == (200, None) and difference.treadle == (200, {})


def empty_files_have_a_size(difference: Difference) -> bool:
    """The size of an empty file is 0; a stock server leaves it out."""
    if difference.stock[0] != 200 or difference.treadle[0] != 200 or not isinstance(difference.treadle[1], dict):
        return False
    files = [
        {name: value for name, value in one.items() if value != 0 or name != "file_size"} for one in _files(difference)
    ]
    return bool(files) and {**difference.treadle[1], "files": files} == difference.stock[1]


def _files(difference: Difference) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = difference.treadle[1].get("files", [])
    return found


def paths_are_plain(difference: Difference) -> bool:
    """A path of a file is relative, of plain names with / between them; a stock server mends or stores some others."""
    is_file = "/mlflow-artifacts/artifacts" in difference.path or difference.path.endswith("artifacts/list")
    return is_file and difference.treadle[0] == 400 and _message(difference.treadle).startswith("Invalid path")


def runs_begin_in_default(difference: Difference) -> bool:
    """A run that is created without an experiment belongs to `Default`; a stock server breaks on its foreign key."""
    is_taken = (difference.stock[0], difference.treadle[0]) == (400, 200)
    names_none = not isinstance(difference.body, dict) or not difference.body.get("experiment_id")
    return difference.path.endswith("runs/create") and is_taken and names_none


def numbers_are_read(difference: Difference) -> bool:
    """A number that is none is refused; a stock server answers a batch with success and drops what comes after it."""
    is_taken = (difference.stock[0], difference.treadle[0]) == (200, 400)
    is_number = _message(difference.treadle).startswith("Invalid value") and "metrics[" in _message(difference.treadle)
    return difference.path.endswith("runs/log-batch") and is_taken and is_number


def _message(answer: tuple[int, Any]) -> str:
    return str(answer[1].get("message", "")) if isinstance(answer[1], dict) else ""


def _code(answer: tuple[int, Any]) -> str:
    return str(answer[1].get("error_code", "")) if isinstance(answer[1], dict) else ""


INTENDED = (
    statements_stay_inside,
    breakdowns_are_refusals,
    bodies_are_objects,
    errors_have_one_form,
    errors_say_more,
    searches_know_more,
    pages_have_a_size,
    orders_name_a_key_once,
    repetitions_are_taken,
    unknown_states_are_refused,
    uploads_answer_an_object,
    empty_files_have_a_size,
    paths_are_plain,
    runs_begin_in_default,
    numbers_are_read,
)
