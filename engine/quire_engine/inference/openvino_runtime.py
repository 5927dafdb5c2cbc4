"""Networks on the CPU through OpenVINO: converted once, loaded in a fraction of a second."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quire_engine import locations
from quire_engine.errors import ModelError, one_line
from quire_engine.inference.batches import INPUTS
from quire_engine.inference.bert_graph import bert_graph
from quire_engine.inference.heads import MODEL_WORDS, RELEVANCE, Task, head_of, tells_texts_apart
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch
    from quire_engine.interfaces import FloatArray

_CONVERSION = 3
"""Raised when the conversion below changes, so that cached conversions are made anew."""

_FIRST_USE = threading.Lock()


class OpenVINORuntime:
    """Pooling and normalisation, or the head of a cross-encoder, are part of the compiled network.

    Every core works on a batch of its own: cores that share one wait for each other after each operation,
    and long when other programs run (measured, two cores: the same rate on an idle machine, 1.4 times on a
    busy one).

    Precision is bfloat16 where the processor computes it natively (mean cosine to float32 0.99998),
    else float32.
    """

    name = "openvino"
    batch_tokens = 512
    """Measured on one core: 160 GFLOP/s, 153 at 256, 163 at 768. A question waits for one batch at most."""

    def __init__(
        self, folder: Path, digest: str, settings: EmbeddingSettings, task: Task = "embedding"
    ) -> None:
        """Convert the model unless that was done before, and compile it. Raises `ModelError`."""
        ov = _openvino()
        cache = locations.cache_dir() / "openvino"
        kept = digest[:16] if task == "embedding" else f"{task}.{digest[:16]}"
        place = cache / f"{kept}-{_CONVERSION}-{ov.__version__.split('-')[0]}"
        core: Any = ov.Core()
        native_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        config: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": settings.threads or _cores(),
            "INFERENCE_PRECISION_HINT": "bf16" if native_bf16 else "f32",
            "CACHE_DIR": str(place / "compiled"),
            "CACHE_MODE": "OPTIMIZE_SIZE",  # the weights stay in the IR
        }
        if settings.threads:
            config["INFERENCE_NUM_THREADS"] = settings.threads
        model = place / "model.xml"
        if not model.exists():
            _convert(folder, cache, model, task)
        try:
            self._compiled = core.compile_model(str(model), "CPU", config)
        except RuntimeError:
            # A damaged conversion is the usual reason; it can be made again.
            shutil.rmtree(place, ignore_errors=True)
            _convert(folder, cache, model, task)
            try:
                self._compiled = core.compile_model(str(model), "CPU", config)
            except RuntimeError as error:
                raise ModelError(
                    f"OpenVINO cannot run the {MODEL_WORDS[task]} in {folder}: {error}"
                ) from error
        self.parallel = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._streams = ThreadPoolExecutor(self.parallel, thread_name_prefix="quire-openvino")
        self._local = threading.local()
        # When two threads are the first to hand it arrays, openvino waits for one of them while it holds
        # Python's lock, which that one needs: everything stands still. So one thread goes first, alone.
        with _FIRST_USE:
            first = np.ones((1, 2), np.int64)
            self._infer((first, first, first - 1)[: len(self._compiled.inputs)])

    def run(self, batches: Iterable[Batch], *, tokens: bool = False) -> Iterator[FloatArray]:
        """No more batches are begun than there are streams: a question waits for one of them to end."""
        begun: deque[Future[FloatArray]] = deque()
        for batch in batches:
            while len(running := [each for each in begun if not each.done()]) >= self.parallel:
                wait(running, return_when=FIRST_COMPLETED)
            while begun and begun[0].done():
                yield begun.popleft().result()
            begun.append(self._streams.submit(self._infer, batch, tokens=tokens))
        while begun:
            yield begun.popleft().result()

    def _infer(self, batch: Batch, *, tokens: bool = False) -> FloatArray:
        if not hasattr(self._local, "request"):  # it serves one thread at a time
            self._local.request = self._compiled.create_infer_request()
        output = self._local.request.infer(dict(zip(INPUTS, batch, strict=False)))
        rows: FloatArray = np.array(output[0], dtype=np.float32)
        return np.concatenate([rows[:, None], output[1]], axis=1) if tokens else rows


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _openvino() -> Any:
    """The openvino module, without its usage statistics: importing it as it comes reports to Google.

    With the telemetry package hidden, OpenVINO falls back to a stub of its own.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _convert(folder: Path, cache: Path, target: Path, task: Task) -> None:
    """Write the network in ``folder`` as OpenVINO IR to ``target``, all or nothing.

    Conversions of the same weights by other versions are removed.
    """
    head = head_of(folder, task)
    ov = _openvino()
    try:
        converted = bert_graph(folder, head) or _traced(folder, head)
    except Exception as error:  # safetensors, torch, transformers and openvino each raise their own
        raise ModelError(f"{MODEL_WORDS[task]} in {folder} cannot be converted: {one_line(error)}") from error
    try:
        locations.private_dir(cache)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch) / target.name
            ov.save_model(converted, str(made), compress_to_fp16=False)
            target.parent.mkdir(exist_ok=True)
            made.with_suffix(".bin").replace(target.with_suffix(".bin"))
            made.replace(target)  # last: its presence says that the conversion is whole
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"cannot write the converted model to {cache}: {error}; set QUIRE_CACHE_DIR to another folder"
        ) from error
    kept = target.parent.name.partition("-")[0]
    for other in cache.glob(f"{kept}-*"):
        if other != target.parent:
            shutil.rmtree(other, ignore_errors=True)


def _traced(folder: Path, head: str) -> Any:
    """The network as torch and transformers compute it, for architectures that `bert_graph` does not know."""
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    ov = _openvino()

    class Pooled(torch.nn.Module):
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if head == "cls":
                pooled = hidden[:, 0]
            else:
                weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, dim=1), hidden

    class Relevance(torch.nn.Module):
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> Any:
            types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            return self.network(input_ids=input_ids, attention_mask=attention_mask, **types).logits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing notes about constants; the tests compare real outputs
        relevance = head == RELEVANCE
        network = (AutoModelForSequenceClassification if relevance else AutoModel).from_pretrained(
            folder, attn_implementation="eager", use_safetensors=True, local_files_only=True
        )
        example = torch.ones(2, 16, dtype=torch.long)
        dynamic = ov.PartialShape([-1, -1])
        typed = relevance and tells_texts_apart(network.config.to_dict())
        inputs = INPUTS if typed else INPUTS[:2]
        return ov.convert_model(
            (Relevance if relevance else Pooled)(network.eval()),
            example_input={name: example if name != INPUTS[2] else example - 1 for name in inputs},
            input=[(name, dynamic, ov.Type.i64) for name in inputs],
        )
