"""How an answer comes about, in words: how a question was understood, what was read, how scores add up.

Takes what scripts read (`quire.contract`); the lines that it returns are the face's to make inert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from quire.contract import Json
from quire_engine.quantities import counted

_MEASURES = ("coverage", "confidence", "clarity", "completeness")
_MOST = 5
"""Items of a list that are named."""
_LONGEST = 60
"""Characters of an item."""
_BAR = 10
_UNITS = {
    "dense": "cosine",
    "keyword": "BM25F",
    "links": "strength",
    "topic": "log ratio",
    "reranker": "probability",
}
"""What a signal's score is measured in; a share, from 0 to 1, otherwise."""


def facts(plan: Json | None) -> Iterator[tuple[str, str]]:
    """What a question was taken for and what was done about it: (label, words), two to five of them.

    None for ``None``, the plan of a question with nothing to search for.
    """
    if plan is None:
        return
    query, strategy = plan["query"], plan["strategy"]
    kind = ", ".join((query["intent"], *query["reasons"]))
    language = f"language {query['language']}" if query["language"] else "language not recognised"
    yield "question", f"{kind}; {language}; {strategy['name']} search, {strategy['depth']} candidates a list"
    for label, parts in (
        ("asks for", _wishes(query)),
        ("only", _restrictions(query["filters"])),
        ("topics", _topics(plan["routing"])),
        ("steps", plan["steps"]),
    ):
        if parts:
            yield label, "; ".join(parts)


def doing(event: Json) -> str:
    """What an event before the text of an answer says is being done; empty for other events."""
    match event["type"]:
        case "hits":
            return f"found {counted(len(event['hits']), 'passage')}"
        case "wave":
            if event["tier"] != "critical":  # the best passage always is
                return f"reading on: {event['cause']}"
            return f"reading {counted(event['chunks'], 'critical passage')}"
        case "queued":
            if not event["position"]:
                return "waiting is over: the language model begins"
            return f"waiting: {counted(event['position'], 'question')} before this one"
        case "reading":
            return f"the language model reads: {event['done']:,} of {counted(event['total'], 'token')}"
        case _:
            return ""


def reading(answer: Json) -> Iterator[tuple[str, str]]:
    """What an answer was made from, as (label, words): every wave, what was left out, and its worth."""
    if answer["standalone"]:
        yield "asks", _quoted(answer["standalone"])
    for number, wave in enumerate(answer["waves"], 1):
        scores = ", ".join(f"{score:.3f}" for score in wave["scores"])
        measures = ", ".join(f"{name} {wave[name]:.2f}" for name in _MEASURES)
        load = f"{counted(wave['chunks'], 'passage')}, {counted(wave['tokens'], 'token')}"
        yield (
            f"wave {number}",
            f"{wave['tier']}: {load}; why: {wave['cause']}"
            + (f"; scores {scores}" if scores else "")
            + f"; {measures}, sufficiency {wave['sufficiency']:.2f}"
            + (f"; stopped: {wave['stop_reason']}" if wave["stop_reason"] else "; not enough"),
        )
    if answer["omitted"]:
        yield "left out", "; ".join(map(_omission, answer["omitted"]))
    made = f"answered by {answer['model']}, from generation {answer['generation']} of the index"
    yield "answer", f"{answer['status']}, confidence {answer['confidence']:.2f}; {made}"


def _omission(omitted: Json) -> str:
    first, last = omitted["start_line"], omitted["end_line"]
    lines = f"{first}" if first == last else f"{first}-{last}"
    return f"{omitted['path']}:{lines} {omitted['reason']}"


def table(hit: Json, *, bar: str = "━", minus: str = "╌") -> Iterator[str]:
    """The signals of a hit as aligned lines of at most 65 characters, the largest contribution first.

    ``bar`` fills the bars, ``minus`` those of what speaks against the hit.
    """
    signals = sorted(hit["trace"]["signals"], key=lambda signal: -signal["contribution"])
    largest = max((abs(signal["contribution"]) for signal in signals), default=0.0)
    yield _row("signal", "value", "", "rank", "weight", "adds", "")
    for signal in signals:
        added = signal["contribution"]
        cells = round(_BAR * abs(added) / largest) if largest else 0
        yield _row(
            signal["name"],
            f"{signal['score']:.3f}",
            _UNITS.get(signal["name"], "share"),
            f"#{signal['rank']}" if signal["rank"] else "-",
            f"{signal['weight']:.3f}",
            f"{added:.4f}",
            (bar if added > 0 else minus) * cells,
        )
    yield _row("score", "", "", "", "", f"{hit['score']:.4f}", "")


def _row(name: str, score: str, unit: str, rank: str, weight: str, added: str, bar: str) -> str:
    return f"{name:<10} {score:>8} {unit:<11} {rank:>5} {weight:>6} {added:>8}  {bar}".rstrip()


def _wishes(query: Json) -> list[str]:
    wishes = []
    if query["parts"]:
        wishes.append(f"{len(query['parts'])} parts: {_listed(map(_quoted, query['parts']), ', ')}")
    wishes.extend(
        f"the note {_quoted(note['name'])} ({_listed(map(_value, note['paths']), ', ')})"
        for note in query["named"][:_MOST]
    )
    required = query["filters"].get("phrases", ())
    if emphasis := [phrase for phrase in query["phrases"] if phrase not in required]:
        wishes.append(f"{_listed(map(_quoted, emphasis), ', ')} as written, if possible")
    if query["since"] or query["before"]:
        wishes.append(f"notes {_span(query['since'], query['before'])}, if possible")
    if query["recency"]:
        wishes.append(f"what is recent ({query['recency']:.2f})")
    if query["domains"]:
        wishes.append(f"topics {_listed(query['domains'], ', ')}")
    return wishes


def _restrictions(filters: Json) -> list[str]:
    said = []
    for name, lead, between in (
        ("folders", "in ", " or "),
        ("paths", "path ", " or "),
        ("tags", "tag ", " and "),
        ("where", "", " and "),
    ):
        if values := filters.get(name):
            said.append(lead + _listed(map(_value, values), between))
    if phrases := filters.get("phrases"):
        said.append(_listed(map(_quoted, phrases), " and "))
    if excluded := filters.get("excluded"):
        said.append("without " + _listed(map(_value, excluded), ", "))
    since, before = filters.get("since"), filters.get("before")
    if since or before:
        said.append(f"notes {_span(since, before)}")
    return said


def _topics(routing: Json) -> list[str]:
    likely = {topic["topic"]: topic["probability"] for topic in routing["topics"]}

    def scored(names: Iterable[str]) -> str:
        return _listed((f"{_value(name)} ({likely.get(name, 0.0):.2f})" for name in names), ", ")

    chosen = _listed(map(_value, routing["chosen"]), ", ")
    match routing["mode"]:
        case "one" | "several":
            return [f"{scored(routing['chosen'])} favoured"]
        case "preferred":
            return [f"{chosen} held enough"]
        case "widened":
            return [f"{chosen} held too little; all were searched"]
        case _:
            return [f"none stands out; likeliest {scored(list(likely)[:2])}"] if likely else []


def _span(since: str | None, before: str | None) -> str:
    """The ends of a stretch of time, as dates where they are midnights."""
    ends = (("since", since), ("before", before))
    return " and ".join(
        f"{word} {end[:10] if end[11:16] in ('', '00:00') else end[:16].replace('T', ' ')}"
        for word, end in ends
        if end
    )


def _quoted(text: str) -> str:
    return f"“{_value(text)}”"


def _value(value: Any) -> str:
    """A value as people read it, cut where it is long; a pair as an equation."""
    text = "=".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _listed(values: Iterable[str], between: str) -> str:
    items = list(values)
    more = f" and {len(items) - _MOST} more" if len(items) > _MOST else ""
    return between.join(items[:_MOST]) + more
