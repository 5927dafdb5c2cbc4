from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.pooling import pooling_mode


@pytest.mark.parametrize(
    ("config", "mode"),
    [({"pooling_mode_mean_tokens": True}, "mean"), ({"pooling_mode_cls_token": True}, "cls")],
)
def test_is_what_the_model_says(tmp_path: Path, config: dict[str, bool], mode: str) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(config))
    assert pooling_mode(tmp_path) == mode


def test_another_way_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(ModelError, match="pools in a way"):
        pooling_mode(tmp_path)


def test_a_model_that_does_not_say_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="1_Pooling"):
        pooling_mode(tmp_path)


def test_of_the_default_model_is_the_mean() -> None:
    assert pooling_mode(embedding_model_folder("all-MiniLM-L6-v2")) == "mean"
