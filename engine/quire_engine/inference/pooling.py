"""How a sentence-transformers model makes one vector of its tokens'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quire_engine.errors import ModelError


def pooling_mode(folder: Path) -> str:
    """``mean`` or ``cls``, as the model's own configuration says. Raises `ModelError` for another."""
    try:
        config: dict[str, Any] = json.loads((folder / "1_Pooling" / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"embedding model in {folder} has no readable 1_Pooling/config.json") from error
    if config.get("pooling_mode_mean_tokens"):
        return "mean"
    if config.get("pooling_mode_cls_token"):
        return "cls"
    raise ModelError(f"embedding model in {folder} pools in a way that Quire cannot run")
