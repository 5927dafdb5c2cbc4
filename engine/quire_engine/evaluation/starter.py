"""A first judged set, made from a vault's own notes by rules, for its user to correct."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from quire_engine.analysis import terms
from quire_engine.errors import ConfigError
from quire_engine.evaluation.draft import Draft
from quire_engine.evaluation.drafting import draft_questions, vocabulary
from quire_engine.evaluation.judged_set import FILE
from quire_engine.evaluation.judgements import spread
from quire_engine.evaluation.questions import OFF_VAULT, QUESTIONS
from quire_engine.records import Note

_ROUNDS = ((2, 2, 30), (1, 2, 30), (1, 5, 20))
"""(least worth, most questions of a note, questions to stop at): what is poorer comes only where there is too
little better."""
_MOST_OF_RULE = 10
_MOST_NOTES = 3000
_AGES = 4
_ELSEWHERE = (
    "How tall is the Burj Khalifa?",
    "Which enzyme unwinds DNA during replication?",
    "When did the Byzantine Empire fall to the Ottomans?",
    "What is the boiling point of tungsten?",
    "Who composed the opera Turandot?",
    "How many moons does Neptune have?",
    "What does a carburettor do in a motorcycle?",
    "Which treaty ended the Thirty Years' War?",
    "How long is the gestation of an African elephant?",
    "What caused the collapse of the Tacoma Narrows bridge?",
    "Which vitamin does scurvy come from a lack of?",
    "Who discovered the element polonium?",
    "How deep is the Mariana Trench?",
    "What is the currency of Mongolia?",
    "In which year was the Suez Canal opened?",
    "How does a trebuchet store its energy?",
)
"""Asked of nearly any notes in vain; those whose words stand in them are left out."""
_OFF = 8
_SETTINGS = """\
# Where the notes are: a path, absolute or from this folder on.
vault = {vault}

# What must be reached; `quire eval` ends with code 1 when it is not. Take away a # to require it.
require = [
    # "answer_recall >= 0.80",
    # "right_paragraph >= 0.85",
    # "wrong_abstentions <= 0.05",
    # "offvault: abstention_recall >= 0.95",
    # "ndcg@10 >= 0.80",
    # "total_p95_ms <= 1000",
]
"""
_README = """\
# Questions to these notes, with their answers

Drafted from the notes by `quire eval --init`. They are a beginning: rules wrote them, and only you know what
is asked of these notes. Read each once; delete what nobody would ask, correct what is off, add what you do
ask. Thirty good questions tell more than a hundred clumsy ones. Measure with

    quire eval {folder}

A line is a JSON object. Files, and what to look at in them:

- `questions.jsonl`: a question with its answer. Does it make sense without the note before you? Put it in
  your own words: it shares them with the note as it stands, and so is easier than what you would ask. Is
  each of `answers` right, as it stands in the note, and as short as it can be? One of them has to be in what
  Quire says. A heading that asks has no `answers`, only its place: add one where you can.
- `offvault.jsonl`: a question that the notes do not answer. Is that so? Better ones than these are about what
  you write about, and just not answered there.
- `queries.jsonl` and `qrels.tsv`: the same questions to search for, and the note to be found (or several, on
  more lines).
- `eval.toml`: where the notes are, and what must be reached.

Of a line in `questions.jsonl` Quire needs `id`, `question`, and `answers` or `note`: what is to be cited,
with `block` the block of that id in it, else with `line` the paragraph or table that holds it (correct it
when lines above are added to the note, or delete it). A line with `"answerable": false` must not be answered.
`sentences` (what the best sentence of the answer should be like) and `rule` (by which it was drafted) may be
deleted. Any other field is yours: `quire eval {folder} --by rule` measures by its values.

The notes are read where they are, never copied or changed. Keep this folder outside of them.
"""


class Notes(Protocol):
    """The vault that questions are drafted from."""

    def notes(self) -> list[tuple[str, str, tuple[str, ...]]]: ...

    def current_note(self, path: str) -> Note | None: ...


def write_starter_set(
    vault: Notes, place: Path, folder: Path, progress: Callable[[int, int], None] | None = None
) -> Mapping[str, int]:
    """Write a judged set for the notes at ``place`` into ``folder``; how many lines each file has.

    Questions are spread over topics and over the ages of notes, and the same for the same notes. Raises
    `ConfigError`, and writes nothing, when ``folder`` lies in the vault or holds a set already, and when
    there is nothing to ask.
    """
    place = place.expanduser().resolve()
    if folder.resolve().is_relative_to(place):
        raise ConfigError(f"{folder} lies inside the vault {place}; choose a folder outside of it")
    for name in (FILE, QUESTIONS, OFF_VAULT, "queries.jsonl", "qrels.tsv", "README.md"):
        if os.path.lexists(folder / name):
            raise ConfigError(f"{folder} holds {name} already, which is left as it is; choose a new folder")
    notes = _read(vault, progress)
    drafts = _chosen(draft_questions(notes), notes)
    if not drafts:
        raise ConfigError(f"the notes of {place} hold no sentence that a question could be made from")
    files = _files(drafts, notes, place, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror or error}") from error
    return {name: text.count("\n") for name, text in files.items() if name.endswith((".jsonl", ".tsv"))}


def _read(vault: Notes, progress: Callable[[int, int], None] | None) -> list[Note]:
    markdown = [path for path, _, _ in vault.notes() if path.lower().endswith(".md") and path.isprintable()]
    paths = spread(markdown, _MOST_NOTES)
    found = []
    for number, path in enumerate(paths, start=1):
        if (note := vault.current_note(path)) is not None:
            found.append(note)
        if progress is not None:
            progress(number, len(paths))
    return found


def _chosen(drafts: Sequence[Draft], notes: Sequence[Note]) -> list[Draft]:
    """The best drafts, taken by turns from every topic and age, few of a note."""
    by_age = sorted(notes, key=lambda note: (note.modified, note.path))
    groups: dict[tuple[str, int], list[Draft]] = {}
    age = {note.path: _AGES * rank // len(by_age) for rank, note in enumerate(by_age)}
    for draft in sorted(drafts, key=lambda draft: (-draft.worth, draft.path, draft.line)):
        topic = draft.path.partition("/")[0] if "/" in draft.path else ""
        groups.setdefault((topic, age[draft.path]), []).append(draft)
    chosen: list[Draft] = []
    of_note: Counter[str] = Counter()
    of_rule: Counter[str] = Counter()
    asked: set[str] = set()
    for least, of_each, most in _ROUNDS:
        left = {key: [d for d in group if d.worth >= least] for key, group in sorted(groups.items())}
        while len(chosen) < most and any(left.values()):
            for group in left.values():
                while group and len(chosen) < most:
                    draft = group.pop(0)
                    words = " ".join(terms(draft.question))
                    if (
                        of_note[draft.path] >= of_each
                        or of_rule[draft.rule] >= _MOST_OF_RULE
                        or words in asked
                    ):
                        continue
                    chosen.append(draft)
                    asked.add(words)
                    of_note[draft.path] += 1
                    of_rule[draft.rule] += 1
                    break
    return sorted(chosen, key=lambda draft: (draft.path, draft.line))


def _files(drafts: Sequence[Draft], notes: Sequence[Note], place: Path, folder: Path) -> dict[str, str]:
    numbered = [(f"q{number:02}", draft) for number, draft in enumerate(drafts, start=1)]
    queries = [(identity, draft.question, draft.path) for identity, draft in numbered]
    told = vocabulary(notes)
    elsewhere = [text for text in _ELSEWHERE if not told.intersection(_rare(text))][:_OFF]
    return {
        FILE: _SETTINGS.format(vault=json.dumps(str(place), ensure_ascii=False)),
        "README.md": _README.format(folder=folder),
        QUESTIONS: _lines([_entry(identity, draft) for identity, draft in numbered]),
        OFF_VAULT: _lines([{"id": f"off{n:02}", "question": text} for n, text in enumerate(elsewhere, 1)]),
        "queries.jsonl": _lines([{"id": identity, "text": text} for identity, text, _ in queries]),
        "qrels.tsv": "query_id\tdocument\tgrade\n" + "".join(f"{q}\t{path}\t1\n" for q, _, path in queries),
    }


def _entry(identity: str, draft: Draft) -> dict[str, object]:
    return {
        "id": identity,
        "question": draft.question,
        **({"answers": [draft.answer]} if draft.answer else {}),
        "note": draft.path,
        **({"block": draft.block} if draft.block else {}),
        "line": draft.line,
        "sentences": [draft.sentence],
        "rule": draft.rule,
    }


def _rare(question: str) -> set[str]:
    """The words by which a question could be met; those that any note may have do not count."""
    words = [word.strip("?.,'s") for word in question.split()[1:]]
    telling = [word for word in words if word[:1].isupper()] or [word for word in words if len(word) > 7]
    return {term for word in telling for term in terms(word)}


def _lines(entries: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
