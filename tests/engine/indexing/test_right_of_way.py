"""Questions go first."""

from __future__ import annotations

import threading

import pytest

from quire_engine.indexing.right_of_way import RightOfWay


def test_background_work_waits_until_the_last_question_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    way = RightOfWay()
    order: list[str] = []
    begun = threading.Event()

    def work() -> None:
        begun.set()
        way.give_way()
        order.append("work")

    monkeypatch.setattr("quire_engine.indexing.right_of_way._PATIENCE", 60.0)
    with way:
        with way:
            thread = threading.Thread(target=work)
            thread.start()
            assert begun.wait(30)
        order.append("answered")
    thread.join(30)
    assert order == ["answered", "work"]


def test_an_answer_has_it_from_its_first_step_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    way = RightOfWay()
    order: list[str] = []
    begun = threading.Event()

    def work() -> None:
        begun.set()
        way.give_way()
        order.append("work")

    monkeypatch.setattr("quire_engine.indexing.right_of_way._PATIENCE", 60.0)
    answer = way.over(iter(["a", "b"]))
    way.give_way()
    assert next(answer) == "a"
    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    order.append("closed")
    answer.close()  # type: ignore[attr-defined]
    thread.join(30)
    assert order == ["closed", "work"]
    assert list(way.over(iter(["a", "b"]))) == ["a", "b"]
    way.give_way()


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire_engine.indexing.right_of_way._PATIENCE", 0.01)
    way = RightOfWay()
    with way:
        way.give_way()


def test_without_questions_there_is_nothing_to_wait_for() -> None:
    way = RightOfWay()
    with way:
        pass
    way.give_way()
