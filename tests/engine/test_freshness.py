"""What a search says of notes that have changed since they were indexed, on real files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire_engine import Engine
from quire_engine.records import AnswerFinished, AnswerStatus, Hit, SearchResult
from quire_engine.settings import AnswerSettings, Settings

SWIFT = "# Swift\n\n## Nest\n\nThe swift returns to the same nest hole every May.\n"
HERON = "# Heron\n\nThe grey heron fishes in shallow water.\n"
LATER, OLD = 2_000_000_000, 1_500_000_000


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    for name, text in {"Swift.md": SWIFT, "Copy.md": SWIFT, "Heron.md": HERON}.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (OLD, OLD))
    return folder


@pytest.fixture
def engine(vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    with Engine.open(vault, Settings(answer=AnswerSettings(model="extractive"))) as opened:
        assert opened.sync().pending == 0
        yield opened


def hit(result: SearchResult, path: str) -> Hit:
    (found,) = (each for each in result.hits if each.path == path)
    return found


def paths(result: SearchResult) -> set[str]:
    return {each.path for each in result.hits}


class TestUnchanged:
    def test_a_file_as_it_was_is_not_read(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("quire_engine.freshness.read_file", lambda *_: pytest.fail("it is read"))
        result = engine.search("heron in shallow water")
        assert not result.incomplete
        assert not any(each.stale for each in result.hits)

    def test_a_new_time_with_the_same_content_is_no_change(self, engine: Engine, vault: Path) -> None:
        os.utime(vault / "Heron.md", (LATER, LATER))
        result = engine.search("heron in shallow water")
        assert not hit(result, "Heron.md").stale
        assert (result.incomplete, result.left_out) == (False, 0)


class TestChanged:
    def test_a_passage_that_stands_elsewhere_now_is_marked_and_has_its_new_place(
        self, engine: Engine, vault: Path
    ) -> None:
        (vault / "Heron.md").write_text("# Birds\n\nAn introduction.\n\n" + HERON.replace("# H", "## H"))
        result = engine.search("heron in shallow water")
        found = hit(result, "Heron.md")
        assert found.stale
        assert (found.start_line, found.end_line) == (7, 7)
        assert found.headings == ("Birds", "Heron")
        assert result.incomplete
        assert result.left_out == 0

    @pytest.mark.parametrize(
        "now",
        [
            "# Heron\n\nThe grey heron has flown away.\n",
            "# Heron\n\nThe grey heron fishes in shallow waters.\n",
            "# Heron\n\n%%\nThe grey heron fishes in shallow water.\n%%\n",
            "",
        ],
    )
    def test_a_passage_that_is_gone_is_left_out(self, engine: Engine, vault: Path, now: str) -> None:
        (vault / "Heron.md").write_text(now)
        result = engine.search("heron in shallow water", limit=1)
        assert paths(result) <= {"Swift.md", "Copy.md"}
        assert len(result.hits) == 1
        assert result.incomplete
        assert result.left_out == 1

    def test_a_copy_stands_in_for_a_deleted_note(self, engine: Engine, vault: Path) -> None:
        first = engine.search("swift nest hole", limit=1).hits[0]
        (vault / first.path).unlink()
        result = engine.search("swift nest hole", limit=1)
        assert paths(result) == {"Swift.md", "Copy.md"} - {first.path}
        assert result.hits[0].trace.duplicates == ()
        assert result.left_out == 1

    def test_what_took_the_place_of_a_note_outside_the_vault_is_not_read(
        self, engine: Engine, vault: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "outside.md").write_text(HERON)
        (vault / "Heron.md").unlink()
        (vault / "Heron.md").symlink_to(tmp_path / "outside.md")
        result = engine.search("heron in shallow water")
        assert "Heron.md" not in paths(result)
        assert result.left_out == 1

    def test_a_note_written_while_it_was_indexed_is_compared(
        self, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Size, time and file are the same then."""
        monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
        heron = vault / "Heron.md"
        heron.write_text(HERON)
        stamp = heron.stat()
        with Engine.open(vault, Settings()) as engine:
            engine.sync()
            heron.write_text(HERON.replace("heron fishes", "crane fishes"))
            os.utime(heron, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            assert heron.stat().st_size == stamp.st_size
            assert heron.stat().st_ino == stamp.st_ino
            result = engine.search("heron in shallow water")
            assert "Heron.md" not in paths(result)
            assert result.left_out == 1

    def test_no_answer_from_what_is_gone(self, engine: Engine, vault: Path) -> None:
        question = "Where does the grey heron fish?"
        *_, before = engine.ask(question)
        assert isinstance(before, AnswerFinished)
        assert before.answer.status is AnswerStatus.SUPPORTED
        (vault / "Heron.md").write_text("# Heron\n\nTo be written.\n")
        *_, after = engine.ask(question)
        assert isinstance(after, AnswerFinished)
        assert after.answer.status is AnswerStatus.ABSTAINED
        assert after.answer.left_out == 1
        assert after.answer.incomplete

    def test_what_is_gone_further_down_than_what_is_shown_says_nothing(
        self, engine: Engine, vault: Path
    ) -> None:
        assert [each.path for each in engine.search("swift nest hole", limit=2).hits][1:] == ["Heron.md"]
        (vault / "Heron.md").unlink()
        result = engine.search("swift nest hole", limit=1)
        assert (result.incomplete, result.left_out) == (False, 0)
