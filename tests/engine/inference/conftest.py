"""What sentence-transformers itself makes of texts, as the measure for Quire's runtimes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from quire_engine.inference.catalogue import embedding_model_folder

TEXTS = (
    "kiln",
    "Prune the roses in early March, before the buds open.",
    "# Garden > Roses\n\nFeed the roses with compost; mulch keeps the soil moist. " * 3,
    "Der Ofen erreicht 1240 °C und kühlt zwei Tage lang ab.",
    "京都の古い庭には桜の木があります。",
    "كيف أعتني بالورود في الحديقة؟",
    "def fire(kiln: Kiln) -> None:\n    kiln.heat(1240)",
    "",
    "😀 \x00 \u200b ﬁ",
    "A satellite in low orbit circles the planet in ninety minutes. " * 60,
    "x" * 5000,
    "one two three",
)
"""Mixed scripts and lengths, an empty one and two beyond the model's limit among them."""


@dataclass(frozen=True)
class Reference:
    texts: tuple[str, ...]
    vectors: NDArray[np.float32]

    def cosines(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine similarity of each vector to that of sentence-transformers."""
        norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(self.vectors, axis=1)
        found: NDArray[np.float32] = (vectors * self.vectors).sum(axis=1) / norms
        return found


@pytest.fixture(scope="session")
def reference() -> Reference:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(embedding_model_folder("all-MiniLM-L6-v2")), device="cpu", local_files_only=True
    )
    vectors = model.encode(list(TEXTS), batch_size=4, show_progress_bar=False, convert_to_numpy=True)
    return Reference(TEXTS, np.asarray(vectors, dtype=np.float32))
