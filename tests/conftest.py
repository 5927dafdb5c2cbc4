"""What all tests share: places that are not the user's, and the parts that are slow to make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import network_guard
import pytest
from hypothesis import HealthCheck, settings

from quire_engine.inference.embedder import SentenceEmbedder, open_embedder
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.chunking.sentences import LanguageTools

# What Quire starts keeps itself off the network; `TestGuard` shows that this process is, too.
network_guard.install()

# No test asserts a time, and fixtures that properties use hold no state.
settings.register_profile(
    "quire", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("quire")


@pytest.fixture(scope="session", autouse=True)
def session_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Settings, data and caches of the session; nothing that the user has set is seen."""
    folder = tmp_path_factory.mktemp("session")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("QUIRE_")]:
            patch.delenv(name)
        patch.setenv("QUIRE_CONFIG", str(folder / "config.toml"))
        patch.setenv("QUIRE_DATA_DIR", str(folder / "data"))
        patch.setenv("QUIRE_CACHE_DIR", str(folder / "cache"))
        patch.setenv("XDG_DATA_HOME", str(folder / "home"))  # for what a test names no place for
        patch.setenv("QUIRE_NO_DAEMON", "1")  # tests of the background engine start one of their own
        yield folder


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest) -> Iterator[None]:
    """None, but for tests that are marked ``loopback``."""
    if request.node.get_closest_marker("loopback") is None:
        yield
        return
    with network_guard.loopback_allowed():
        yield


@pytest.fixture(scope="session")
def model_cache(session_places: Path) -> Path:
    """Where the embedding model is converted, once a session."""
    return session_places / "cache"


@pytest.fixture(scope="session")
def embedder(model_cache: Path) -> SentenceEmbedder:
    """The default model on OpenVINO; its tokenizer is ready, its network loads when first used."""
    return open_embedder(EmbeddingSettings(runtime="openvino"))


@pytest.fixture(scope="session")
def language_tools() -> LanguageTools:
    """spaCy with its rules alone, whatever is installed."""
    from quire_engine.chunking.sentences import LanguageTools

    return LanguageTools()
