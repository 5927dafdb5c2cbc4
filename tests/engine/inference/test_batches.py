from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire_engine.inference.batches import by_length, padded, shared_out


class TestByLength:
    @given(st.lists(st.integers(0, 300), max_size=200), st.integers(1, 2000))
    def test_every_row_is_in_one_batch_within_the_budget(self, lengths: list[int], budget: int) -> None:
        batches = list(by_length(lengths, budget))
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        for batch in batches:
            ids, _ = padded([[1] * lengths[row] for row in batch])
            assert len(batch) == 1 or ids.size <= budget

    def test_rows_of_similar_length_are_together_longest_first(self) -> None:
        assert list(by_length([100, 1, 100, 1], 208)) == [[0, 2], [1, 3]]


class TestSharedOut:
    def test_few_rows_go_to_all_who_compute(self) -> None:
        assert [len(batch) for batch in shared_out([200] * 4, 10_000, 2)] == [2, 2]

    def test_but_not_in_batches_that_hardly_pay(self) -> None:
        assert [len(batch) for batch in shared_out([16] * 16, 10_000, 16)] == [8, 8]

    def test_the_budget_holds(self) -> None:
        assert [len(batch) for batch in shared_out([200] * 4, 200, 1)] == [1, 1, 1, 1]


class TestPadded:
    def test_rows_are_filled_up_and_masked(self) -> None:
        ids, mask = padded([[7, 8, 9], [5], []])
        assert ids[:, :3].tolist() == [[7, 8, 9], [5, 0, 0], [0, 0, 0]]
        assert mask[:, :3].tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
        assert not ids[:, 3:].any()
        assert not mask[:, 3:].any()

    @given(st.lists(st.integers(0, 256), min_size=1, max_size=2000), st.integers(128, 512))
    def test_shapes_are_few(self, lengths: list[int], budget: int) -> None:
        """Runtimes keep memory for each shape that they have met."""
        shapes = {padded([[1] * lengths[row] for row in b])[0].shape for b in by_length(lengths, budget)}
        assert all(length % 8 == 0 and 0 < length <= 256 for _, length in shapes)
        assert all(rows == 1 or rows * length <= budget for rows, length in shapes)

    def test_types_lie_as_their_tokens_do(self) -> None:
        ids, mask, types = padded([[7, 8, 9], [5]], [[0, 0, 1], [1]])
        assert ids.shape == mask.shape == types.shape
        assert types[:, :3].tolist() == [[0, 0, 1], [1, 0, 0]]

    @given(st.lists(st.lists(st.integers(1, 30_000), max_size=20), min_size=1, max_size=20))
    def test_the_mask_tells_the_tokens(self, tokens: list[list[int]]) -> None:
        ids, mask = padded(tokens)
        assert [row[real == 1].tolist() for row, real in zip(ids, mask, strict=True)] == tokens
        assert ids[mask == 0].sum() == 0
