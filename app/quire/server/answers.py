"""From an inquiry to the events of its answer; runs in a worker thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from typing import Literal

from quire import contract
from quire.contract import Json
from quire.inquiry import Inquiry
from quire.server.vaults import OpenVault, OpenVaults
from quire_engine.errors import IndexLockedError

log = logging.getLogger(__name__)

_PATIENCE = 30.0
"""Seconds that a question waits for the index; after that it is answered from what is there."""


def events(
    vaults: OpenVaults, kind: Literal["search", "ask"], inquiry: Inquiry, cancelled: threading.Event
) -> Generator[Json, None, None]:
    """``note`` and ``progress`` events, then those of the answer; closing the iterator cancels.

    Raises `QuireError` as the same command does in process.
    """
    begun = time.perf_counter()
    choice = inquiry.choice
    folder = choice.vault
    if choice.remark:
        yield {"type": "note", "text": choice.remark}
    with vaults.use(folder, choice.settings) as vault:
        fresh = not inquiry.sync or (yield from _freshen(vault, cancelled))
        settled = time.perf_counter()
        if cancelled.is_set():
            return
        with inquiry.events(kind, vault.engine, fresh=fresh) as answer:
            yield from answer
    log.info(
        "%s in %s: %.0f ms, %.0f of them for the index",
        *(kind, folder, (time.perf_counter() - begun) * 1000, (settled - begun) * 1000),
    )


def _freshen(vault: OpenVault, cancelled: threading.Event) -> Generator[Json, None, bool]:
    waiting = vault.freshen(_PATIENCE, cancelled)
    try:
        while True:
            yield {"type": "progress", **contract.progress(next(waiting))}
    except StopIteration as end:
        if not end.value:
            yield {"type": "note", "text": "the index is not up to date yet; going on with what is there"}
        return bool(end.value)
    except IndexLockedError:
        yield {"type": "note", "text": "another process is updating the index; going on with what is there"}
        return False
