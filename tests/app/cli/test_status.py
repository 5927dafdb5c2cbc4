"""The state of an index as people see it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quire.cli.status import status_lines
from quire.cli.terminal import Palette
from quire_engine.records import IndexStatus, SyncProgress, TopicStatus

Quire = Callable[..., Any]

STATUS = IndexStatus(
    vault="/v",
    index="/i",
    generation=3,
    notes=1200,
    chunks=5,
    vectors=4,
    pending=0,
    indexing=None,
    embedding=None,
    topics=(TopicStatus("Garden", 2, 5),),
    skipped=(),
    warnings=(),
    unresolved_links=0,
    disk_bytes=10,
    last_sync=None,
    embedding_model="m",
    embedding_runtime="openvino",
    answer_model=None,
)


def shown(status: IndexStatus) -> str:
    return "\n".join(status_lines(status, Palette(False), now=0.0))


class TestProgress:
    def test_both_are_shown_with_the_time_left(self) -> None:
        lines = shown(
            replace(
                STATUS,
                pending=1,
                indexing=SyncProgress("index", 30, 1200, 400.0, 2.9),
                embedding=SyncProgress("embed", 4, 5, 50.0, 61.0),
            )
        ).splitlines()
        assert "indexing  30/1,200  400 notes/s  0:03 left" in lines
        assert "embedding 4/5  50 chunks/s  1:01 left" in lines

    def test_nothing_is_said_when_nothing_is_under_way(self) -> None:
        assert "indexing" not in shown(STATUS)
        assert "embedding" not in shown(STATUS)

    def test_time_is_left_out_while_nobody_works(self) -> None:
        waiting = replace(STATUS, pending=1, embedding=SyncProgress("embed", 4, 5))
        assert "embedding 4/5" in shown(waiting).splitlines()

    def test_work_whose_extent_is_not_known_yet_has_words(self) -> None:
        assert "indexing  looking for changes" in shown(replace(STATUS, indexing=SyncProgress("scan", 0, 0)))


class TestAVaultThatIsGone:
    @pytest.mark.parametrize("emptied", [False, True])
    def test_every_command_says_so_alike(self, quire: Quire, own_vault: Path, emptied: bool) -> None:
        assert quire("index", str(own_vault)).code == 0
        shutil.rmtree(own_vault)
        if emptied:
            own_vault.mkdir()
        vault = ("--vault", str(own_vault))
        ask = ("ask", "When are roses pruned?", "--no-sync")
        for command in (("search", "roses"), ("search", "roses", "--no-sync"), ask, ("index",)):
            outcome = quire(*command, *vault)
            assert outcome.code == 1
            assert "is the drive mounted? Nothing was deleted" in outcome.err
            assert outcome.err.count("\n") == 1
        status = quire("status", *vault)
        assert "is the drive mounted?" in status.err
        assert "is the drive mounted?" in quire("doctor", *vault).out if emptied else status.code == 1
