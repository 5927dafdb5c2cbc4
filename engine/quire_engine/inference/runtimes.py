"""What runs a network, and which one this machine has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch
    from quire_engine.inference.heads import Task
    from quire_engine.interfaces import FloatArray


class Runtime(Protocol):
    """Runs the network; several threads may do so at a time."""

    @property
    def name(self) -> str: ...

    @property
    def batch_tokens(self) -> int:
        """The most tokens, padding included, that a batch should hold; may fall when memory is short."""

    @property
    def parallel(self) -> int:
        """How many batches are computed at a time."""

    def run(self, batches: Iterable[Batch], *, tokens: bool = False) -> Iterator[FloatArray]:
        """What the network makes of each batch, in the order of ``batches``, float32.

        For an embedding, unit vectors of shape (rows, dimensions); else logits of shape (rows, 1). With
        ``tokens``, which is for embeddings, (rows, 1 + length, dimensions): behind the vector of each text
        the states of its tokens, of any length, those of the padding included.

        Looks ahead: the next batch is taken while the one before it is computed.
        """


def runtime_name(settings: EmbeddingSettings) -> str:
    """``torch`` or ``openvino``, as the settings say or this machine suggests."""
    if settings.runtime != "auto":
        return settings.runtime
    return "torch" if _cuda_present() else "openvino"


def open_runtime(folder: Path, digest: str, settings: EmbeddingSettings, task: Task) -> Runtime:
    """The network in ``folder``, whose weights have this SHA-256, ready to run. Raises `ModelError`."""
    if runtime_name(settings) == "torch":
        from quire_engine.inference.torch_runtime import TorchRuntime

        return TorchRuntime(folder, settings, task)
    from quire_engine.inference.openvino_runtime import OpenVINORuntime

    return OpenVINORuntime(folder, digest, settings, task)


def _cuda_present() -> bool:
    """Whether torch is worth importing (over a second): only where an NVIDIA driver is loaded."""
    if not (Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()):
        return False
    import torch

    return bool(torch.cuda.is_available())
