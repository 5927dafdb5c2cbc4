"""Starts `victim.py` and tells it what to do."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from .partner import Partner

SLAB = 32
"""The most texts that a victim embeds at once."""


class Victims:
    """The process that starts those that are killed, or run out of room."""

    def __init__(self, vault: Path) -> None:
        self._vault = vault
        self._partner = Partner("victim.py", TOKENIZERS_PARALLELISM="false")

    def sync(self, data: Path, **order: Any) -> dict[str, Any]:
        """What became of a process that syncs the vault, with its index below ``data``."""
        log = data.with_suffix(".log")
        log.touch()
        order |= {"vault": str(self._vault), "data": str(data), "log": str(log), "slab": SLAB}
        self._partner.say(json.dumps(order))
        result: dict[str, Any] = json.loads(self._partner.hear())
        assert "crash" not in result, result["crash"]
        return result

    def finish(self, data: Path) -> dict[str, Any]:
        """Sync to the end."""
        result = self.sync(data)
        assert not result["killed"]
        assert "error" not in result, result["error"]
        assert result["pending"] == 0
        return result

    def close(self) -> None:
        self._partner.end()


def index_in(data: Path) -> Path:
    """The folder of the only index below ``data``."""
    (folder,) = (data / "vaults").iterdir()
    return folder


def embedded(data: Path) -> Counter[str]:
    """How often each text was embedded for the index below ``data``."""
    return Counter(data.with_suffix(".log").read_text().split())


def copied(base: Path | None, place: Path) -> Path:
    """An index to be worked on: a copy of ``base``, or none yet."""
    shutil.rmtree(place, ignore_errors=True)
    place.with_suffix(".log").unlink(missing_ok=True)
    if base is not None:
        shutil.copytree(base, place)
    return place
