"""What scripts read: Quire's records as JSON-safe dicts under versioned schema names.

The field names are a promise. A field may be added within a version; one that changes its meaning or
disappears needs a new version in ``schema``. Everything here is a pure function. Importing this module costs
nothing: a command that reads answers of the background engine has no use for the records themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quire_engine import Replay, VaultDifference
    from quire_engine.doctor import Finding, Repair
    from quire_engine.records import (
        Answer,
        AnswerComparison,
        AnswerEvent,
        AnswerReport,
        AnswerResult,
        Citation,
        Comparison,
        Conversation,
        ConversationEntry,
        EvalReport,
        EvalRun,
        Filters,
        Hit,
        IndexStatus,
        InstalledModel,
        Plan,
        Query,
        Routing,
        ScoreTrace,
        SearchResult,
        SyncProgress,
        SyncReport,
        Turn,
        Verdict,
        Wave,
    )

SEARCH = "quire.search/1"
ANSWER = "quire.answer/1"
EVAL = "quire.eval/1"
EVAL_INIT = "quire.eval-init/1"
INDEX = "quire.index/1"
STATUS = "quire.status/1"
MODELS = "quire.models/1"
DOCTOR = "quire.doctor/1"
ENGINE = "quire.engine/1"
REPLAY = "quire.replay/1"
CONVERSATIONS = "quire.conversations/1"

Json = dict[str, Any]

_MOST = 10
"""Topics, and notes of one name, that are listed."""


def chunk_id(identity: int) -> str:
    """A chunk's id as 16 hexadecimal digits, which survive readers that keep numbers as doubles."""
    return f"{identity:016x}"


def finite(number: float) -> float:
    """``number``, or 0 for what JSON has no word for: readers are promised numbers."""
    return number if math.isfinite(number) else 0.0


def trace(value: ScoreTrace) -> Json:
    """The signals whose contributions add up to the score, and the duplicates a hit stands for."""
    return {
        "signals": [
            {
                "name": signal.name,
                "rank": signal.rank,
                "score": finite(signal.score),
                "weight": finite(signal.weight),
                "contribution": finite(signal.contribution),
            }
            for signal in value.signals
        ],
        "duplicates": list(value.duplicates),
    }


def hit(value: Hit, *, context: bool = False) -> Json:
    """One found passage; with ``context`` also the passages before and after it, as ``neighbours``."""
    return {
        "rank": value.rank,
        "id": chunk_id(value.chunk_id),
        "path": value.path,
        "title": value.title,
        "headings": list(value.headings),
        "start_line": value.start_line,
        "end_line": value.end_line,
        "text": value.text,
        "score": finite(value.score),
        "topic": value.topic,
        "stale": value.stale,
        "trace": trace(value.trace),
        **({"neighbours": json_safe([asdict(passage) for passage in value.neighbours])} if context else {}),
    }


def timings(values: Mapping[str, float]) -> Json:
    """Milliseconds by stage, to the microsecond."""
    return {stage: round(finite(milliseconds), 3) for stage, milliseconds in values.items()}


def routing(value: Routing) -> Json:
    """Where a question was taken to belong, and what was searched; the likeliest ten topics."""
    return {
        "mode": value.mode,
        "topics": [
            {"topic": topic.topic, "probability": finite(topic.probability)} for topic in value.topics[:_MOST]
        ],
        "chosen": list(value.chosen),
        "further": list(value.further),
    }


def moment(seconds: float) -> str:
    """Unix seconds as an ISO 8601 local time with its zone; what lies outside the calendar as its end."""
    from datetime import datetime

    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return datetime.max.date().isoformat() if seconds > 0 else datetime.min.date().isoformat()


def filters(value: Filters) -> Json:
    """What a search is restricted to: the conditions that are given, and no others."""
    given = {name: condition for name, condition in asdict(value).items() if condition not in (None, ())}
    times = ("since", "before")
    return {name: moment(given[name]) if name in times else json_safe(given[name]) for name in given}


def query(value: Query) -> Json:
    """How a question was understood."""
    return {
        "text": value.text,
        "language": value.language,
        "intent": value.intent,
        "complexity": value.complexity,
        "reasons": list(value.reasons),
        "recency": value.recency,
        "since": None if value.since is None else moment(value.since),
        "before": None if value.before is None else moment(value.before),
        "domains": list(value.domains),
        "phrases": list(value.phrases),
        "named": [
            {"name": note.name, "paths": list(note.paths[:_MOST]), "linked": note.linked}
            for note in value.named
        ],
        "parts": list(value.parts),
        "filters": filters(value.filters),
        "notes": list(value.notes),
    }


def plan(value: Plan | None) -> Json | None:
    """How a question was understood, and what was done about it; ``None`` when there was nothing to do."""
    if value is None:
        return None
    return {
        "query": query(value.query),
        "strategy": asdict(value.strategy),
        "routing": routing(value.routing),
        "steps": list(value.steps),
    }


def search(result: SearchResult, *, context: bool = False) -> Json:
    """A whole search, ``quire.search/1``; with ``context`` hits carry the passages around them."""
    return {
        "schema": SEARCH,
        "query": result.query,
        "generation": result.generation,
        "incomplete": result.incomplete,
        "left_out": result.left_out,
        "plan": plan(result.plan),
        "timings": timings(result.timings),
        "hits": [hit(found, context=context) for found in result.hits],
    }


def search_lines(result: Json) -> list[Json]:
    """A search, ``quire.search/1``, as one dict per hit, each of which stands on its own line."""
    return [{"schema": SEARCH, "generation": result["generation"], **found} for found in result["hits"]]


def citation(value: Citation) -> Json:
    """One proof of an answer."""
    return {
        "n": value.n,
        "path": value.path,
        "headings": list(value.headings),
        "start_line": value.start_line,
        "end_line": value.end_line,
        "quote": value.quote,
        "verified": value.verified,
        "support": finite(value.support),
    }


def wave(value: Wave) -> Json:
    """One load of context: what it added, why, and how much is there now, each measure from 0 to 1.

    ``stop_reason`` is ``null`` where the next wave followed at once.
    """
    return {
        "tier": value.tier,
        "chunks": value.chunks,
        "tokens": value.tokens,
        "scores": [finite(score) for score in value.scores],
        "cause": value.cause,
        "coverage": finite(value.coverage),
        "confidence": finite(value.confidence),
        "clarity": finite(value.clarity),
        "completeness": finite(value.completeness),
        "sufficiency": finite(value.sufficiency),
        "stop_reason": value.stop_reason,
    }


def answer(value: Answer) -> Json:
    """A whole answer, ``quire.answer/1``."""
    return {
        "schema": ANSWER,
        "question": value.question,
        "standalone": value.standalone,
        "conversation": value.conversation,
        "answer": value.text,
        "status": value.status.value,
        "confidence": finite(value.confidence),
        "citations": [citation(proof) for proof in value.citations],
        "waves": [wave(load) for load in value.waves],
        "omitted": [asdict(omission) for omission in value.omitted],
        "model": value.model,
        "generation": value.generation,
        "incomplete": value.incomplete,
        "left_out": value.left_out,
        "notes": list(value.notes),
        "plan": plan(value.plan),
        "timings": timings(value.timings),
        "hits": [hit(source) for source in value.hits],
    }


def answer_event(event: AnswerEvent) -> Json:
    """One step of an answer, by its ``type``.

    In this order: ``hits``; ``wave``, for every load of context; with a language model ``queued``, each time
    that fewer questions are before this one (``position``), and ``reading``, how many tokens of the prompt it
    has read (``done`` of ``total``; ``known`` before it began); ``text``, the next piece of the answer; last,
    whole, ``answer``. ``wave`` comes again after ``reading`` where the model asks for more, and ``queued``
    and ``reading`` come before ``hits`` where it rewrites a follow-up question.
    """
    from quire_engine.records import AnswerFinished, AnswerText, HitsFound, PromptRead, Queued, WaveLoaded

    match event:
        case HitsFound(result=result):
            return {**search(result), "schema": ANSWER, "type": "hits"}
        case WaveLoaded(wave=load):
            return {"schema": ANSWER, "type": "wave", **wave(load)}
        case Queued(position=position):
            return {"schema": ANSWER, "type": "queued", "position": position}
        case PromptRead():
            return {"schema": ANSWER, "type": "reading", **asdict(event)}
        case AnswerText(text=text, citations=citations):
            proofs = [citation(proof) for proof in citations]
            return {"schema": ANSWER, "type": "text", "text": text, "citations": proofs}
        case AnswerFinished(answer=value):
            return {**answer(value), "type": "answer"}


def replay(value: Replay, difference: VaultDifference | None = None) -> Json:
    """A saved answer made again, ``quire.replay/1``; ``against`` is the vault as it is now, where asked."""
    return {
        "schema": REPLAY,
        "question": value.run.question,
        "asked": moment(value.run.asked),
        "version": value.run.version,
        "fingerprint": value.run.fingerprint,
        "generation": value.run.result.generation,
        "identical": value.identical,
        "then": _statement(value.run.answer),
        "again": _statement(value.now),
        "diff": list(value.diff),
        "against": None if difference is None else _against(difference),
    }


def _against(value: VaultDifference) -> Json:
    return {
        "same": value.same,
        "generation": value.now.generation,
        "incomplete": value.now.incomplete,
        "now": _statement(value.now),
        "diff": list(value.diff),
        "notes": [
            {
                "path": effect.change.path,
                "gone": effect.change.gone,
                "changes_answer": effect.changes_answer,
                "alone": None if effect.answer is None else _statement(effect.answer),
                "passages": [
                    {
                        "kind": change.kind,
                        "then": None if change.then is None else _passage(change.then),
                        "now": None if change.now is None else _passage(change.now),
                        "diff": list(change.diff),
                    }
                    for change in effect.change.passages
                ],
            }
            for effect in value.notes
        ],
    }


def _statement(value: Answer) -> Json:
    """What an answer says, and its proof."""
    return {
        "answer": value.text,
        "status": value.status.value,
        "citations": [citation(proof) for proof in value.citations],
        "model": value.model,
    }


def _passage(value: Hit) -> Json:
    return {
        "id": chunk_id(value.chunk_id),
        "path": value.path,
        "headings": list(value.headings),
        "start_line": value.start_line,
        "end_line": value.end_line,
        "text": value.text,
    }


def conversation_list(values: Iterable[ConversationEntry]) -> Json:
    """Conversations without what was said in them, ``quire.conversations/1``."""
    return {
        "schema": CONVERSATIONS,
        "conversations": [{**_conversation(entry), "questions": entry.turns} for entry in values],
    }


def conversations_found(words: str, values: Iterable[Conversation]) -> Json:
    """Conversations with the turns that hold all of ``words``, ``quire.conversations/1``."""
    return {
        "schema": CONVERSATIONS,
        "words": words,
        "conversations": [
            {**_conversation(found), "turns": [_turn(turn) for turn in found.turns]} for found in values
        ],
    }


def conversation_document(value: Conversation) -> Json:
    """One conversation, whole, ``quire.conversations/1``."""
    return {
        "schema": CONVERSATIONS,
        **_conversation(value),
        "questions": len(value.turns),
        "turns": [_turn(turn) for turn in value.turns],
    }


def _conversation(value: Conversation | ConversationEntry) -> Json:
    return {
        "id": value.id,
        "title": value.title,
        "started": moment(value.started),
        "updated": moment(value.updated),
    }


def _turn(value: Turn) -> Json:
    return {
        "number": value.number,
        "asked": moment(value.asked),
        "question": value.question,
        "standalone": value.standalone,
        "answer": value.text,
        "status": value.status.value,
        "citations": [citation(proof) for proof in value.citations],
        "model": value.model,
        "generation": value.generation,
    }


def progress(value: SyncProgress) -> Json:
    """How far a sync is; ``seconds_left`` is ``null`` while that is unknown."""
    return {
        "stage": value.stage,
        "done": value.done,
        "total": value.total,
        "rate": round(value.rate, 3),
        "seconds_left": value.seconds_left,
    }


def index(report: SyncReport) -> Json:
    """What a sync did, ``quire.index/1``."""
    return {"schema": INDEX, **asdict(report), "skipped": [asdict(note) for note in report.skipped]}


def status(value: IndexStatus) -> Json:
    """The state of an index, ``quire.status/1``."""
    return {
        "schema": STATUS,
        **asdict(value),
        "indexing": progress(value.indexing) if value.indexing else None,
        "embedding": progress(value.embedding) if value.embedding else None,
        "topics": [asdict(topic) for topic in value.topics],
        "skipped": [asdict(note) for note in value.skipped],
        "warnings": [asdict(note) for note in value.warnings],
    }


def models(values: Iterable[InstalledModel], answering: str) -> Json:
    """The models of this machine and of the catalogue, ``quire.models/1``.

    ``answering`` is what writes answers when nothing else is asked for: a model's name or ``extractive``.
    """
    return {
        "schema": MODELS,
        "answering": answering,
        "models": [
            {
                "name": model.name,
                "kind": model.kind,
                "bytes": model.bytes,
                "installed": model.path is not None,
                "in_use": model.in_use,
                "path": model.path,
                "licence": model.description.licence if model.description else None,
                "repository": model.description.repository if model.description else None,
                "revision": model.description.revision if model.description else None,
                "sha256": model.description.sha256 if model.description else None,
            }
            for model in values
        ],
    }


def doctor(found: Iterable[Finding], repairs: Iterable[Repair], left: Iterable[Finding]) -> Json:
    """What an examination found, what was done about it, and how things stand now, ``quire.doctor/1``."""
    after = [asdict(finding) for finding in left]
    return {
        "schema": DOCTOR,
        "ok": all(finding["ok"] for finding in after),
        "findings": [asdict(finding) for finding in found],
        "repairs": [asdict(repair) for repair in repairs],
        "left": [finding for finding in after if not finding["ok"]],
    }


def evaluation(retrieval: EvalReport | None, answers: AnswerReport | None) -> Json:
    """What an evaluation measured, ``quire.eval/1``; each part only where it was measured."""
    return {
        "schema": EVAL,
        **({} if retrieval is None else measured(retrieval)),
        **({} if answers is None else {"answers": answered(answers) | {"failed": failed(answers)}}),
    }


def measured(report: EvalReport) -> Json:
    """Averages over judged queries, all of them or those of a group, with 95 % confidence intervals."""
    return {
        "queries": report.queries,
        "unit": report.unit,
        "retrieval": json_safe(report.retrieval),
        "intervals": json_safe(report.intervals),
    }


def answered(report: AnswerReport) -> Json:
    """Averages over answered questions, all of them or those of a group, with 95 % confidence intervals."""
    return {
        "questions": report.questions,
        "model": report.model,
        "measures": json_safe(report.measures),
        "intervals": json_safe(report.intervals),
        "status": dict(report.statuses),
        "curve": [
            {"coverage": coverage, "risk": risk, "confidence": confidence}
            for coverage, risk, confidence in report.curve
        ],
    }


def failed(report: AnswerReport) -> list[Json]:
    """The questions that were not dealt with rightly, with what was shown; the surest mistakes first.

    ``failure`` is ``wrong`` (without the gold answer, or from elsewhere), ``abstained`` (though the notes
    answer) or ``answered`` (though they do not).
    """
    wrong = [result for result in report.results if result.measures["correct"] < 1]
    wrong.sort(key=lambda result: (result.status == "abstained", -result.confidence))
    return [
        {
            "id": result.id,
            "question": result.question,
            "kind": result.kind,
            "failure": _failure(result),
            "answers": list(result.answers),
            "places": list(result.places),
            "status": result.status.value,
            "confidence": result.confidence,
            "text": result.text,
            "cited": list(result.cited),
        }
        for result in wrong
    ]


def _failure(result: AnswerResult) -> str:
    if not result.answerable:
        return "answered"
    return "abstained" if result.status == "abstained" else "wrong"


def verdict(value: Verdict) -> Json:
    """Whether something that is required was reached."""
    return {"requirement": value.requirement, "found": json_safe(value.found), "met": value.met}


def starter(lines: Mapping[str, int]) -> Json:
    """The files of a first set of questions, with their numbers of lines, ``quire.eval-init/1``."""
    return {"schema": EVAL_INIT, "lines": dict(lines)}


def comparison(
    retrieval: Comparison | None, answers: AnswerComparison | None, then: EvalRun, now: EvalRun, *, diff: bool
) -> Json:
    """An evaluation against a saved run, the part ``against`` of ``quire.eval/1``.

    Each part only where both runs have it. With ``diff`` question by question, the largest loss first.
    """
    record = {
        "then": {"version": then.version, "fingerprint": then.fingerprint, "generation": then.generation},
        "now": {"version": now.version, "fingerprint": now.fingerprint, "generation": now.generation},
        "settings": settings_changed(_settings_of(then, answers), _settings_of(now, answers)),
    }
    if retrieval is not None:
        record |= _compared(retrieval, diff)
    if answers is not None:
        models = {"model": [then.model, now.model]}
        record["answers"] = models | _compared(answers, diff)
    return record


def _compared(value: Comparison | AnswerComparison, diff: bool) -> Json:
    record: Json = json_safe(asdict(value))
    changes = record.pop("changes")
    return {**record, **({"diff": changes} if diff else {})}


def _settings_of(run: EvalRun, answers: AnswerComparison | None) -> Mapping[str, Any]:
    """Those that matter to what is compared."""
    return {name: value for name, value in run.settings.items() if answers is not None or name != "answer"}


def settings_changed(then: Mapping[str, Any], now: Mapping[str, Any], section: str = "") -> Json:
    """What is set otherwise, by dotted name: [then, now]; ``None`` for a setting that one of both lacks."""
    changed: Json = {}
    for name in sorted({*then, *now}):
        old, new = then.get(name), now.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            changed |= settings_changed(old or {}, new or {}, f"{section}{name}.")
        elif old != new:
            changed[section + name] = [old, new]
    return changed


def json_safe(value: object) -> Any:
    """``value`` with tuples as lists and floats that JSON lacks (NaN, infinities) as ``None``."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    return value
