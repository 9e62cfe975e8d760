"""A digest changes when the code could compute something else, and only then."""

from __future__ import annotations

import importlib
import os
import py_compile
import runpy
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType, SimpleNamespace

import pytest

from tests.kernel.engine.code.conftest import Project
from treadle.kernel.engine.code import explain, fingerprint
from treadle.kernel.engine.code.errors import NotCode

TEXT = '''
def clean_name(text):
    """Trims."""
    return text.strip()


def unused(text):
    return text
'''

PREP = '''
import text
from text import clean_name

LIMIT = 3
RATES = {"a": 1.5, "b": [1, 2]}


def helper(rows):
    return rows[:LIMIT]


def unrelated(rows):
    return rows


def tidy(rows):
    """What it does."""
    # a comment
    return [clean_name(each) for each in helper(rows)]


def tidy_by_module(rows):
    return [text.clean_name(each) for each in rows]
'''


def edited(source: str, old: str, new: str) -> str:
    assert old in source, old
    return source.replace(old, new)


@pytest.fixture
def prep(project: Project) -> Project:
    project.write(prep=PREP, text=TEXT)
    return project


COSMETIC = {
    "nothing": (PREP, TEXT),
    "a comment": (edited(PREP, "# a comment", "# another\n    # and one more"), TEXT),
    "a docstring": (edited(PREP, "What it does.", "What else it does."), TEXT),
    "a docstring of a helper elsewhere": (PREP, edited(TEXT, "Trims.", "Cuts.")),
    "formatting": (
        edited(
            PREP,
            "return [clean_name(each) for each in helper(rows)]",
            "return [\n        clean_name(each)\n        for each in helper( rows )\n    ]",
        ),
        TEXT,
    ),
    "an annotation of a helper": (edited(PREP, "def helper(rows):", "def helper(rows: list) -> list:"), TEXT),
    "an annotation of a local": (
        edited(PREP, "    return rows[:LIMIT]", "    first: list = rows[:LIMIT]\n    return first").replace(
            "first: list", "first"
        ),
        TEXT,
    ),
    "a function that is not reached": (
        edited(PREP, "def unrelated(rows):\n    return rows", "def unrelated(rows):\n    return 1"),
        TEXT,
    ),
    "a function that is not reached elsewhere": (
        PREP,
        edited(TEXT, "def unused(text):\n    return text", "def unused(t):\n    return 0"),
    ),
    "a constant that is not reached": (edited(PREP, '"a": 1.5', '"a": 2.5'), TEXT),
    "lines moved down": ("# a licence\n\n\n" + PREP, TEXT),
}
SEMANTIC = {
    "body": (edited(PREP, "for each in helper(rows)]", "for each in helper(rows) if each]"), TEXT),
    "helper in the same file": (edited(PREP, "return rows[:LIMIT]", "return rows[1:LIMIT]"), TEXT),
    "module constant": (edited(PREP, "LIMIT = 3", "LIMIT = 4"), TEXT),
    "helper in another file": (PREP, edited(TEXT, "text.strip()", "text.lstrip()")),
    "a default": (edited(PREP, "def helper(rows):", "def helper(rows, by=2):"), TEXT),
    "what a name is bound to": (
        edited(PREP, "from text import clean_name", "from text import unused as clean_name"),
        TEXT,
    ),
    "type of a constant": (edited(PREP, "LIMIT = 3", "LIMIT = 3.0"), TEXT),
}


@pytest.mark.parametrize("edit", [each for each in COSMETIC if each != "an annotation of a local"])
def test_a_cosmetic_or_unrelated_edit_keeps_the_digest(prep: Project, edit: str) -> None:
    before = prep.of()

    prep.write(**dict(zip(("prep", "text"), COSMETIC[edit], strict=True)))

    assert prep.of() == before


@pytest.mark.parametrize("edit", SEMANTIC)
def test_an_edit_of_what_is_reached_changes_the_digest(prep: Project, edit: str) -> None:
    before = prep.of()

    prep.write(**dict(zip(("prep", "text"), SEMANTIC[edit], strict=True)))

    assert prep.of().digest != before.digest


def test_parts_are_named_for_people(prep: Project) -> None:
    assert set(prep.of().parts) == {
        "step tidy (prep.py)",
        "helper helper (prep.py)",
        "helper clean_name (text.py)",
        "constant LIMIT (prep.py)",
        f"python {sys.version_info[0]}.{sys.version_info[1]}",
    }


def test_an_annotation_of_a_local_variable_is_cosmetic(project: Project) -> None:
    project.write(prep="def tidy(rows):\n    first = rows[0]\n    return first\n")
    before = project.of()

    project.write(prep="def tidy(rows):\n    first: int = rows[0]\n    return first\n")

    assert project.of() == before


def test_the_signature_of_a_step_counts_since_its_annotations_choose_the_frame(project: Project) -> None:
    project.write(prep="def tidy(rows: list):\n    return rows\n")
    before = project.of()

    project.write(prep="def tidy(rows: tuple):\n    return rows\n")

    assert project.of().digest != before.digest


def test_an_attribute_chain_on_a_module_reaches_just_what_it_names(prep: Project) -> None:
    before = prep.of("tidy_by_module")
    assert "helper clean_name (text.py)" in before.parts

    prep.write(text=edited(TEXT, "def unused(text):\n    return text", "def unused(text):\n    return 1"))
    assert prep.of("tidy_by_module") == before

    prep.write(text=edited(TEXT, "text.strip()", "text.lstrip()"))
    assert prep.of("tidy_by_module").digest != before.digest


def test_a_module_used_as_a_value_counts_as_a_whole(prep: Project) -> None:
    source = "import text\n\n\ndef tidy(rows):\n    tools = text\n    return tools.clean_name(rows)\n"
    prep.write(prep=source)
    before = prep.of()

    prep.write(text=edited(TEXT, "def unused(text):\n    return text", "def unused(text):\n    return 1"))

    assert prep.of().digest != before.digest


def test_packages_relative_imports_and_star_imports_are_followed(project: Project) -> None:
    project.write(
        shop____init__="",
        shop__text="def clean(x):\n    return x\n",
        shop__prep="from .text import *\nfrom . import text as t\n\n\ndef tidy(x):\n    return clean(x), t.clean(x)\n",
    )
    before = project.of(module="shop.prep")
    assert "helper clean (shop/text.py)" in before.parts

    project.write(shop__text="def clean(x):\n    return x + 1\n")

    assert project.of(module="shop.prep").digest != before.digest


CLASSES = """
class Base:
    def start(self):
        return 1


class Rates(Base):
    factor = 2

    def __init__(self, base):
        self.base = base

    @property
    def double(self):
        return self.base * 2

    @staticmethod
    def parse(text):
        return int(text)

    def untouched(self):
        return self.start()


RATES = Rates(5)


def tidy(x):
    return RATES.double + x


def bound(x):
    return x


METHOD = RATES.untouched
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.base * 2", "self.base * 3"),
        ("return int(text)", "return float(text)"),
        ("        return 1", "        return 2"),
        ("factor = 2", "factor = 3"),
        ("Rates(5)", "Rates(6)"),
        ("class Rates(Base):", "class Rates(Base, dict):"),
    ],
)
def test_an_instance_counts_by_its_class_with_bases_and_by_its_state(project: Project, old: str, new: str) -> None:
    project.write(prep=CLASSES)
    before = project.of()

    project.write(prep=edited(CLASSES, old, new))

    assert project.of().digest != before.digest


def test_comments_and_docstrings_in_classes_are_cosmetic(project: Project) -> None:
    project.write(prep=CLASSES)
    before = project.of()

    project.write(prep=edited(CLASSES, "    factor = 2", '    """Rates."""\n\n    # twice\n    factor = 2'))

    assert project.of() == before


def test_fields_of_a_dataclass_count_with_their_annotations(project: Project) -> None:
    source = "from dataclasses import dataclass, field\n\n\n@dataclass\nclass R:\n    a: int = 1\n    b: list = field(default_factory=list)\n\n\ndef tidy(x):\n    return R(x)\n"
    project.write(prep=source)
    before = project.of()
    assert project.of() == before

    project.write(prep=edited(source, "a: int = 1", "a: float = 1"))

    assert project.of().digest != before.digest


def test_methods_called_on_an_argument_are_reached_by_the_steps_annotation(project: Project) -> None:
    source = "class Rates:\n    def at(self, x):\n        return x\n\n\ndef tidy(rates: 'Rates', x: int):\n    return rates.at(x)\n"
    project.write(prep=source)
    before = project.of()

    project.write(prep=edited(source, "        return x\n", "        return -x\n"))

    assert project.of().digest != before.digest


DECORATED = """
import functools


def times(n):
    def around(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args) * n

        return wrapper

    return around


N = 2


@times(N)
def tidy(x):
    return x
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x\n", "return -x\n"),
        ("* n", "+ n"),
        ("N = 2", "N = 3"),
        ("@times(N)\n", ""),
        ("@times(N)", "@times(N)\n@times(N)"),
    ],
)
def test_decorators_count_with_their_code_and_arguments(project: Project, old: str, new: str) -> None:
    project.write(prep=DECORATED)
    before = project.of()
    assert "decorator times (prep.py)" in before.parts
    assert "step tidy (prep.py)" in before.parts

    project.write(prep=edited(DECORATED, old, new))

    assert project.of().digest != before.digest


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (
            "LIMIT = 3\n\n\ndef tidy(x, n=LIMIT):\n    return n\n",
            "LIMIT = 4\n\n\ndef tidy(x, n=LIMIT):\n    return n\n",
            "default of n",
        ),
        ("def tidy(x, *, n=1):\n    return n\n", "def tidy(x, *, n=2):\n    return n\n", "default of n"),
        (
            "def make(rate):\n    def tidy(x):\n        return x * rate\n\n    return tidy\n\n\ntidy = make(2)\n",
            "def make(rate):\n    def tidy(x):\n        return x * rate\n\n    return tidy\n\n\ntidy = make(3)\n",
            "closure cell rate",
        ),
    ],
)
def test_defaults_and_closures_count_by_value(project: Project, before: str, after: str, part: str) -> None:
    project.write(prep=before)
    first = project.of()

    project.write(prep=after)
    second = project.of()

    assert [name for name in first.parts if first.parts[name] != second.parts.get(name)] == [part]


def test_two_lambdas_on_one_line_are_told_apart(project: Project) -> None:
    project.write(prep="FIRST, SECOND = lambda x: x + 1, lambda x: x + 2\n")
    first, second = project.of("FIRST"), project.of("SECOND")
    assert first.digest != second.digest

    project.write(prep="FIRST, SECOND = lambda x: x + 1, lambda x: x + 3\n")

    assert project.of("FIRST") == first
    assert project.of("SECOND").digest != second.digest


def test_a_lambda_ignores_formatting(project: Project) -> None:
    project.write(prep="tidy = lambda x: x + 1\n")
    before = project.of()

    project.write(prep="tidy = (\n    lambda x:  # adds\n    x +\n    1\n)\n")

    assert project.of() == before


def test_partials_count_by_function_and_arguments(project: Project) -> None:
    source = "from functools import partial\n\n\ndef scale(x, by):\n    return x * by\n\n\ndouble = partial(scale, by=2)\n\n\ndef tidy(x):\n    return double(x)\n"
    project.write(prep=source)
    before = project.of()

    project.write(prep=edited(source, "by=2", "by=3"))
    assert project.of().digest != before.digest
    project.write(prep=edited(source, "x * by", "x + by"))
    assert project.of().digest != before.digest


def test_recursion_ends_and_is_followed(project: Project) -> None:
    source = "def even(n):\n    return n == 0 or odd(n - 1)\n\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n\n\ndef tidy(n):\n    return even(n) or tidy(n - 1)\n"
    project.write(prep=source)
    before = project.of()
    assert {"helper even (prep.py)", "helper odd (prep.py)"} <= set(before.parts)

    project.write(prep=edited(source, "n != 0", "n > 0"))

    assert project.of().digest != before.digest


def test_functions_in_a_registry_are_reached(project: Project) -> None:
    source = "def a(x):\n    return x\n\n\nREGISTRY = {'a': a}\n\n\ndef tidy(x, name):\n    return REGISTRY[name](x)\n"
    project.write(prep=source)
    before = project.of()

    project.write(prep=edited(source, "def a(x):\n    return x\n", "def a(x):\n    return -x\n"))

    assert project.of().digest != before.digest


@pytest.mark.parametrize(
    "body",
    ["getattr(sys.modules[__name__], name)(x)", "eval(name)(x)", "globals()[name](x)", "importlib.import_module(name)"],
)
def test_a_dynamic_look_up_widens_to_the_module_and_says_so(project: Project, body: str) -> None:
    source = (
        f"import importlib\nimport sys\n\n\ndef hidden(x):\n    return x\n\n\ndef tidy(x, name):\n    return {body}\n"
    )
    project.write(prep=source)
    before = project.of()
    assert any("all of prep.py counts" in each for each in before.widened)

    project.write(prep=edited(source, "def hidden(x):\n    return x\n", "def hidden(x):\n    return -x\n"))

    assert project.of().digest != before.digest


def test_a_getattr_with_a_constant_name_does_not_widen(project: Project) -> None:
    project.write(prep="def hidden(x):\n    return x\n\n\ndef tidy(x):\n    return getattr(x, 'real', 0)\n")

    found = project.of()

    assert found.widened == ()
    assert not any(part.startswith("module ") for part in found.parts)


def test_a_value_without_identity_widens_to_its_module(project: Project) -> None:
    source = "THING = (each for each in [1])\nOTHER = 1\n\n\ndef tidy(x):\n    return THING\n"
    project.write(prep=source)
    before = project.of()
    assert before.widened

    project.write(prep=edited(source, "in [1]", "in [2]"))
    assert project.of().digest != before.digest


def test_a_logger_and_a_lock_are_no_inputs(project: Project) -> None:
    project.write(
        prep="import logging\nimport threading\n\nlog = logging.getLogger(__name__)\nlock = threading.Lock()\n\n\ndef tidy(x):\n    with lock:\n        log.info('x')\n    return x\n"
    )

    assert project.of().widened == ()


def test_an_import_inside_the_body_counts_as_a_whole_whether_loaded_or_not(project: Project) -> None:
    project.write(
        prep="def tidy(x):\n    from text import clean\n    return clean(x)\n",
        text="import deep\n\n\ndef clean(x):\n    return deep.cut(x)\n",
        deep="def cut(x):\n    return x\n",
    )
    module = project.load("prep")
    before = fingerprint(module.tidy)
    module.tidy(1)
    assert fingerprint(module.tidy) == before

    project.write(deep="def cut(x):\n    return -x\n")

    assert project.of().digest != before.digest


def test_an_import_inside_the_body_is_noticed_when_the_file_changes_in_one_process(project: Project) -> None:
    project.write(
        prep="def tidy(x):\n    from text import clean\n    return clean(x)\n", text="def clean(x):\n    return x\n"
    )
    module = project.load("prep")
    before = fingerprint(module.tidy)

    project.write(text="def clean(x):\n    return x + 1000\n")

    assert fingerprint(module.tidy).digest != before.digest


def test_distributions_count_by_version(project: Project) -> None:
    project.write(prep="import polars as pl\nimport yaml\n\n\ndef tidy(x):\n    return pl.col(x), yaml.safe_load(x)\n")

    parts = project.of().parts

    assert f"distribution polars {importlib.import_module('polars').__version__}" in parts
    assert f"distribution pyyaml {importlib.import_module('yaml').__version__}" in parts


def test_the_standard_library_counts_by_pythons_version_alone(project: Project) -> None:
    project.write(
        prep="import json\nfrom collections import Counter\n\n\ndef tidy(x):\n    return Counter(json.loads(x))\n"
    )

    assert set(project.of().parts) == {"step tidy (prep.py)", f"python {sys.version_info[0]}.{sys.version_info[1]}"}


def test_treadle_itself_counts_as_a_distribution_also_in_a_checkout(project: Project) -> None:
    project.write(prep="from treadle.ground import digests\n\n\ndef tidy(x):\n    return digests.of_bytes(x)\n")

    parts = project.of().parts

    assert sum(part.startswith("distribution treadle ") for part in parts) == 1
    assert not any("digests.py" in part for part in parts)


def test_what_is_loaded_counts_not_what_the_file_says_now(prep: Project) -> None:
    module = prep.load("prep")
    prep.write(text=edited(TEXT, "text.strip()", "text.lstrip()"))

    stale = fingerprint(module.tidy)
    again = fingerprint(prep.load("prep").tidy)

    prep.write(text=TEXT)
    assert again.digest != stale.digest
    assert prep.of().digest != again.digest


def test_a_reloaded_helper_is_noticed_in_one_process(prep: Project) -> None:
    module = prep.load("prep")
    before = fingerprint(module.tidy_by_module)

    prep.write(text=edited(TEXT, "text.strip()", "text.lstrip()"))
    importlib.reload(sys.modules["text"])

    assert fingerprint(module.tidy_by_module).digest != before.digest


def test_replaced_names_and_edited_lists_are_noticed_in_one_process(prep: Project) -> None:
    module = prep.load("prep")
    prep.write(prep=PREP + "\n\ndef rates(x):\n    return RATES\n")
    module = prep.load("prep")
    limit, rates = fingerprint(module.tidy), fingerprint(module.rates)

    module.LIMIT = 7  # type: ignore[attr-defined]
    module.RATES["b"].append(3)

    assert fingerprint(module.tidy).digest != limit.digest
    assert fingerprint(module.rates).digest != rates.digest


def test_version_and_depends_on_say_more(project: Project) -> None:
    project.write(prep="def hidden(x):\n    return x\n\n\ndef tidy(x):\n    return x\n")
    module = project.load("prep")
    plain = fingerprint(module.tidy)

    assert fingerprint(module.tidy, version="2").digest != plain.digest
    declared = fingerprint(module.tidy, depends_on=[module.hidden])
    assert "helper hidden (prep.py)" in declared.parts

    data = project.folder / "rates.csv"
    data.write_text("1")
    before = fingerprint(module.tidy, depends_on=[data])
    data.write_text("22")
    assert fingerprint(module.tidy, depends_on=[data]).digest != before.digest


def test_moving_the_project_keeps_the_digest(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from pathlib import Path\n\nHERE = Path(__file__).parent / 'data'\n\n\ndef tidy(x):\n    return HERE / x\n"
    )
    project.write(prep=source)
    before = project.of()

    other = tmp_path_factory.mktemp("elsewhere")
    project.forget()
    monkeypatch.syspath_prepend(str(other))
    moved = Project(other)
    moved.write(prep=source)

    assert moved.of() == before
    moved.forget()


def test_functions_of_a_notebook_cell_are_read_from_the_line_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    import linecache

    def cell(number: int, source: str) -> dict[str, object]:
        name = f"<ipython-input-{number}-abc>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        names: dict[str, object] = {"__name__": "__main__"}
        exec(compile(source, name, "exec"), names)
        return names

    first = fingerprint(cell(1, "K = 2\ndef tidy(x):\n    return x * K\n")["tidy"])  # type: ignore[arg-type]
    same = fingerprint(cell(2, "# run again\nK = 2\ndef tidy(x):\n    # why\n    return (x * K)\n")["tidy"])  # type: ignore[arg-type]
    other = fingerprint(cell(3, "K = 3\ndef tidy(x):\n    return x * K\n")["tidy"])  # type: ignore[arg-type]

    assert "step tidy (notebook)" in first.parts
    assert same == first
    assert other.digest != first.digest


def test_code_without_source_counts_by_its_instructions() -> None:
    def made(source: str) -> object:
        names: dict[str, object] = {"__name__": "generated"}
        exec(compile(source, "<string>", "exec"), names)
        return names["tidy"]

    first = fingerprint(made("def tidy(x):\n    return x + 1\n"))  # type: ignore[arg-type]

    assert fingerprint(made('def tidy(x):\n    "doc"\n    return x + 1\n')) == first  # type: ignore[arg-type]
    assert fingerprint(made("def tidy(x):\n    return x + 2\n")).digest != first.digest  # type: ignore[arg-type]


def test_callable_objects_and_bound_methods_have_a_fingerprint(project: Project) -> None:
    project.write(prep=CLASSES)
    before = project.of("METHOD")

    project.write(prep=edited(CLASSES, "Rates(5)", "Rates(6)"))

    assert project.of("METHOD").digest != before.digest


def test_what_cannot_be_called_is_refused_with_a_reason() -> None:
    with pytest.raises(NotCode) as refusal:
        fingerprint(SimpleNamespace())  # type: ignore[arg-type]

    assert refusal.value.fix


def test_a_cached_helper_is_followed_through_its_wrapper(project: Project) -> None:
    source = (
        "import functools\n\n\n@functools.lru_cache\ndef slow(x):\n    return x\n\n\ndef tidy(x):\n    return slow(x)\n"
    )
    project.write(prep=source)
    before = project.of()

    project.write(prep=edited(source, "    return x\n\n\ndef tidy", "    return -x\n\n\ndef tidy"))

    assert project.of().digest != before.digest


def test_a_class_reached_by_name_alone_counts_with_its_helpers(project: Project) -> None:
    source = "def rate():\n    return 1\n\n\nclass Model:\n    def fit(self):\n        return rate()\n\n\ndef tidy(x):\n    return Model().fit()\n"
    project.write(prep=source)
    before = project.of()

    project.write(prep=edited(source, "    return 1", "    return 2"))

    assert project.of().digest != before.digest


def test_threads_get_one_answer(prep: Project) -> None:
    module = prep.load("prep")
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        return fingerprint(module.tidy).digest

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_wraps_without_a_project_decorator_keeps_the_inner_name(project: Project) -> None:
    project.write(
        prep="import functools\n\n\ndef inner(x):\n    return x\n\n\ntidy = functools.wraps(inner)(lambda x: inner(x))\n"
    )

    assert "step inner (prep.py)" in project.of().parts


def test_the_difference_is_said_in_words(prep: Project) -> None:
    before = dict(prep.of().parts)

    prep.write(
        prep=edited(PREP, "for each in helper(rows)]", "for each in rows]"), text=edited(TEXT, "strip()", "lstrip()")
    )
    after = dict(prep.of().parts)
    before["distribution polars 2.0.1"], after["distribution polars 2.1.0"] = "a", "b"

    assert explain(before, after) == [
        "`tidy` in prep.py changed",
        "helper `clean_name` in text.py changed",
        "helper `helper` in prep.py was removed",
        "constant `LIMIT` in prep.py was removed",
        "polars went from 2.0.1 to 2.1.0",
    ]
    assert explain(after, after) == []


PROGRAM = "import prep\nfrom treadle.kernel.engine.code import fingerprint\nprint(fingerprint(prep.tidy).digest)\n"


def in_fresh_process(project: Project, hash_seed: str = "random") -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=project.folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_fresh_processes_agree_whatever_their_hash_seed(project: Project) -> None:
    project.write(
        prep="import enum\n\n\nclass Kind(enum.Enum):\n    A = 'a'\n    B = 'b'\n\n\nNAMES = {'x', 'y', 'z', 'w'}\n\n\n"
        "def tidy(x):\n    return x in {'a', 'b', 'c', 'd'} or x in NAMES or Kind(x) is Kind.A\n"
    )

    assert len({in_fresh_process(project, seed) for seed in ("0", "1", "99")}) == 1


def test_edits_between_processes_are_noticed_with_compiled_files_in_place(prep: Project) -> None:
    before = in_fresh_process(prep)

    prep.write(prep=edited(PREP, "# a comment", "# a longer comment than before"))
    commented = in_fresh_process(prep)
    prep.write(text=edited(TEXT, "text.strip()", "text.strip().lower()"))
    changed = in_fresh_process(prep)

    assert commented == before
    assert changed != before


def test_a_stale_compiled_file_never_passes_for_the_new_source(prep: Project) -> None:
    """Python itself runs old code when an edit keeps a file's size within one second of its clock."""
    old = prep.of()
    path = prep.folder / "text.py"
    py_compile.compile(str(path))
    facts = path.stat()
    prep.write(text=edited(TEXT, "text.strip()", "text.upper()"))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    stale = prep.load("prep")
    assert stale.clean_name("  a ") == "a"

    found = fingerprint(stale.tidy)

    path.touch()
    assert found.parts["helper clean_name (text.py)"] != prep.of().parts["helper clean_name (text.py)"]
    assert old.parts["step tidy (prep.py)"] == found.parts["step tidy (prep.py)"]


def test_a_file_that_is_run_without_being_imported_is_followed(tmp_path: Path) -> None:
    """`treadle run pipeline.py` may load a file that `sys.modules` never hears of."""
    source = (
        "K = 1\n\n\nclass Model:\n    def fit(self):\n        return K\n\n\ndef tidy(x):\n    return Model().fit()\n"
    )
    digests = []
    for text in (source, source.replace("K = 1", "K = 2"), source.replace("return K", "return -K")):
        (tmp_path / "pipeline.py").write_text(text)
        names = runpy.run_path(str(tmp_path / "pipeline.py"), run_name="not_registered")
        digests.append(fingerprint(FunctionType(names["tidy"].__code__, {**names})).digest)

    assert len(set(digests)) == 3


def test_source_that_cannot_be_cut_out_by_indentation_is_still_read(project: Project) -> None:
    """Text at the margin inside a function looks like the next statement; comments must stay cosmetic all the same."""
    source = 'import re\n\n\ndef tidy(x):\n    # why\n    return re.sub("""\nimport nothing\n""", "", x)\n\n\ndef other(x):\n    return x\n'
    project.write(prep=source)
    before = project.of()

    project.write(prep=edited(source, "# why", "# how"))
    assert project.of() == before
    project.write(prep=edited(source, "import nothing", "import anything"))
    assert project.of().digest != before.digest


@pytest.mark.parametrize(
    "import_", ["import json", "import os.path, json", "from json import (\n    loads,\n    dumps,\n)\nimport json"]
)
def test_only_the_statement_around_a_function_is_parsed(project: Project, import_: str) -> None:
    """What keeps the first fingerprint of a long file at 1 ms: the rest of the file need not even be valid."""
    project.write(prep=f"{import_}\n\n\ndef tidy(x):\n    # why\n    return json.loads(x)\n")
    module = project.load("prep")
    before = project.of()
    module = project.load("prep")
    project.write(prep=f"{import_}\n\n\ndef tidy(x):\n    # why not\n    return json.loads(x)\n\n\ndef broken(:\n")

    assert fingerprint(module.tidy) == before
