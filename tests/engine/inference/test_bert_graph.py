"""The network built from the weights, against transformers' own on the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quire_engine.inference.batches import padded
from quire_engine.inference.bert_graph import bert_graph
from quire_engine.inference.catalogue import embedding_model_folder

TOKENS = [[101, 2003, 2023, 102], [101, 102], [101, *range(2000, 2060), 102]]


def reference(folder: Path, pooling: str, tokens: list[list[int]]) -> Any:
    """Unit vectors by transformers, in float32."""
    import torch
    from transformers import AutoModel

    ids, mask = (torch.from_numpy(part) for part in padded(tokens))
    with torch.inference_mode():
        network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        hidden = network(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        pooled = hidden[:, 0] if pooling == "cls" else (hidden * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(pooled, dim=1).numpy()


def run(model: Any, tokens: list[list[int]]) -> Any:
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ids, mask = padded(tokens)
    return compiled({"input_ids": ids, "attention_mask": mask})[0]


def tiny_bert(folder: Path, **changes: Any) -> Path:
    """A BERT with random weights, saved as transformers saves it."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=90,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=32,
        initializer_range=0.5,
        **changes,
    )
    BertModel(config).save_pretrained(folder)
    return folder


class TestVectors:
    def test_of_the_default_model_are_those_of_transformers(self) -> None:
        folder = embedding_model_folder("all-MiniLM-L6-v2")
        found = run(bert_graph(folder, "mean"), TOKENS)
        assert found.shape == (3, 384)
        assert found == pytest.approx(reference(folder, "mean", TOKENS), abs=1e-5)

    @pytest.mark.parametrize("pooling", ["mean", "cls"])
    def test_of_random_weights_are_those_of_transformers(self, tmp_path: Path, pooling: str) -> None:
        folder = tiny_bert(tmp_path / "bert")
        tokens = [[1, 2, 3, 4, 5], [6], list(range(40, 72))]
        found = run(bert_graph(folder, pooling), tokens)
        assert found == pytest.approx(reference(folder, pooling, tokens), abs=1e-5)

    def test_of_half_precision_weights_are_those_of_transformers(self, tmp_path: Path) -> None:
        from safetensors.numpy import load_file, save_file

        folder = tiny_bert(tmp_path / "bert")
        file = folder / "model.safetensors"
        save_file(
            {f"bert.{name}": array.astype(np.float16) for name, array in load_file(file).items()},
            file,
            {"format": "pt"},
        )
        found = run(bert_graph(folder, "mean"), [[1, 2, 3], [4]])
        assert found == pytest.approx(reference(folder, "mean", [[1, 2, 3], [4]]), abs=2e-3)


class TestOtherArchitectures:
    @pytest.mark.parametrize(
        "change",
        [
            {"model_type": "roberta"},
            {"hidden_act": "relu"},
            {"is_decoder": True},
            {"position_embedding_type": "relative_key"},
        ],
    )
    def test_are_left_to_the_conversion(self, tmp_path: Path, change: dict[str, object]) -> None:
        folder = tiny_bert(tmp_path / "bert")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | change))
        assert bert_graph(folder, "mean") is None

    def test_with_other_tensors_are_left_to_the_conversion(self, tmp_path: Path) -> None:
        from safetensors.numpy import load_file, save_file

        folder = tiny_bert(tmp_path / "bert")
        tensors = load_file(folder / "model.safetensors")
        del tensors["encoder.layer.1.output.dense.bias"]
        save_file(tensors, folder / "model.safetensors")
        assert bert_graph(folder, "mean") is None

    def test_in_bfloat16_are_left_to_the_conversion(self, tmp_path: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        folder = tiny_bert(tmp_path / "bert")
        file = folder / "model.safetensors"
        save_file({name: tensor.to(torch.bfloat16) for name, tensor in load_file(file).items()}, file)
        assert bert_graph(folder, "mean") is None
