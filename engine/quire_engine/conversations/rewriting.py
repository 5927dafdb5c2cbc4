"""Follow-up questions rewritten by the language model, within bounds; else by the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from quire_engine.analysis import terms
from quire_engine.conversations.followups import is_readable, standalone
from quire_engine.conversations.syntax import as_words, without_operators
from quire_engine.conversations.turns import base_of
from quire_engine.errors import GenerationError
from quire_engine.interfaces import LanguageModel
from quire_engine.records import Message, PromptRead, Queued, Turn

_TURNS = 3
_MOST_TOKENS = 64
_LONGEST = 300
"""Characters of a rewritten question, and of what is shown of a question or an answer before it."""
_OWN = 0.5
"""The share of the follow-up's telling words that the rewritten question must hold."""
_KNOWN = 0.8
"""The share of its telling words that must come from the follow-up and what was said before it."""
_TASK = (
    "Do not answer now. Rewrite the question below so that it can be understood without our conversation: "
    "replace pronouns by what they mean and add what was left out, and nothing else. If it can be understood "
    "by itself already, repeat it. Reply with the question alone, on one line."
)


def rewritten(
    question: str,
    turns: Sequence[Turn],
    model: LanguageModel | None,
    history: Callable[[LanguageModel], Sequence[Message]],
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Queued | PromptRead | str]:
    """How far the model is, if it is asked, and last ``question`` as it stands by itself.

    The model is asked only about what the rules take for a follow-up, or cannot read; a question that stands
    by itself costs nothing. ``history`` gives the messages that the answer's prompt will begin with: the
    model has read most of them already, and will not have to read them again. What it writes counts only when
    it is one line, not long, and of words that were said; the rules' version counts otherwise, also when the
    model fails. Operators are the question's own, and none of the model's. Closing the iterator cancels.
    """
    by_rules = standalone(question, turns)
    if model is None or not turns or (by_rules == question and is_readable(question, turns)):
        yield by_rules
        return
    text, operators = without_operators(question)
    task = Message("user", f"{_TASK}\nQuestion: {_shown(text)}")
    written = ""
    try:
        for piece in model.stream([*history(model), task], max_tokens=_MOST_TOKENS, cancelled=cancelled):
            if isinstance(piece, str):
                written += piece
            else:
                yield piece
    except GenerationError:
        written = ""
    line = written.strip()
    line = " ".join(as_words(line).split()) if line.isprintable() else ""
    yield " ".join([line, *operators]) if _is_sound(line, text, turns) else by_rules


def _shown(text: str) -> str:
    return " ".join(text.replace("<", " ").replace(">", " ").split())[:_LONGEST]


def _is_sound(line: str, text: str, turns: Sequence[Turn]) -> bool:
    """Whether a model's reply may be a rewritten ``text``."""
    if not line or len(line) > _LONGEST:
        return False
    own, new = set(terms(text)), set(terms(line))
    said = own.union(*(terms(f"{base_of(turn)} {turn.text}") for turn in turns[-_TURNS:]))
    if not new or len(new & said) < _KNOWN * len(new):
        return False
    return len(own & new) >= _OWN * len(own)
