"""The Whoosh field type for terms that are analysed and weighted already. Pickled into the index's schema."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from whoosh.fields import FieldType
from whoosh.formats import Frequency
from whoosh.system import pack_uint


class WeightedTerms(FieldType):  # type: ignore[misc]
    """Postings with a weight, no positions, nothing stored; the field's length is the sum of weights."""

    indexed = True
    scorable = True
    stored = False

    def __init__(self) -> None:
        self.format = Frequency()

    def index(
        self, value: Iterable[tuple[str, float]], **options: Any
    ) -> Iterator[tuple[bytes, int, float, bytes]]:
        """(term, frequency, weight, posting) for each distinct term of (term, weight) pairs."""
        weights: defaultdict[str, float] = defaultdict(float)
        for term, weight in value:
            weights[term] += weight
        for term, weight in weights.items():
            frequency = max(1, round(weight))
            yield term.encode("utf-8", "replace"), frequency, weight, pack_uint(frequency)
