"""Where benchmarks run: a temporary folder with vaults and indexes of its own, removed at the end."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench import processes, vaults
from bench.synthetic import VectorSource
from quire_engine import Engine, Settings, locations
from quire_engine.chunking.chunker import embed_text
from quire_engine.indexing.desk import WriteDesk
from quire_engine.inference.embedder import SentenceEmbedder, open_embedder
from quire_engine.settings import RetrievalSettings

_SLAB = 4096
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    vault: Path | None = None
    notes: int = 6500
    quick: bool = False
    million: bool = False


@dataclass(frozen=True, slots=True)
class Indexed:
    """A vault whose index is complete: structure, keywords, and vectors drawn around real ones."""

    vault: Path
    backend: str
    """What keeps the keywords."""
    notes: int
    chunks: int
    megabytes: float
    """Of the notes' text."""
    seconds: float
    """That a process of its own needed for structure and keywords; importing modules is not counted."""
    peak_bytes: int
    """The most memory of the indexing process and its workers."""
    disk_bytes: int
    """Of the complete index."""


class Workshop:
    """Vaults and indexes that sections share; each is made when the first section needs it."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder = folder
        self.options = options
        self.rounds = 5 if options.quick else 20
        """How often a command is run."""
        self.questions = 5 * self.rounds
        """How many questions an engine is asked."""
        self._indexed: dict[int, Indexed] = {}

    @property
    def sizes(self) -> tuple[int, ...]:
        """Chunks of the indexes by which growth is measured, approximately."""
        if self.options.quick:
            return (500, 2000)
        return (1000, 10_000, 20_000, 100_000, *((_MILLION,) if self.options.million else ()))

    @property
    def vault_name(self) -> str:
        given = self.options.vault
        return f"{given.name} (copy)" if given else f"synthetic, {self.options.notes:,} notes"

    @cached_property
    def vault(self) -> Path:
        """The vault of this run: the notes of the given one, copied, or a synthetic one."""
        given = self.options.vault
        if given is None:
            return self.synthetic_vault(self.options.notes)
        copy = self.folder / "vault"
        for file in vaults.note_files(given):
            target = copy / file.relative_to(given)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        return copy

    def synthetic_vault(self, notes: int) -> Path:
        """A generated vault, made once a run for each size."""
        vault = self.folder / f"notes-{notes}"
        if not vault.exists():
            vaults.write_vault(vault, notes)
        return vault

    @cached_property
    def embedder(self) -> SentenceEmbedder:
        """The default embedding model, loaded; its conversion is done and cached from here on."""
        embedder = open_embedder(Settings().embedding)
        embedder.load()
        return embedder

    @cached_property
    def indexed(self) -> Indexed:
        """The vault of this run with a complete index, its names in the passages found."""
        indexed = self._index(self.vault)
        with Engine.open(indexed.vault) as engine:
            engine.sync()
        return indexed

    def indexed_at(self, chunks: int) -> Indexed:
        """A synthetic vault of about ``chunks`` passages with a complete index."""
        if chunks not in self._indexed:
            vault = self.synthetic_vault(max(1, round(chunks / vaults.CHUNKS_PER_NOTE)))
            self._indexed[chunks] = self._index(vault, "whoosh" if chunks < _MILLION else "tantivy")
        return self._indexed[chunks]

    def _index(self, vault: Path, backend: str = "whoosh") -> Indexed:
        indexing = processes.run(processes.program("children", "index", vault, backend), sampled=True)
        settings = with_keywords(backend)
        fill_vectors(vault, self.embedder, settings, real=128 if self.options.quick else 512)
        with Engine.open(vault, settings) as engine:
            status = engine.status()
        megabytes = sum(file.stat().st_size for file in vaults.note_files(vault)) / 1e6
        return Indexed(
            vault,
            backend,
            status.notes,
            status.chunks,
            megabytes,
            json.loads(indexing.output)["seconds"],
            indexing.peak_bytes,
            status.disk_bytes,
        )


@contextmanager
def open_workshop(options: Options) -> Iterator[Workshop]:
    """A workshop in which nothing of the user's is seen: no settings, indexes, models or engine.

    A cache folder that the environment names is used: it holds what can be made again, converted models.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="quire-bench-", ignore_cleanup_errors=True) as name:
        for variable in [v for v in os.environ if v.startswith("QUIRE_") and v != "QUIRE_CACHE_DIR"]:
            del os.environ[variable]
        os.environ["QUIRE_CONFIG"] = f"{name}/config.toml"
        for place in ("DATA", "MODELS", "RUNTIME"):
            os.environ[f"QUIRE_{place}_DIR"] = f"{name}/{place.lower()}"
        os.environ.setdefault("QUIRE_CACHE_DIR", f"{name}/cache")
        try:
            yield Workshop(Path(name), options)
        finally:
            os.environ.clear()
            os.environ.update(before)


def with_keywords(backend: str) -> Settings:
    """The settings as they come, but for what keeps the keywords."""
    return Settings(retrieval=RetrievalSettings.model_validate({"keywords": backend}))


def fill_vectors(vault: Path, embedder: SentenceEmbedder, settings: Settings, *, real: int) -> None:
    """Give every passage that waits for its vector one that is drawn around those of ``real`` passages."""
    desk = WriteDesk(locations.index_dir(vault), embedder, settings.retrieval.keywords)
    with desk.writing(10.0):
        waiting = desk.store.queue(_SLAB)
        sample = waiting[:: max(1, len(waiting) // real)][:real]
        texts = [embed_text(headings, text) for _, _, headings, text in sample]
        source = VectorSource(embedder.embed_passages(texts))
        while slab := desk.store.queue(_SLAB):
            digests = list({digest for _, digest, _, _ in slab})
            with desk.store.transaction():
                desk.store.store_vectors(digests, source.draw(len(digests)), [row[0] for row in slab])
        desk.store.rebalance_shards()
    desk.close()
