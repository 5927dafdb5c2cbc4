from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from small_notes import MakeNotes, SmallNotes

from quire_engine.inference.embedder import SentenceEmbedder

if TYPE_CHECKING:
    from quire_engine.chunking.sentences import LanguageTools


@pytest.fixture(scope="session")
def notes(embedder: SentenceEmbedder, language_tools: LanguageTools) -> MakeNotes:
    """Makes `SmallNotes` of texts by path, or of one text."""

    def make(files: Mapping[str, str] | str, *, budget: int = 256) -> SmallNotes:
        texts = {"Note.md": files} if isinstance(files, str) else files
        return SmallNotes(texts, embedder, language_tools, budget=budget)

    return make
