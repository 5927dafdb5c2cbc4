"""The history of a vault, in a real file."""

from __future__ import annotations

import multiprocessing
import os
import stat
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from quire_engine.conversations.store import ConversationStore
from quire_engine.errors import ConfigError, StoreError
from quire_engine.records import AnswerStatus, Citation, Turn

PROOF = Citation(1, "Garden/Roses.md", ("Roses", "Pruning"), 9, 10, 'Prune "them" in\nMarch.', True, 0.9)


def turn(question: str, text: str = "In March. [1]", asked: float = 1_000.0, standalone: str = "") -> Turn:
    return Turn(
        0, asked, question, standalone, text, AnswerStatus.SUPPORTED, (PROOF,), "tiny", 7, "prompt", "reply"
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConversationStore:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "vault").mkdir()
    return ConversationStore(tmp_path / "vault")


class TestKeeping:
    def test_a_turn_comes_back_as_it_was_given(self, store: ConversationStore) -> None:
        given = turn("When?", standalone="When should I prune?")
        kept = store.append(None, given)
        (found,) = store.get(kept.id).turns
        assert found.number == 1
        assert (found.question, found.standalone, found.text) == (
            given.question,
            given.standalone,
            given.text,
        )
        assert found.citations == (PROOF,)
        assert (found.status, found.model, found.generation) == (given.status, "tiny", 7)
        assert (found.prompt, found.reply) == ("prompt", "reply")

    def test_turns_are_numbered_in_their_conversation(self, store: ConversationStore) -> None:
        one, other = store.append(None, turn("a")), store.append(None, turn("b"))
        store.append(one.id, turn("c", asked=2_000.0))
        again = store.get(one.id)
        assert [(t.number, t.question) for t in again.turns] == [(1, "a"), (2, "c")]
        assert (again.title, again.started, again.updated) == ("a", 1_000.0, 2_000.0)
        assert len(store.get(other.id).turns) == 1

    def test_old_turns_lose_what_a_model_was_told(self, store: ConversationStore) -> None:
        long = replace(turn("first"), prompt="Larkfield " * 5000, reply="Thornbury")
        kept = store.append(None, long)
        other = store.append(None, long)
        sizes = []
        for number in range(2, 40):
            store.append(kept.id, replace(long, question=f"question {number}"))
            sizes.append(store.path.stat().st_size)
        turns = store.get(kept.id).turns
        assert {(t.prompt, t.reply) for t in turns[:-8]} == {("", "")}
        assert {(t.prompt, t.reply) for t in turns[-8:]} == {(long.prompt, long.reply)}
        assert {(t.text, t.citations) for t in turns} == {(long.text, long.citations)}
        assert sizes[-1] < sizes[7] + len(long.prompt)
        assert store.get(other.id).turns[0].prompt == long.prompt

    def test_the_last_is_the_one_that_was_continued_last(self, store: ConversationStore) -> None:
        assert store.last() is None
        one = store.append(None, turn("a", asked=1.0))
        store.append(None, turn("b", asked=2.0))
        store.append(one.id, turn("c", asked=3.0))
        found = store.last()
        assert found is not None
        assert found.id == one.id
        assert [entry.title for entry in store.entries()] == ["a", "b"]
        assert [entry.turns for entry in store.entries(1)] == [2]

    @pytest.mark.parametrize(
        "text", ["\x00\x1b[31m", "\udce9 lone", "'; DROP TABLE turns; --", "x" * 100_000]
    )
    def test_hostile_text_is_kept(self, store: ConversationStore, text: str) -> None:
        kept = store.append(None, turn(f"q {text}", text))
        found = store.get(kept.id).turns[0]
        assert found.text == text.replace("\udce9", "\ufffd")
        assert len(store.entries()) == 1

    def test_several_processes_may_write(self, store: ConversationStore) -> None:
        kept = store.append(None, turn("first"))
        context = multiprocessing.get_context("spawn")
        vault = store.path.parents[2] / "vault"
        workers = [context.Process(target=_write, args=(str(vault), kept.id, n)) for n in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0]
        numbers = [t.number for t in store.get(kept.id).turns]
        assert numbers == list(range(1, 22))


def _write(vault: str, identity: str, worker: int) -> None:
    store = ConversationStore(Path(vault))
    for number in range(10):
        store.append(identity, turn(f"{worker} {number}"))


class TestFinding:
    def test_an_id_may_be_shortened_while_it_is_clear(self, store: ConversationStore) -> None:
        found = [store.append(None, turn(str(n))).id for n in range(17)]
        shared = next(a for a in found if any(a != b and a[0] == b[0] for b in found))
        assert store.get(found[0].upper()).id == found[0]
        with pytest.raises(ConfigError, match="several conversations begin with"):
            store.get(shared[0])

    @pytest.mark.parametrize("identity", ["", "%", "_", "zz", "' OR 1=1", "0" * 40, "\x00"])
    def test_what_is_no_id_finds_none(self, store: ConversationStore, identity: str) -> None:
        store.append(None, turn("a"))
        with pytest.raises(ConfigError, match="there is no conversation"):
            store.get(identity)

    def test_questions_and_answers_are_searched_by_their_stems(self, store: ConversationStore) -> None:
        garden = store.append(None, turn("How are roses pruned?", "In March. [1]"))
        store.append(garden.id, turn("And the kiln?", "It reaches 1240 degrees."))
        store.append(None, turn("京都の庭には何がありますか。", "古い桜の木。"))
        assert [c.id for c in store.search("pruning march")] == [garden.id]
        assert [t.number for t in store.search("degree")[0].turns] == [2]
        assert len(store.search("京都")) == 1
        assert store.search("pruning degrees") == ()
        assert store.search("unicorn") == ()

    @pytest.mark.parametrize(
        "words", ['"', "a OR b", "roses*", "NEAR(", "terms:roses", "-x ^", "\x00", "'", "", "🙂"]
    )
    def test_a_search_has_no_syntax(self, store: ConversationStore, words: str) -> None:
        store.append(None, turn("roses"))
        found = store.search(words)
        assert bool(found) is (words in ("roses*",))

    def test_what_was_not_written_yet_is_empty(self, store: ConversationStore) -> None:
        assert store.entries() == ()
        assert store.search("roses") == ()
        assert store.delete_all() == 0
        assert not store.path.exists()


class TestDeleting:
    def test_nothing_of_it_stays_in_the_file(self, store: ConversationStore) -> None:
        secret = "Rumpelstilzchen"
        kept = store.append(None, turn(f"What is {secret}?", f"{secret} is a name."))
        other = store.append(None, turn("roses"))
        assert secret.encode() in store.path.read_bytes()
        store.delete(kept.id)
        left = store.path.read_bytes()
        assert secret.encode() not in left
        assert secret.lower()[:12].encode() not in left
        assert store.search(secret) == ()
        assert [entry.id for entry in store.entries()] == [other.id]
        store.delete(kept.id)

    def test_all_are_deleted_with_what_was_set_aside(self, store: ConversationStore) -> None:
        store.append(None, turn("a"))
        store.path.write_bytes(b"no database at all" * 100)
        store.append(None, turn("b"))
        store.append(None, turn("c"))
        assert store.delete_all() == 2
        assert store.entries() == ()
        assert [file.name for file in store.path.parent.iterdir()] == [store.path.name]


class TestTrouble:
    def test_it_is_the_users_alone(self, store: ConversationStore) -> None:
        before = os.umask(0)
        try:
            store.append(None, turn("a"))
        finally:
            os.umask(before)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (store.path, store.path.parent)}
        assert modes == {0o600, 0o700}

    def test_a_damaged_file_is_set_aside(self, store: ConversationStore) -> None:
        store.append(None, turn("a"))
        damaged = b"no database at all" * 100
        store.path.write_bytes(damaged)
        assert store.entries() == ()
        (problem,) = store.problems()
        assert "set aside" in problem
        assert store.problems() == ()
        store.append(None, turn("b"))
        assert [entry.title for entry in store.entries()] == ["b"]
        assert any(file.read_bytes() == damaged for file in store.path.parent.iterdir())

    def test_another_programs_database_is_no_history(self, store: ConversationStore) -> None:
        store.path.parent.mkdir(parents=True)
        other = apsw.Connection(str(store.path))
        other.execute("CREATE TABLE conversations (id)")
        other.close()
        store.append(None, turn("a"))
        assert len(store.entries()) == 1
        assert len(store.problems()) == 1

    def test_a_newer_quires_file_is_left_alone(self, store: ConversationStore) -> None:
        store.append(None, turn("a"))
        newer = apsw.Connection(str(store.path))
        newer.execute("PRAGMA user_version = 99")
        newer.close()
        with pytest.raises(StoreError, match="newer Quire"):
            store.append(None, turn("b"))
        with pytest.raises(StoreError, match="newer Quire"):
            store.entries()

    @pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
    def test_a_read_only_place_can_still_be_read(self, store: ConversationStore) -> None:
        store.append(None, turn("a"))
        store.path.chmod(0o400)
        store.path.parent.chmod(0o500)
        try:
            assert len(store.entries()) == 1
        finally:
            store.path.parent.chmod(0o700)

    def test_a_place_that_cannot_be_used_is_said_in_one_line(self, store: ConversationStore) -> None:
        store.path.parent.parent.mkdir(parents=True)
        store.path.parent.write_text("a file in the folder's place")
        with pytest.raises(StoreError) as raised:
            store.append(None, turn("a"))
        assert "\n" not in str(raised.value)

    def test_a_history_outlives_its_index(self, tmp_path: Path, store: ConversationStore) -> None:
        from quire_engine import Engine

        (tmp_path / "vault" / "Note.md").write_text("# Note\n\nText.\n")
        kept = store.append(None, turn("a"))
        Engine.open(tmp_path / "vault").close()
        Engine.open(tmp_path / "vault", discard=True).close()
        assert store.get(kept.id).turns[0].question == "a"
