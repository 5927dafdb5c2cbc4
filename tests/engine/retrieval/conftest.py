"""Engines over small vaults with the real embedding model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from quire_engine.engine import Engine
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.settings import Settings

OpenVault = Callable[..., Engine]


@pytest.fixture(scope="module")
def open_vault(tmp_path_factory: pytest.TempPathFactory, embedder: SentenceEmbedder) -> Iterator[OpenVault]:
    """Opens an engine over a vault with the notes given, indexed and embedded, and what is set for retrieval.

    The same notes are indexed once in a module.
    """
    folders: dict[tuple[tuple[str, str], ...], Path] = {}
    opened: list[Engine] = []

    def open_one(notes: Mapping[str, str], chunk_budget: int = 256, **retrieval: object) -> Engine:
        key = (*notes.items(), ("", str(chunk_budget)))
        if (known := key in folders) is False:
            folders[key] = tmp_path_factory.mktemp("vault")
            for path, text in notes.items():
                (folders[key] / path).parent.mkdir(parents=True, exist_ok=True)
                (folders[key] / path).write_text(text, encoding="utf-8")
        sections = {
            "embedding": {"runtime": "openvino"},
            "chunking": {"budget": chunk_budget},
            "retrieval": retrieval,
        }
        engine = Engine.open(folders[key], Settings.model_validate(sections))
        opened.append(engine)
        if not known:
            assert engine.sync().pending == 0
        return engine

    yield open_one
    for engine in opened:
        engine.close()
