"""Reciprocal rank fusion, for those who want it and to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quire_engine.retrieval.candidates import Scores


def reciprocal_ranks(ids: Sequence[int], ranks: Mapping[int, int], k: int) -> Scores:
    """What a list adds to each of ``ids``: 1 / (k + rank), 0 for what it did not find (``ranks``, from 1).

    Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods, SIGIR 2009.
    """
    return np.array([1.0 / (k + ranks[chunk]) if chunk in ranks else 0.0 for chunk in ids])
