"""Evaluations (``quire.eval/1``) as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from quire.cli.terminal import Palette, cells, inert, shorten
from quire.contract import Json
from quire_engine.quantities import counted

_GROUP_MEASURES = ("ndcg@10", "recall@10", "recall@100", "mrr@10", "success@10")
_ANSWER_MEASURES = ("answer_recall", "right_paragraph", "citation_precision", "words")
_RISKS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of questions answered for which the risk is shown."""
_SHOWN = 200
"""Characters of an answer that a change shows."""
_MOVES = 5
"""Documents of a query that are listed as entered, or as left."""
_FAILURES = {
    "wrong": "answered wrongly",
    "abstained": "abstained from, though the notes answer",
    "answered": "answered, though the notes do not",
}
_FAILED = 3
"""Questions of each failure that are listed."""
_COSTS = ("wrong_abstentions", "sentences", "words", "waves", "context_tokens")
"""Measures of which less is better."""
_BEYOND = "> 100"
_FAR = 101


def table(record: Json, palette: Palette) -> Iterator[str]:
    """Measures, one a line, with their confidence intervals."""
    yield palette.faint(f"{counted(record['queries'], 'question')}, judged by {record['unit']}")
    measures, intervals = record["retrieval"], record["intervals"]
    width = max(map(len, measures), default=0)
    for name, value in measures.items():
        trust = f"  {palette.faint(_interval(intervals[name]))}" if name in intervals else ""
        yield f"{name:<{width}}  {palette.strong(_number(name, value).rjust(8))}{trust}"


def group_table(by: Json, palette: Palette) -> Iterator[str]:
    """Measures by the values of a field, one value a line."""
    head = [inert(by["field"]), "questions", *_GROUP_MEASURES, "ndcg@10, 95 %"]
    rows = [
        [
            shorten(inert(value), 24) or "-",
            f"{group['queries']:,}",
            *(_number(name, group["retrieval"][name]) for name in _GROUP_MEASURES),
            _interval(group["intervals"]["ndcg@10"]),
        ]
        for value, group in by["groups"].items()
    ]
    yield from _columns(head, rows, palette)


def answer_table(answers: Json, palette: Palette) -> Iterator[str]:
    """Measures of answers, one a line, and the risk at some coverages."""
    outcomes = ", ".join(f"{number:,} {status}" for status, number in answers["status"].items())
    asked = counted(answers["questions"], "question")
    yield palette.faint(f"{asked}, answered by {inert(answers['model'])}: {outcomes}")
    told = {name: value for name, value in answers["measures"].items() if value is not None}
    width = max(map(len, told))
    for name, value in told.items():
        interval = answers["intervals"].get(name)
        trust = f"  {palette.faint(_interval(interval))}" if interval else ""
        yield f"{name:<{width}}  {palette.strong(_number(name, value).rjust(8))}{trust}"
    if risks := _risks(answers["curve"]):
        yield palette.faint(f"wrong among the surest: {', '.join(risks)}")


def answer_group_table(by: Json, palette: Palette) -> Iterator[str]:
    """Measures of answers by the values of a field, one value a line."""
    head = [inert(by["field"]), "questions", *_ANSWER_MEASURES, "abstained", "correct", "correct, 95 %"]
    rows = [
        [
            shorten(inert(value), 24) or "-",
            f"{group['questions']:,}",
            *(_number(name, group["measures"][name]) for name in _ANSWER_MEASURES),
            _number("", group["status"]["abstained"] / group["questions"]),
            _number("", group["measures"]["correct"]),
            _interval(group["intervals"]["correct"]),
        ]
        for value, group in by["groups"].items()
    ]
    yield from _columns(head, rows, palette)


def answer_failures(failed: Sequence[Json], palette: Palette, width: int) -> Iterator[str]:
    """Questions that were not dealt with rightly, some of each failure, with what was expected and shown."""
    for failure, told in _FAILURES.items():
        found = [result for result in failed if result["failure"] == failure]
        if not found:
            continue
        rest = f", {_FAILED} of them" if len(found) > _FAILED else ""
        yield palette.strong(f"{counted(len(found), 'question')} {told}{rest}")
        for result in found[:_FAILED]:
            yield f"  {palette.faint(inert(result['id']))}  {shorten(inert(result['question']), width)}"
            if wanted := " | ".join(result["answers"]) or ", ".join(result["places"]):
                yield f"      expected  {shorten(inert(wanted), _SHOWN)}"
            if failure == "abstained":
                continue  # what is shown then says so, and is no answer
            yield f"      shown     {shorten(inert(' '.join(result['text'].split())), _SHOWN)}"
            if cited := ", ".join(inert(place) for place in result["cited"]):
                yield f"                {palette.place(cited)}"


def _risks(curve: Sequence[Json]) -> list[str]:
    """The risk where each coverage is first reached."""
    found = []
    for wanted in _RISKS:
        point = next((point for point in curve if point["coverage"] >= wanted - 1e-9), None)
        if point is not None and (risk := f"{point['risk']:.1%} of {point['coverage']:.0%}") not in found:
            found.append(risk)
    return found


def difference_table(against: Json, palette: Palette) -> Iterator[str]:
    """What changed since a saved run: measures, milliseconds, and what the two were made with."""
    then, now = against["then"], against["now"]
    made = f"Quire {inert(then['version'])}, generation {then['generation']} of the index"
    parts = [(part[count], part) for part, count in _parts(against)]
    sizes = " and ".join(counted(number, "question") for number, _ in parts)
    yield palette.faint(f"against a run of {made}: {sizes}")
    if then["fingerprint"] != now["fingerprint"]:
        yield palette.doubtful("the embedding model is another one")
    for name, (old, new) in against["settings"].items():
        yield palette.doubtful(inert(f"{name} was {_setting(old)} and is {_setting(new)}"))
    if "answers" in against:
        old, new = against["answers"]["model"]
        if old != new:
            yield palette.doubtful(inert(f"answers were written by {old} and are by {new}"))
    head = ["", "then", "now", "change", "95 %", "p", "better", "same", "worse"]
    yield from _columns(head, [row for _, part in parts for row in _difference_rows(part)], palette)


def _parts(against: Json) -> Iterator[tuple[Json, str]]:
    """What was compared, each with the name of its number of questions."""
    if "measures" in against:
        yield against, "queries"
    if "answers" in against:
        yield against["answers"], "questions"


def _difference_rows(part: Json) -> Iterator[list[str]]:
    for name, found in part["measures"].items():
        low, high = found["interval"]
        better, worse = found["wins"], found["losses"]
        if name in _COSTS:
            better, worse = worse, better
        yield [
            name,
            f"{found['then']:.4f}",
            f"{found['now']:.4f}",
            f"{found['difference']:+.4f}",
            f"{low:+.4f} to {high:+.4f}",
            f"{found['p']:.4f}",
            f"{better:,}",
            f"{found['ties']:,}",
            f"{worse:,}",
        ]
    for name, (old, new) in part["latencies"].items():
        yield [name, f"{old:.1f}", f"{new:.1f}", f"{new - old:+.1f}", "", "", "", "", ""]


def query_changes(changes: Sequence[Json], count: int, palette: Palette, width: int) -> Iterator[str]:
    """The ``count`` largest losses, then the ``count`` largest wins, query by query."""
    yield from _changes(changes, count, palette, "question", lambda change: _change(change, palette, width))


def answer_changes(changes: Sequence[Json], count: int, palette: Palette, width: int) -> Iterator[str]:
    """``count`` answers that were right and are wrong now, then as many that came right."""
    yield from _changes(changes, count, palette, "answer", lambda change: _answer(change, palette, width))


def _changes(
    changes: Sequence[Json], count: int, palette: Palette, noun: str, lines: Callable[[Json], Iterator[str]]
) -> Iterator[str]:
    losses = [change for change in changes if change["now"] < change["then"]]
    wins = [change for change in reversed(changes) if change["now"] > change["then"]]
    for kind, found in (("worse", losses), ("better", wins)):
        yield ""
        shown = found[:count]
        rest = f", the {len(shown)} largest" if len(shown) < len(found) else ""
        yield palette.strong(f"{counted(len(found), noun)} {kind}{rest}")
        for change in shown:
            yield from lines(change)


def _answer(change: Json, palette: Palette, width: int) -> Iterator[str]:
    yield f"  {palette.faint(inert(change['id']))}  {shorten(inert(change['question']), width)}"
    for side in ("then", "now"):
        text = shorten(inert(" ".join(change[f"text_{side}"].split())), _SHOWN)
        cited = ", ".join(inert(place) for place in change[f"cited_{side}"])
        yield f"      {side:<5} {change[f'status_{side}']}: {text}"
        if cited:
            yield f"            {palette.place(cited)}"


def _change(change: Json, palette: Palette, width: int) -> Iterator[str]:
    moved = change["now"] - change["then"]
    mark = palette.good if moved > 0 else palette.bad
    head = f"ndcg@10 {change['then']:.3f} → {change['now']:.3f}  {inert(change['id'])}  "
    yield f"  {mark(f'{moved:+.3f}')}  {palette.faint(head)}{shorten(inert(change['text']), width)}"
    moves = [move for move in change["relevant"] if move["then"] != move["now"]]
    moves.sort(key=lambda move: min(move["then"] or _FAR, move["now"] or _FAR))
    for move in moves[:_MOVES]:
        grade = "" if move["grade"] == 1 else f" (grade {move['grade']:g})"
        yield f"      relevant  {_places(move)}  {palette.place(inert(move['document']))}{grade}"
    if more := len(change["relevant"]) - len(moves[:_MOVES]):
        yield palette.faint(f"      and {counted(more, 'other relevant document')}")
    for kind in ("entered", "left"):
        for move in [move for move in change[kind] if not move["grade"]][:_MOVES]:
            yield palette.faint(f"      {kind:<8}  {_places(move)}  {inert(move['document'])}")


def _places(move: Json) -> str:
    then, now = (f"#{rank}" if rank else _BEYOND for rank in (move["then"], move["now"]))
    return f"{then} → {now}".ljust(len(f"{_BEYOND} → #100"))


def _setting(value: Any) -> str:
    return "not there" if value is None else str(value)


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if name.endswith("_ms") else f"{value:.4f}"


def _interval(interval: Sequence[float | None]) -> str:
    low, high = (_number("", end) for end in interval)
    return f"{low} to {high}"


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]], palette: Palette) -> Iterator[str]:
    """Lines with the first column to the left and the others to the right."""
    widths = [max(cells(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for number, row in enumerate((head, *rows)):
        padded = [" " * (width - cells(text)) for width, text in zip(widths, row, strict=True)]
        line = "  ".join(
            [row[0] + padded[0], *(pad + text for pad, text in zip(padded[1:], row[1:], strict=True))]
        )
        yield palette.faint(line.rstrip()) if number == 0 else line.rstrip()
