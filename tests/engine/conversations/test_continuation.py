"""What of an answer is kept for the questions that follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire_engine.conversations.continuation import NEW, Continuation
from quire_engine.conversations.store import ConversationStore
from quire_engine.records import Answer, AnswerStatus, Message


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        (AnswerStatus.SUPPORTED, ("passages", "Dogs fly [1].")),
        (AnswerStatus.PARTIAL, ("passages", "Dogs fly [1].")),
        (AnswerStatus.ABSTAINED, ("", "")),
    ],
)
def test_a_reply_of_which_nothing_was_shown_is_not_kept(
    status: AnswerStatus, kept: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    store = ConversationStore(tmp_path)
    answer = Answer(
        question="Do dogs fly?", status=status, text="Text.", citations=(), waves=(), model="tiny",
        generation=1, incomplete=False, messages=(Message("user", "passages"),), reply="Dogs fly [1].",
    )  # fmt: skip
    given = Continuation.of(store, NEW, kept=True).kept("Do dogs fly?", answer)
    (turn,) = store.get(given.conversation).turns
    assert (turn.prompt, turn.reply) == kept
    assert turn.text == "Text."
    assert given.reply == answer.reply
