"""Judged sets for tests: one of this project's own, and samples of larger ones where these are at hand."""

from __future__ import annotations

import json
import random
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from quire_engine import Engine, compare, evaluate
from quire_engine.evaluation.judgements import Query, read_queries, spread
from quire_engine.evaluation.signals import BySignal
from quire_engine.records import EvalReport, SearchResult

ROOT = Path(__file__).parents[2]
OWN = Path(__file__).parent / "judged"
DEV = ROOT.parent / "shared/data/dev.tar.xz"
"""Sets of public collections (``dev/NAME/{vault,queries.jsonl,qrels.tsv}``), not part of the project."""


def write_own_set(folder: Path) -> Path:
    """The sample vault with some notes in other languages, and all that is asked about them."""
    shutil.copytree(ROOT / "vaults/demo", folder / "vault")
    shutil.copytree(OWN / "notes", folder / "vault/Languages")
    lines = (ROOT / "tests/quality/demo_questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [entry for entry in map(json.loads, lines) if entry["answerable"]]
    queries = [
        {"id": e["id"], "lang": e.get("lang", "en"), "group": "fact", "text": e["question"]} for e in asked
    ]
    own = (OWN / "queries.jsonl").read_text(encoding="utf-8")
    text = "".join(json.dumps(query, ensure_ascii=False) + "\n" for query in queries) + own
    (folder / "queries.jsonl").write_text(text, encoding="utf-8")
    qrels = (OWN / "qrels.tsv").read_text(encoding="utf-8")
    qrels += "".join(f"{entry['id']}\t{entry['note']}\t1\n" for entry in asked)
    (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Sampled:
    """How a set is made small."""

    name: str
    notes: int = 0
    """Of the small vault, those that answer its questions included; more where these are more."""
    topics: tuple[str, ...] = ()
    """Questions are about notes with such a name alone: where notes are long, a few must do."""


SAMPLES = (
    Sampled("cranfield", notes=110),
    Sampled("cacm", notes=140),
    Sampled("dbpedia", notes=160),
    Sampled("pubmedqa", notes=60),
    Sampled("squad", topics=("Amazon rainforest", "Construction", "Pharmacy", "Sky (United Kingdom)")),
    Sampled("xquad", topics=("Kenya", "Teacher", "Warsaw")),
)
_QUESTIONS = 40
_BEST = 3
"""Relevant documents of a question that are kept, those with the highest grades."""
_TOLERANCE = 0.01


def read_archive() -> dict[str, dict[str, bytes]]:
    """The files of the archive's judged sets by set and path; unpacked, they would be ten thousand."""
    sets: dict[str, dict[str, bytes]] = {sampled.name: {} for sampled in SAMPLES}
    with tarfile.open(DEV) as archive:
        for member in archive:
            _, _, path = member.name.partition("/")
            name, _, rest = path.partition("/")
            if name in sets and (content := archive.extractfile(member)) is not None:
                sets[name][rest] = content.read()
    return sets


def write_sample(sampled: Sampled, files: dict[str, bytes], folder: Path) -> Path:
    """Forty questions of a set, the notes that answer them, and others drawn at random; always the same."""
    for name in ("queries.jsonl", "qrels.tsv"):
        (folder / name).write_bytes(files[name])
    every = sorted(path.removeprefix("vault/") for path in files if path.startswith("vault/"))
    about = [note for note in every if not sampled.topics or Path(note).name.startswith(sampled.topics)]
    known = set(about)
    queries = [
        query
        for query in read_queries(folder)
        if all(_note(document) in known for document in query.relevant)
    ]
    chosen = spread(queries, _QUESTIONS)
    kept = {_note(document) for query in chosen for document in _best(query)}
    # What is relevant and not kept is no distractor: it would be found, and counted as wrong.
    unwanted = {_note(document) for query in chosen for document in query.relevant}
    others = [note for note in about if note not in unwanted]
    random.Random(20260101).shuffle(others)
    for note in sorted(kept) + others[: max(0, sampled.notes - len(kept))]:
        (folder / "vault" / note).parent.mkdir(parents=True, exist_ok=True)
        (folder / "vault" / note).write_bytes(files[f"vault/{note}"])
    lines = [json.dumps({"id": query.id, "text": query.text, **query.fields}) for query in chosen]
    (folder / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    grades = [
        f"{query.id}\t{document}\t{grade:g}"
        for query in chosen
        for document, grade in query.relevant.items()
        if _note(document) in kept
    ]
    (folder / "qrels.tsv").write_text("\n".join(grades) + "\n", encoding="utf-8")
    return folder


def _best(query: Query) -> list[str]:
    """The documents that are relevant most, of equally relevant ones those that come first by name."""
    return sorted(query.relevant, key=lambda document: (-query.relevant[document], document))[:_BEST]


def _note(document: str) -> str:
    return document.partition("#^")[0]


class Remembering:
    """An engine that is asked each question once, however often its answers are looked at."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[str, int], SearchResult] = {}

    def search(self, query: str, *, limit: int = 10) -> SearchResult:
        if (query, limit) not in self._known:
            self._known[query, limit] = self._engine.search(query, limit=limit)
        return self._known[query, limit]

    def blocks(self, path: str) -> list[tuple[str, int, int]]:
        return self._engine.blocks(path)


@dataclass(frozen=True)
class Measured:
    """A set as users would find it, and as each of the two searches would alone."""

    fused: EvalReport
    alone: dict[str, EvalReport]


def measure(folder: Path) -> Measured:
    """Index the set in ``folder`` and ask it."""
    with Engine.open(folder / "vault") as engine:
        engine.sync()
        asked = Remembering(engine)
        names: tuple[Literal["dense", "keyword"], ...] = ("dense", "keyword")
        alone = {name: evaluate(BySignal(asked, name), folder) for name in names}
        return Measured(evaluate(asked, folder), alone)


def losses(measured: Measured) -> list[str]:
    """The searches that alone beat their fusion by more than 0.01 nDCG@10, beyond what is chance.

    A sample is small: it counts what the 95 % confidence interval of the difference leaves no doubt about.
    """
    found = []
    for name, report in measured.alone.items():
        change = compare(report.results, measured.fused.results).measures["ndcg@10"]
        if change.interval[1] < -_TOLERANCE:
            found.append(f"{name}: {change.then:.3f} alone, {change.now:.3f} fused")
    return found
