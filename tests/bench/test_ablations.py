"""Variants of retrieval on a small judged set."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import ablations

NOTES = {
    "Roses.md": "# Roses\n\nPrune the bushes in early March.\n",
    "Kiln.md": "# Kiln\n\nThe oven for pottery reaches 1240 degrees.\n",
    "Heap.md": "# Heap\n\nTurn the compost every two weeks.\n",
}
QUESTIONS = {"a": "prune the bushes", "b": "clay vessels are burnt", "c": "turn the compost"}


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "vault").mkdir(parents=True)
    for name, text in NOTES.items():
        (folder / "vault" / name).write_text(text)
    lines = [json.dumps({"id": identity, "text": text}) for identity, text in QUESTIONS.items()]
    (folder / "queries.jsonl").write_text("\n".join(lines))
    (folder / "qrels.tsv").write_text("a\tRoses.md\t1\nb\tKiln.md\t1\nc\tHeap.md\t1\n")
    return folder


@pytest.mark.usefixtures("model_cache")
class TestAblations:
    def run(self, *arguments: object) -> int:
        return bench.main(["ablations", *map(str, arguments)])

    def test_compares_every_variant_with_the_first(
        self, judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = dict(os.environ)
        assert self.run(judged, "--json", tmp_path / "figures.json") == 0
        out = capsys.readouterr().out
        figures = json.loads((tmp_path / "figures.json").read_text())
        assert figures["schema"] == ablations.SCHEMA
        (variants,) = figures["sets"].values()
        assert list(variants) == [variant.name for variant in ablations.VARIANTS]
        for name, found in variants.items():
            assert f"\n{name}" in out
            assert found["queries"] == 3
        first, *others = variants.values()
        assert first["against_first"] is None
        for found in others:
            change = found["against_first"]
            now = found["retrieval"]["ndcg@10"]
            assert change["difference"] == pytest.approx(now - first["retrieval"]["ndcg@10"])
            assert change["interval"][0] <= change["difference"] <= change["interval"][1]
        # No word of the second question stands in a note: keywords find two of three answers.
        assert variants["keyword search alone"]["retrieval"]["success@10"] == pytest.approx(2 / 3)
        assert variants["dense search alone"]["retrieval"]["success@10"] == 1.0
        assert dict(os.environ) == before

    def test_makes_the_index_once_and_keeps_it_when_asked_to(
        self, judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from quire_engine.inference.embedder import SentenceEmbedder

        embedded: list[str] = []
        real = SentenceEmbedder.embed_passages

        def counting(self: SentenceEmbedder, texts: Sequence[str]) -> object:
            embedded.extend(text for text in texts if text not in QUESTIONS.values())
            return real(self, texts)

        monkeypatch.setattr(SentenceEmbedder, "embed_passages", counting)
        for _ in range(2):
            assert self.run(judged, "--keep", tmp_path / "kept", "--json", tmp_path / "out.json") == 0
        assert len(embedded) == len(NOTES)
        assert any((tmp_path / "kept/vaults").iterdir())

    def test_only_some_variants_and_a_few_questions(
        self, judged: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        chosen = ablations.VARIANTS[2].name
        assert self.run(judged, "--only", chosen, "--limit", 2, "--json", "-") == 0
        captured = capsys.readouterr()
        (variants,) = json.loads(captured.out)["sets"].values()
        assert list(variants) == [ablations.VARIANTS[0].name, chosen]
        assert variants[chosen]["queries"] == 2
        assert "set: 2 questions, judged by note" in captured.err

    def test_what_is_not_there_is_wrong_usage(
        self, judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for arguments, complaint in (
            ((tmp_path,), "holds no vault"),
            ((judged, "--only", "magic"), "no variant magic; there are: as it comes"),
        ):
            with pytest.raises(SystemExit, match="2"):
                self.run(*arguments)
            assert complaint in capsys.readouterr().err
