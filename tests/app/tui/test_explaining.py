"""Why these passages were found, in the interface."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from textual.app import App
from textual.pilot import Pilot

from quire.tui.app import QuireApp
from quire.tui.messages import AnswerEnded
from quire.tui.modals.explanation import ExplanationModal
from quire.tui.screens.ask import AskScreen
from quire_engine.records import AnswerFinished, Omission

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Read = Callable[[App[None]], str]

PLUMS = "When are plum trees pruned, and why? path:Orchard.md"
EVIL = "\x1b]0;owned\x07\x9b2J\u202e[bold red]"


class TestExplanation:
    @pytest.mark.parametrize("size", [(80, 24), (160, 48)])
    async def test_shows_the_plan_and_every_score(
        self, garden: QuireApp, ask: Ask, screen_text: Read, size: tuple[int, int]
    ) -> None:
        async with garden.run_test(size=size) as pilot:
            await ask(pilot, PLUMS)
            assert "F2 Why" in screen_text(garden).splitlines()[-1]
            await pilot.press("f2")
            await pilot.pause()
            assert isinstance(garden.screen, ExplanationModal)
            panel = garden.screen.query_one("#explanation")
            assert garden.screen.region.contains_region(panel.region)
            shown = screen_text(garden)
            assert re.search(r"question +\w+", shown)
            assert re.search(r"only +path Orchard\.md", shown)
            assert re.search(r"wave 1 +critical: \d+ passages?, \d+ tokens; why: the question; scores", shown)
            assert re.search(r"1\. Orchard\.md:\d+", shown)
            assert re.search(r"keyword +\d+\.\d{3} BM25F +#1 .* ━+", shown)
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(garden.screen, AskScreen)

    async def test_there_is_none_before_an_answer(
        self, garden: QuireApp, screen_text: Read, settle: Callable[[Pilot[None]], Awaitable[None]]
    ) -> None:
        async with garden.run_test(size=(100, 30)) as pilot:
            await settle(pilot)
            await pilot.press("f2")
            await pilot.pause()
            assert isinstance(garden.screen, AskScreen)
            assert "Why" not in screen_text(garden)

    async def test_nothing_in_it_commands_the_terminal_or_is_markup(
        self, garden: QuireApp, ask: Ask, screen_text: Read
    ) -> None:
        *_, event = garden.engine.ask(PLUMS)
        assert isinstance(event, AnswerFinished)
        plan, hit = event.answer.plan, event.answer.hits[0]
        assert plan is not None
        hostile = replace(
            event.answer,
            hits=(replace(hit, path=f"{EVIL}.md", trace=replace(hit.trace, duplicates=(f"{EVIL}:1-2",))),),
            standalone=EVIL,
            waves=(replace(event.answer.waves[0], cause=EVIL, stop_reason=EVIL),),
            omitted=(Omission(EVIL, 1, 2, EVIL),),
            notes=(EVIL,),
            plan=replace(plan, query=replace(plan.query, parts=(EVIL, EVIL)), steps=(EVIL,)),
        )
        async with garden.run_test(size=(100, 40)) as pilot:
            await ask(pilot, PLUMS)
            screen = garden.screen
            assert isinstance(screen, AskScreen)
            screen.answering = True
            screen.post_message(AnswerEnded(1, hostile))
            await pilot.pause()
            await pilot.press("f2")
            await pilot.pause()
            shown = screen_text(garden)
        assert shown.count("[bold red]") == 11
        assert not set("\x07\x1b\x9b\u202e") & set(shown)


class TestNotes:
    async def test_what_was_not_understood_is_said(
        self, garden: QuireApp, ask: Ask, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(100, 30), notifications=True) as pilot:
            await ask(pilot, "plum trees since:soon")
            assert [notice.message for notice in garden._notifications] == [
                "'since:soon' is searched as words: give a date as 2024-05-31, or an age as 7d, 2w, 3m or 1y"
            ]
            for _ in range(3000):
                if "is searched as words" in " ".join(screen_text(garden).split()):
                    break
                await pilot.pause(0.01)
            else:
                raise AssertionError("the notice is not shown")
