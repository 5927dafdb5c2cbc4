"""Reading every sentence once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quire_engine.answering.remembering import Remembering
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.interfaces import TokenVectors


class Watched(Remembering):
    """The real embedder, and which texts it was given."""

    def __init__(self, embedder: SentenceEmbedder) -> None:
        super().__init__(embedder)
        self.embedder = embedder
        self.given: list[str] = []

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        self.given += texts
        return self.embedder.embed_tokens(texts)


class TestRemembering:
    def test_a_text_is_read_once_until_it_is_forgotten(self, embedder: SentenceEmbedder) -> None:
        watched = Watched(embedder)
        remembering = Remembering(watched)
        first = remembering.embed_tokens(["roses", "March", "roses"])
        assert first[0] is first[2]
        assert remembering.embed_tokens(["March"])[0] is first[1]
        assert remembering.embed_tokens([]) == []
        assert watched.given == ["roses", "March"]
        remembering.forget()
        assert remembering.embed_tokens(["March"])[0] is not first[1]
        assert watched.given == ["roses", "March", "March"]

    def test_all_else_is_as_the_embedder_says(self, embedder: SentenceEmbedder) -> None:
        remembering = Remembering(embedder)
        assert remembering.fingerprint == embedder.fingerprint
        assert (remembering.dimensions, remembering.max_tokens) == (embedder.dimensions, embedder.max_tokens)
        assert remembering.readability("roses") == embedder.readability("roses")
        assert remembering.count_tokens(["roses"]) == embedder.count_tokens(["roses"])
        np.testing.assert_array_equal(remembering.embed_query("roses"), embedder.embed_query("roses"))
        np.testing.assert_array_equal(remembering.embed_passages(["a"]), embedder.embed_passages(["a"]))
