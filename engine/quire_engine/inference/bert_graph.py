"""A BERT encoder as an OpenVINO network, straight from its weights: no torch, a fraction of a second.

Architecture: Devlin et al. (2019), as `transformers.BertModel` computes it in inference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quire_engine.inference.batches import INPUTS
from quire_engine.inference.heads import RELEVANCE, tells_texts_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MASKED = -10_000.0
"""Added to the attention score of padding; finite also in half precision, and its exponential is 0."""


def bert_graph(folder: Path, head: str) -> Any | None:
    """The network in ``folder`` as an `openvino.Model`, or ``None`` when it is not a plain BERT encoder.

    Inputs: ``input_ids`` and ``attention_mask``, int64 of shape (batch, length). Outputs, when ``head`` pools
    (``mean`` or ``cls``): unit vectors, float32 of shape (batch, dimensions), and the states of the tokens
    that they were pooled from, (batch, length, dimensions). The head ``relevance`` is
    that of `transformers.BertForSequenceClassification`: ``token_type_ids`` are a third input, unless the
    model knows a single type, and the output is one logit a row, of shape (batch, 1). Raises whatever reading
    files raises.
    """
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu" or config.get("is_decoder"):
        return None
    if config.get("position_embedding_type", "absolute") != "absolute":
        return None
    try:
        tensors = load_file(folder / "model.safetensors")
    except TypeError:  # numpy has no bfloat16
        return None
    weights = {name.removeprefix("bert."): array for name, array in tensors.items()}
    try:
        return _Graph(config, weights).model(head)
    except KeyError:  # a tensor or a dimension under a name that BertModel does not use
        return None


class _Graph:
    def __init__(self, config: dict[str, Any], weights: dict[str, NDArray[Any]]) -> None:
        from openvino import opset13

        self._op: Any = opset13
        self._weights = weights
        self._layers = int(config["num_hidden_layers"])
        self._heads = int(config["num_attention_heads"])
        self._width = int(config["hidden_size"])
        self._epsilon = float(config["layer_norm_eps"])
        self._typed = tells_texts_apart(config)

    def model(self, head: str) -> Any:
        from openvino import Model

        op = self._op
        inputs = []
        for name in INPUTS if head == RELEVANCE and self._typed else INPUTS[:2]:
            parameter = op.parameter([-1, -1], np.int64, name=name)
            parameter.output(0).set_names({name})
            inputs.append(parameter)
        ids, mask = inputs[0], op.convert(inputs[1], "f32")
        bias = op.multiply(op.subtract(mask, self._number(1.0)), self._number(-_MASKED))
        bias = op.unsqueeze(bias, self._integers(1, 2))
        hidden = self._embedded(ids, *inputs[2:])
        for layer in range(self._layers):
            hidden = self._layer(hidden, bias, f"encoder.layer.{layer}")
        if head == RELEVANCE:
            return Model([self._relevance(self._first(hidden))], inputs, "bert")
        pooled = self._mean(hidden, mask) if head == "mean" else self._first(hidden)
        vectors = op.normalize_l2(pooled, self._integers(1), 1e-12, "max")
        return Model([vectors, hidden], inputs, "bert")

    def _embedded(self, ids: Any, types: Any | None = None) -> Any:
        op = self._op
        positions = self._weight("embeddings.position_embeddings.weight")
        of_types = self._weight("embeddings.token_type_embeddings.weight")
        if types is None:  # every token is of type 0, whose embedding is added once and for all
            positions = positions + of_types[0]
        length = op.gather(op.shape_of(ids), self._integers(1), self._integers(0))
        begin, step, axis = self._integers(0), self._integers(1), self._integers(0)
        used = op.slice(op.constant(positions), begin, length, step, axis)
        words = op.constant(self._weight("embeddings.word_embeddings.weight"))
        words = op.gather(words, ids, op.constant(np.int64(0)))
        if types is not None:
            words = op.add(words, op.gather(op.constant(of_types), types, op.constant(np.int64(0))))
        return self._norm(op.add(words, op.unsqueeze(used, self._integers(0))), "embeddings.LayerNorm")

    def _layer(self, hidden: Any, bias: Any, name: str) -> Any:
        op = self._op
        query, key, value = (
            self._split(self._linear(hidden, f"{name}.attention.self.{part}"))
            for part in ("query", "key", "value")
        )
        context = op.scaled_dot_product_attention(query, key, value, bias)
        context = op.transpose(context, self._integers(0, 2, 1, 3))
        context = op.reshape(context, self._integers(0, 0, self._width), True)
        context = self._linear(context, f"{name}.attention.output.dense")
        hidden = self._norm(op.add(context, hidden), f"{name}.attention.output.LayerNorm")
        inner = op.gelu(self._linear(hidden, f"{name}.intermediate.dense"), "erf")
        inner = self._linear(inner, f"{name}.output.dense")
        return self._norm(op.add(inner, hidden), f"{name}.output.LayerNorm")

    def _split(self, hidden: Any) -> Any:
        """(batch, length, width) to (batch, heads, length, width of a head)."""
        shape = self._integers(0, 0, self._heads, self._width // self._heads)
        return self._op.transpose(self._op.reshape(hidden, shape, True), self._integers(0, 2, 1, 3))

    def _linear(self, hidden: Any, name: str) -> Any:
        op = self._op
        product = op.matmul(hidden, op.constant(self._weight(f"{name}.weight")), False, True)
        return op.add(product, op.constant(self._row(f"{name}.bias")))

    def _norm(self, hidden: Any, name: str) -> Any:
        op = self._op
        normal = op.mvn(hidden, self._integers(-1), True, self._epsilon, "inside_sqrt")
        scaled = op.multiply(normal, op.constant(self._row(f"{name}.weight")))
        return op.add(scaled, op.constant(self._row(f"{name}.bias")))

    def _mean(self, hidden: Any, mask: Any) -> Any:
        op = self._op
        total = op.reduce_sum(op.multiply(hidden, op.unsqueeze(mask, self._integers(2))), self._integers(1))
        count = op.reduce_sum(mask, self._integers(1), True)
        return op.divide(total, op.maximum(count, self._number(1e-9)))

    def _first(self, hidden: Any) -> Any:
        return self._op.gather(hidden, self._op.constant(np.int64(0)), self._op.constant(np.int64(1)))

    def _relevance(self, first: Any) -> Any:
        """(batch, width) to (batch, outputs), by the pooler and the classifier."""
        op = self._op
        for name in ("pooler.dense", "classifier"):
            product = op.matmul(first, op.constant(self._weight(f"{name}.weight")), False, True)
            first = op.add(product, op.constant(self._weight(f"{name}.bias").reshape(1, -1)))
            if name != "classifier":
                first = op.tanh(first)
        return first

    def _weight(self, name: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(self._weights[name], dtype=np.float32)

    def _row(self, name: str) -> NDArray[np.float32]:
        return self._weight(name).reshape(1, 1, -1)

    def _integers(self, *values: int) -> Any:
        return self._op.constant(np.array(values, dtype=np.int64))

    def _number(self, value: float) -> Any:
        return self._op.constant(np.float32(value))
