"""From an inquiry to the events of its answer; runs in a worker thread."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Generator
from typing import Literal

from quire import contract
from quire.choice import Choice
from quire.contract import Json
from quire.inquiry import Inquiry
from quire.server.vaults import OpenVault, OpenVaults, WatchEnded
from quire_engine.errors import IndexLockedError, IndexReadOnlyError

log = logging.getLogger(__name__)

_PATIENCE = {"search": 3.0, "ask": 30.0}
"""Seconds that a question waits for notes that are being read, and is then answered from what is there.

To abstain because of notes that are not read yet would be wrong; a list of hits says what it is made of.
"""


def events(
    vaults: OpenVaults, kind: Literal["search", "ask"], inquiry: Inquiry, cancelled: threading.Event
) -> Generator[Json, None, None]:
    """``note`` and ``progress`` events, then those of the answer; closing the iterator cancels.

    Raises `QuireError` as the same command does in process.
    """
    choice = inquiry.choice
    if choice.remark:
        yield {"type": "note", "text": choice.remark}
    try:
        yield from _answered(vaults, kind, inquiry, choice, cancelled)
    except WatchEnded:  # nothing is said yet; what lies there now is opened
        yield from _answered(vaults, kind, inquiry, choice, cancelled)


def _answered(
    vaults: OpenVaults,
    kind: Literal["search", "ask"],
    inquiry: Inquiry,
    choice: Choice,
    cancelled: threading.Event,
) -> Generator[Json, None, None]:
    begun = time.perf_counter()
    folder = choice.vault
    with vaults.use(folder, choice.settings) as vault:
        patience = math.inf if inquiry.fresh else _PATIENCE[kind]
        current = not inquiry.sync or (yield from _freshen(vault, patience, cancelled))
        settled = time.perf_counter()
        if cancelled.is_set():
            return
        with inquiry.events(kind, vault.engine, current=current, cancelled=cancelled.is_set) as answer:
            yield from answer
    log.info(
        "%s in %s: %.0f ms, %.0f of them for the index",
        *(kind, folder, (time.perf_counter() - begun) * 1000, (settled - begun) * 1000),
    )


def _freshen(vault: OpenVault, patience: float, cancelled: threading.Event) -> Generator[Json, None, bool]:
    waiting = vault.freshen(patience, cancelled)
    try:
        while True:
            yield {"type": "progress", **contract.progress(next(waiting))}
    except StopIteration as end:
        if not end.value:
            reading = vault.reading
            far = (
                f"{reading.done:,} of {reading.total:,} notes are read so far"
                if reading
                else "the index is not up to date yet"
            )
            yield {"type": "note", "text": f"{far}; going on with what is there"}
        return bool(end.value)
    except (IndexLockedError, IndexReadOnlyError) as error:
        yield {"type": "note", "text": f"going on with the index as it is: {error}"}
        return False
