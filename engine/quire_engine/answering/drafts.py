"""What an answering method hands over before anything is shown: sentences with their evidence."""

from __future__ import annotations

from dataclasses import dataclass

from quire_engine.records import Hit


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of a hit that is offered as proof: ``hit.text[start:end]``."""

    hit: Hit
    start: int
    end: int
    support: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """A sentence (or a verbatim list, table or code block) of an answer, not yet verified."""

    text: str
    """Without citation marks."""
    evidence: tuple[Evidence, ...]
    """Best first; empty for a sentence that nothing supports."""
    separator: str = " "
    """What stands before the sentence in the answer, unless it is the first."""
    frame: tuple[str, ...] = ()
    """Lines shown around the quote (a table's header) that must stand in the file too."""
