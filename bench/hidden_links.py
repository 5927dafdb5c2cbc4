"""``scripts/bench hidden-links VAULT DIR``: makes a judged set from a vault's own links.

The author of a link says that its target has to do with the words around it. A sample of links is hidden in a
copy of the vault, anchor text and all; the words around each become a question that its target answers:

- ``sentence``: the sentence, or list item, that held the link;
- ``context``: the same after the title of its note and the headings above it;
- ``alias``: another name of a note. It is taken out of the note's properties and stands neither in its text
  nor in its title; links elsewhere that call the note so stay.

Neither words nor links give a target away: questions do not name it, the note that held the link links to it
nowhere else, and the target does not link back. At most one link is hidden in a note, and one for a target:
much linked notes are not asked for more often. The note that held the link is judged 0: it holds the
question's words and takes a place in every ranking that a measure does not have skip it.

``DIR`` then holds ``vault``, ``queries.jsonl`` and ``qrels.tsv``, for ``quire eval`` and ``scripts/bench
ablations``. A question's id begins with its kind. Its ``half``, 0 or 1, follows from its target: what is
fitted on one half can be measured on the other.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

from quire_engine.analysis import fold, query_terms, terms
from quire_engine.chunking.rules import sentence_spans
from quire_engine.markup import plain
from quire_engine.records import Block, BlockKind, Link, LinkKind, Note
from quire_engine.vault.links import LinkIndex
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import read_file, scan

KINDS = ("sentence", "context", "alias")
_LEAST_TERMS = 8
"""Distinct terms that a question has, and a note that is asked for."""
_RUNNING_TEXT = (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.QUOTE, BlockKind.CALLOUT)
_PLACE = "\ufffc"
"""Stands for the link while its block loses its markup."""


@dataclass(frozen=True, slots=True)
class Question:
    kind: str
    text: str
    target: str
    """The path of the note that is relevant."""
    source: str | None = None
    """The path of the note that held the link; aliases have none."""

    @property
    def half(self) -> int:
        return _order(self.target, "half")[0] % 2


def make(vault: Path, folder: Path, most: int = 400) -> list[Question]:
    """Write the set made from the notes in ``vault`` to ``folder``: at most ``most`` links, and aliases.

    The same vault gives the same set. Raises `VaultError` where the vault cannot be read.
    """
    notes, files = {}, {}
    for file in scan(vault).files:
        files[file.path], stat = read_file(vault, file.path)
        notes[file.path] = parse(file.path, files[file.path], stat)
    questions: list[Question] = []
    texts = {path: note.text for path, note in notes.items()}
    for note, link, asked in _sampled(notes, most):
        questions += asked
        texts[note.path] = note.text[: link.span.start] + note.text[link.span.end :]
    questions += _hidden_aliases(notes, texts, most)
    for path, text in texts.items():
        copy = folder / "vault" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        same = text == notes[path].text
        copy.write_bytes(files[path] if same else text.encode("utf-8"))
    _write(folder, questions)
    return questions


# ------------------------------------------------------------------------------------------------- links


def _sampled(notes: dict[str, Note], most: int) -> Iterator[tuple[Note, Link, list[Question]]]:
    """The links to hide and what is asked, in an order that says nothing about them."""
    index = _index(notes)
    leads: list[tuple[str, str, Link]] = []
    times: defaultdict[tuple[str, str], int] = defaultdict(int)
    for note in notes.values():
        for link in note.links:
            target = index.resolve(link.target, note.path)
            if target is not None and target != note.path:
                leads.append((note.path, target, link))
                times[note.path, target] += 1
    leads.sort(key=lambda lead: _order(lead[0], str(lead[2].span.start)))
    sources: set[str] = set()
    targets: set[str] = set()
    for source, target, link in leads:
        if len(targets) >= most:
            return
        if times[source, target] > 1 or (target, source) in times:
            continue
        if link.kind is LinkKind.EMBED or not _is_written(notes[source]):
            continue
        if source in sources or target in targets or not _says_enough(notes[target]):
            continue
        if asked := _asked(notes[source], link, notes[target]):
            sources.add(source)
            targets.add(target)
            yield notes[source], link, asked


def _index(notes: dict[str, Note]) -> LinkIndex:
    return LinkIndex((note.path, note.title, note.aliases) for note in notes.values())


def _is_written(note: Note) -> bool:
    """Whether the note's text is its file, as that of a canvas is not."""
    return note.path.lower().endswith((".md", ".markdown"))


def _says_enough(note: Note) -> bool:
    text = " ".join(note.text[b.span.start : b.span.end] for b in note.blocks if b.kind in _RUNNING_TEXT)
    return len(query_terms(plain(text))) >= _LEAST_TERMS


def _asked(source: Note, link: Link, target: Note) -> list[Question]:
    span = link.span
    block = next((b for b in source.blocks if b.span.start <= span.start and span.end <= b.span.end), None)
    if block is None or block.kind not in _RUNNING_TEXT:
        return []
    sentence = _around(source, link, block)
    names = [*_names(target), link.text]
    if len(query_terms(sentence)) < _LEAST_TERMS or _names_one(sentence, names):
        return []
    asked = partial(Question, target=target.path, source=source.path)
    context = " ".join(dict.fromkeys([source.title, *map(plain, block.headings), sentence]))
    return [asked("sentence", sentence)] + ([] if _names_one(context, names) else [asked("context", context)])


def _around(note: Note, link: Link, block: Block) -> str:
    """The words around a link: its sentence, in a list its item."""
    before, after = note.text[block.span.start : link.span.start], note.text[link.span.end : block.span.end]
    text = plain(f"{before}{_PLACE}{after}")
    if block.kind is not BlockKind.LIST_ITEM:
        sentences = [text[start:end] for start, end in sentence_spans(text)]
        text = next((sentence for sentence in sentences if _PLACE in sentence), "")
    return " ".join(text.replace(_PLACE, " ").split())


def _names(note: Note) -> list[str]:
    return [note.title, Path(note.path).stem, *note.aliases]


def _names_one(text: str, names: Iterable[str]) -> bool:
    """Whether the text holds one of the names, or all words of one."""
    folded, words = fold(text), set(terms(text))
    return any(
        (name.strip() and fold(name.strip()) in folded) or ((own := set(terms(name))) and own <= words)
        for name in names
    )


# ----------------------------------------------------------------------------------------------- aliases


def _hidden_aliases(notes: dict[str, Note], texts: dict[str, str], most: int) -> list[Question]:
    """Questions by aliases; each is taken out of ``texts``, of one note one."""
    index = _index(notes)
    hidden: dict[str, str] = {}
    for path in sorted(notes, key=lambda path: _order(path, "alias")):
        note = notes[path]
        for alias in note.aliases:
            if len(hidden) < most and _is_hideable(note, alias) and index.resolve(alias, "") == path:
                without = _without_alias(note, alias, texts[path])
                if without is not None:
                    texts[path], hidden[path] = without, alias
                    break
    _spell_out(notes, texts, index, hidden)
    return [Question("alias", alias, path) for path, alias in hidden.items()]


def _is_hideable(note: Note, alias: str) -> bool:
    body = "\n".join(
        note.text[b.span.start : b.span.end] for b in note.blocks if b.kind is not BlockKind.PROPERTIES
    )
    others = [name for name in _names(note) if name != alias]
    return (
        bool(terms(alias))
        and fold(alias) not in fold(body)
        and not any(_names_one(other, [alias]) for other in others)
    )


def _without_alias(note: Note, alias: str, text: str) -> str | None:
    """``text`` with nothing of the alias among its properties; ``None`` where it cannot be taken out."""
    front = next((b for b in note.blocks if b.kind is BlockKind.PROPERTIES), None)
    if front is None:
        return None
    end = front.span.end
    copy = text[:end].replace(alias, "") + text[end:]
    parsed = parse(note.path, copy.encode("utf-8"), note.stat)
    same = parsed.title == note.title and parsed.warnings == note.warnings
    others = set(note.aliases) - {alias}
    return copy if same and alias not in parsed.aliases and others <= set(parsed.aliases) else None


def _spell_out(
    notes: dict[str, Note], texts: dict[str, str], index: LinkIndex, hidden: dict[str, str]
) -> None:
    """Where a link names its target by a hidden alias alone, write the target's path before it."""
    for path, note in notes.items():
        if not _is_written(note):
            continue
        for link in note.links:
            target = index.resolve(link.target, path)
            if target is None or fold(link.target) != fold(hidden.get(target, "")):
                continue
            for written in (f"[[{link.target}|", f"[[{link.target}]]"):
                rest = "|" if written.endswith("|") else f"|{link.target}]]"
                texts[path] = texts[path].replace(written, f"[[{target}{rest}")


# ------------------------------------------------------------------------------------------------- files


def _order(*parts: str) -> bytes:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _write(folder: Path, questions: Sequence[Question]) -> None:
    queries, judgements = [], ["query_id\tdocument\tgrade"]
    for number, question in enumerate(questions):
        identity = f"{question.kind}-{number}"
        entry = {"id": identity, "text": question.text, "half": question.half}
        queries.append(json.dumps(entry, ensure_ascii=False))
        judgements.append(f"{identity}\t{question.target}\t1")
        if question.source is not None:
            judgements.append(f"{identity}\t{question.source}\t0")
    (folder / "queries.jsonl").write_text("".join(f"{line}\n" for line in queries), encoding="utf-8")
    (folder / "qrels.tsv").write_text("".join(f"{line}\n" for line in judgements), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a set and say how many questions of each kind it holds."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench hidden-links", description="Makes a judged set from a vault's own links."
    )
    parser.add_argument("vault", type=Path, metavar="VAULT", help="a folder of linked notes; it is only read")
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the set is written")
    parser.add_argument("--most", type=int, default=400, metavar="N", help="links and aliases to hide (400)")
    chosen = parser.parse_args(arguments)
    if chosen.folder.exists() and any(chosen.folder.iterdir()):
        parser.error(f"the folder {chosen.folder} is not empty; choose another")
    questions = make(chosen.vault, chosen.folder, chosen.most)
    for kind in KINDS:
        print(f"{kind}: {sum(question.kind == kind for question in questions)} questions")
    return 0
