"""Shards split, merge and stay right, whatever comes, goes or is undone, and whoever reads meanwhile."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_engine.index.database import connect
from quire_engine.index.nearest import nearest
from quire_engine.index.shards import ShardCache

from .shard_box import ShardBox, clustered

DIMENSIONS = 16
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 60)),
        st.tuples(st.just("same"), st.integers(1, 60)),
        st.tuples(st.just("remove"), st.integers(1, 80)),
        st.tuples(st.just("undo"), st.integers(1, 30)),
        st.tuples(st.just("rebalance"), st.integers(1, 3)),
        st.tuples(st.just("settle"), st.just(0)),
    ),
    max_size=14,
)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ShardBox]:
    made = ShardBox(tmp_path, DIMENSIONS)
    yield made
    made.close()


def counts(box: ShardBox) -> list[int]:
    return [row[0] for row in box.db.execute("SELECT count FROM shards ORDER BY count")]


@given(STEPS)
@settings(max_examples=20, deadline=None)
def test_after_any_changes_every_vector_is_there_once(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        box = ShardBox(Path(folder), DIMENSIONS)
        try:
            for number, (step, amount) in enumerate(steps):
                vectors = clustered(amount, DIMENSIONS, seed=number)
                match step:
                    case "put":
                        box.put(vectors)
                    case "same":
                        box.put(np.repeat(vectors[:1], amount, axis=0))
                    case "remove":
                        box.remove(sorted(box.content)[:amount])
                    case "undo":
                        with box.undone():
                            box.put(vectors)
                            box.rebalance()
                    case "rebalance":
                        assert box.rebalance(amount) <= amount
                    case _:
                        box.rebalance()
                        assert box.rebalance() == 0
                        assert max(counts(box), default=0) <= 16
                box.check()
        finally:
            box.close()


class TestSplitting:
    def test_begins_with_one_shard_and_splits_what_has_grown(self, box: ShardBox) -> None:
        box.put(clustered(16, DIMENSIONS, seed=1))
        assert box.rebalance() == 0
        assert counts(box) == [16]
        box.put(clustered(100, DIMENSIONS, seed=2))
        assert box.rebalance() > 0
        assert len(counts(box)) > 4
        assert counts(box)[0] >= 4
        assert counts(box)[-1] <= 16
        box.check()

    def test_of_more_than_one_step_can_move_is_done_in_several(self, box: ShardBox) -> None:
        box.put(clustered(5_000, DIMENSIONS, seed=1))
        assert box.rebalance(1, split=512) == 1
        box.check()
        assert box.db.execute("SELECT count(*) FROM shards WHERE retiring").get == 1
        box.put(clustered(10, DIMENSIONS, seed=2))
        assert box.rebalance(split=512) > 1
        assert counts(box)[-1] <= 512
        box.check()

    def test_of_equal_vectors_makes_halves(self, box: ShardBox) -> None:
        box.put(np.repeat(clustered(1, DIMENSIONS, seed=1), 40, axis=0))
        box.rebalance()
        assert counts(box) == [10, 10, 10, 10]
        box.check()

    def test_puts_what_is_alike_together(self, box: ShardBox) -> None:
        ids = box.put(np.repeat(np.eye(4, DIMENSIONS, dtype=np.float32), 10, axis=0))
        box.rebalance()
        for group in range(4):
            assert len({box.shard_of(chunk) for chunk in ids[group * 10 : group * 10 + 10]}) <= 2
        box.check()

    def test_new_vectors_come_to_their_like(self, box: ShardBox) -> None:
        ids = box.put(np.repeat(np.eye(2, DIMENSIONS, dtype=np.float32), 12, axis=0))
        box.rebalance()
        first, second = box.put(np.eye(2, DIMENSIONS, dtype=np.float32))
        assert box.shard_of(first) in {box.shard_of(chunk) for chunk in ids[:12]}
        assert box.shard_of(second) in {box.shard_of(chunk) for chunk in ids[12:]}
        assert box.shard_of(first) != box.shard_of(second)


class TestMerging:
    def test_what_has_shrunk_goes_to_others(self, box: ShardBox) -> None:
        ids = box.put(clustered(200, DIMENSIONS, seed=1))
        box.rebalance()
        before = len(counts(box))
        box.remove(ids[:180])
        box.check()
        box.rebalance()
        box.check()
        assert len(counts(box)) < before / 2
        assert counts(box)[0] >= 4

    def test_the_last_shard_stays_and_an_empty_one_goes(self, box: ShardBox) -> None:
        (first, second) = box.put(clustered(2, DIMENSIONS, seed=1))
        assert box.rebalance() == 0
        box.remove([first])
        assert counts(box) == [1]
        box.remove([second])
        assert counts(box) == []
        assert box.rebalance() == 0

    def test_a_shard_that_is_being_emptied_may_end_up_alone(self, box: ShardBox) -> None:
        box.put(clustered(5_000, DIMENSIONS, seed=1))
        box.rebalance(1, split=512)
        emptied: int = box.db.execute("SELECT id FROM shards WHERE retiring").get
        box.remove(
            [c for (c,) in box.db.execute("SELECT chunk_id FROM shard_members WHERE shard != ?", (emptied,))]
        )
        box.put(clustered(3, DIMENSIONS, seed=2))
        box.check()
        box.rebalance(split=512)
        box.check()
        assert not box.db.execute("SELECT count(*) FROM shards WHERE retiring").get


class TestReaders:
    @pytest.mark.parametrize("whole", [10**9, 0])
    def test_see_every_vector_once_at_any_moment(self, box: ShardBox, whole: int) -> None:
        ids = set(box.put(clustered(1_200, DIMENSIONS, seed=1)))
        box.rebalance(1, split=1_000, whole=0)
        stopped, wrong, rounds = threading.Event(), [], [0]

        def read() -> None:
            db, cache = connect(box.folder, writable=False), ShardCache()
            try:
                while not stopped.is_set():
                    query = clustered(1, DIMENSIONS, seed=rounds[0])[0]
                    with db:  # rows move between shards
                        found = [chunk for chunk, _ in nearest(db, cache, query, 2_000, whole=whole)]
                    if len(found) != len(ids) or set(found) != ids:
                        wrong.append(len(found))
                    rounds[0] += 1
            finally:
                db.close()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            steps = 0
            for split in (200, 40, 4_000):
                steps += box.rebalance(split=split, whole=0)
        finally:
            stopped.set()
            reader.join()
        assert wrong == []
        assert rounds[0] > 1
        assert steps > 20
        box.check()


class TestCalibration:
    def test_follows_the_number_of_shards(self, box: ShardBox) -> None:
        box.put(clustered(400, DIMENSIONS, seed=1))
        box.rebalance(whole=1_000)
        assert ShardCache().at(box.db).calibration is None
        box.put(clustered(700, DIMENSIONS, seed=2))
        box.rebalance(whole=1_000)
        first = ShardCache().at(box.db).calibration
        assert first is not None
        box.put(clustered(1_500, DIMENSIONS, seed=3))
        box.rebalance(whole=1_000)
        second = ShardCache().at(box.db).calibration
        assert second is not None
        assert second.shards >= 2 * first.shards
