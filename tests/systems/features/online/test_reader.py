"""A reader is light, waits for nobody, and survives whoever writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.systems.features.online.making import World, at
from tests.systems.features.online.test_materializing import check, make_rows, make_view, serve
from treadle.ground.clock import to_micros
from treadle.systems.features.online.embedded import SqliteOnlineStore
from treadle.systems.features.online.errors import EntityRefused, NotMaterialized, OnlineStoreSlow
from treadle.systems.features.online.reader import FOUND, UNAVAILABLE, FeatureReader

ROOT = Path(__file__).resolve().parents[4]


class Slow(SqliteOnlineStore):
    """A store that stops answering when it is told to."""

    is_slow = False

    def read(self, space: str, keys: Sequence[bytes]) -> list[bytes | None]:
        if self.is_slow:
            raise OnlineStoreSlow("It did not answer within 0.1 s.")
        return super().read(space, keys)


def test_a_reader_imports_neither_polars_nor_the_catalog():
    program = (
        "import sys\n"
        "from treadle.systems.features.online.reader import FeatureReader\n"
        "from treadle.systems.features.online.embedded import SqliteOnlineStore\n"
        "heavy = {'polars', 'numpy', 'pyarrow', 'duckdb', 'sqlalchemy', 'deltalake'} & set(sys.modules)\n"
        "print(sorted(heavy), [name for name in sys.modules if name.startswith('treadle.kernel')])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[] []"


def test_a_store_that_does_not_answer_gives_an_answer_that_says_so(tmp_path):
    store = Slow(tmp_path / "online.db")
    world, view = World(store), make_view(event_key=())
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))
    world.now = at(2)
    world.materializer().materialize(view)
    reader = serve(world, view)
    reader.read("spending", [{"customer": "a"}])

    store.is_slow = True
    served = reader.read("spending", [{"customer": "a"}, {"customer": "b"}])

    assert served.statuses == [(UNAVAILABLE,)] * 2
    assert served.values == [(None,) * 6] * 2
    assert served.as_of == [(0,)] * 2
    store.is_slow = False
    assert reader.read("spending", [{"customer": "a"}]).statuses == [(FOUND,)]


def test_entities_without_their_keys_are_refused(tmp_path):
    world, view = World(SqliteOnlineStore(tmp_path / "online.db")), make_view(event_key=())
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))
    world.materializer().materialize(view)
    reader = serve(world, view)

    for entity in ({}, {"custmer": "a"}, {"customer": 7}, {"customer": None}):
        with pytest.raises(EntityRefused):
            reader.read("spending", [entity])
    with pytest.raises(NotMaterialized) as refusal:
        reader.read("spendng", [{"customer": "a"}])
    assert "spending" in refusal.value.why


MATERIALIZE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.systems.features.online.making import World, at
from tests.systems.features.online.test_materializing import make_rows, make_view
from treadle.systems.features.online.embedded import SqliteOnlineStore

world = World(SqliteOnlineStore(Path(sys.argv[2])), now=at(5))
world.landed.land("payments", make_rows([(f"k{n}", 1, 0, float(n), 1) for n in range(12)]))
left = int(sys.argv[3])


def die(point):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)


world.materializer(at_once=3, at=die).materialize(make_view(event_key=()))
"""


@pytest.mark.parametrize("after", [0, 4])
def test_a_materialisation_that_is_killed_leaves_a_store_that_is_whole(tmp_path, after):
    """Killed after the first piece, and before the watermark."""
    path = tmp_path / "online.db"
    command = [sys.executable, "-c", MATERIALIZE, str(ROOT), str(path), str(after)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})

    assert done.returncode == -signal.SIGKILL, done.stderr
    world, view = World(SqliteOnlineStore(path), now=at(5)), make_view(event_key=())
    world.landed.land("payments", make_rows([(f"k{n}", 1, 0, float(n), 1) for n in range(12)]))
    answer = world.materializer(at_once=3).materialize(view)
    assert answer.resumed == (after > 0)
    check(world, view, keys=[f"k{n}" for n in range(12)])
    assert FeatureReader(world.store, clock=lambda: to_micros(world.now)).watermarks("spending")[0].version == 1
    world.store.close()
