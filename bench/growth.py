"""How costs grow with the index: the exponent b of cost = a x chunks^b between the sizes measured."""

from __future__ import annotations

import math
from itertools import pairwise

from bench.queries import search_seconds
from bench.report import Figure, number, quantile
from bench.workshop import Indexed, Workshop

_LINEAR = 1.1
"""Linear, with what measuring is off by."""


def measure(workshop: Workshop) -> list[Figure]:
    """Index time, query time, memory and disk at each size, then their exponents."""
    measured = [workshop.indexed_at(chunks) for chunks in workshop.sizes]
    sizes = [indexed.chunks for indexed in measured]
    costs = [_costs(workshop, indexed) for indexed in measured]
    figures = [
        Figure("cost of", size, "chunks", details=cost) for size, cost in zip(sizes, costs, strict=True)
    ]
    for name in costs[0]:
        values = [cost[name] for cost in costs]
        slopes = [_slope(*pair) for pair in pairwise(zip(sizes, values, strict=True))]
        limit = 1.0 if name == "query ms" else _LINEAR
        steps = ", ".join(number(slope) for slope in slopes)
        overall = _slope((sizes[0], values[0]), (sizes[-1], values[-1]))
        figures.append(Figure(f"exponent of {name}", overall, at_most=limit, note=f"step by step: {steps}"))
    return figures


def _costs(workshop: Workshop, indexed: Indexed) -> dict[str, float]:
    seconds = search_seconds(indexed, workshop.questions, indexed.backend)
    return {
        "index seconds": indexed.seconds,
        "query ms": quantile(seconds["total"], 0.5) * 1000,
        "memory MiB": indexed.peak_bytes / 2**20,
        "disk MiB": indexed.disk_bytes / 2**20,
    }


def _slope(smaller: tuple[int, float], larger: tuple[int, float]) -> float:
    return math.log(larger[1] / smaller[1]) / math.log(larger[0] / smaller[0])
