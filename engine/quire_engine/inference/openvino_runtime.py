"""Embeddings on the CPU through OpenVINO: converted once, loaded in a fraction of a second."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quire_engine import locations
from quire_engine.errors import ModelError
from quire_engine.inference.embedder import pooling_mode
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

_CONVERSION = 1
"""Raised when the conversion below changes, so that cached conversions are made anew."""


class OpenVINORuntime:
    """Pooling and normalisation are part of the compiled network.

    Precision is bfloat16 where the processor computes it natively (mean cosine to float32 0.99998),
    else float32.
    """

    name = "openvino"
    batch_tokens = 2048
    """Measured on two cores: 82 chunks/s of 155 tokens at 2048 and 4096, 77 at 8192."""

    def __init__(self, folder: Path, digest: str, settings: EmbeddingSettings) -> None:
        """Convert the model unless that was done before, and compile it. Raises `ModelError`."""
        ov = _openvino()
        self._local = threading.local()  # a request serves one thread at a time
        cache = locations.cache_dir() / "openvino"
        try:
            locations.private_dir(cache)
        except OSError as error:
            raise ModelError(
                f"cannot create the cache folder {cache}: {error.strerror}; set QUIRE_CACHE_DIR to another"
            ) from error
        model = cache / f"{digest[:16]}-{_CONVERSION}-{ov.__version__.split('-')[0]}.xml"
        if not model.exists():
            _convert(folder, model)
        core: Any = ov.Core()
        native_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        config: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if native_bf16 else "f32",
            "CACHE_DIR": str(cache / "compiled"),
        }
        if settings.threads:
            config["INFERENCE_NUM_THREADS"] = settings.threads
        try:
            self._compiled = core.compile_model(str(model), "CPU", config)
        except RuntimeError as error:
            # A damaged cache is the usual reason; it can always be made again.
            shutil.rmtree(cache, ignore_errors=True)
            raise ModelError(
                f"OpenVINO could not load the converted model (its cache was removed, try again): {error}"
            ) from error

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> FloatArray:
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        output = self._local.request.infer({"input_ids": ids, "attention_mask": mask})
        vectors: FloatArray = np.array(output[0], dtype=np.float32)
        return vectors


def _openvino() -> Any:
    """The openvino module, without its usage statistics: importing it as it comes reports to Google.

    With the telemetry package hidden, OpenVINO falls back to a stub of its own.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _convert(folder: Path, target: Path) -> None:
    """Write the network in ``folder`` as OpenVINO IR to ``target``, all or nothing."""
    import torch
    from transformers import AutoModel, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    ov = _openvino()
    pooling = pooling_mode(folder)

    class Pooled(torch.nn.Module):
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if pooling == "cls":
                pooled = hidden[:, 0]
            else:
                weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, dim=1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing notes about constants; the tests compare real vectors
        try:
            network = AutoModel.from_pretrained(
                folder, attn_implementation="eager", use_safetensors=True, local_files_only=True
            ).eval()
            example = torch.ones(2, 16, dtype=torch.long)
            dynamic = ov.PartialShape([-1, -1])
            converted = ov.convert_model(
                Pooled(network),
                example_input={"input_ids": example, "attention_mask": example},
                input=[("input_ids", dynamic, ov.Type.i64), ("attention_mask", dynamic, ov.Type.i64)],
            )
        except Exception as error:  # torch, transformers and openvino each raise their own
            raise ModelError(f"embedding model in {folder} cannot be converted: {error}") from error
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        try:
            ov.save_model(converted, str(made), compress_to_fp16=False)
            made.with_suffix(".bin").replace(target.with_suffix(".bin"))
            made.replace(target)  # last: its presence says that the conversion is whole
        except (OSError, RuntimeError) as error:
            raise ModelError(f"cannot write the converted model to {target.parent}: {error}") from error
