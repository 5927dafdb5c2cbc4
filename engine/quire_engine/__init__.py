"""Quire's engine: finds, answers and cites. Knows no screen.

Public names load on first use (PEP 562), so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quire_engine._version import __version__

if TYPE_CHECKING:
    from quire_engine.engine import AskOptions, Engine
    from quire_engine.evaluation.comparison import compare
    from quire_engine.evaluation.judgements import read_queries
    from quire_engine.evaluation.runner import by_field, evaluate
    from quire_engine.evaluation.runs import load_run, run_of, save_run
    from quire_engine.inference.catalogue import catalogue
    from quire_engine.inference.download import pull_model
    from quire_engine.inference.installed import installed_models, verify_model
    from quire_engine.settings import Settings
    from quire_engine.vault.links import find_subpath, section_span

_LAZY = {
    "by_field": "quire_engine.evaluation.runner",
    "compare": "quire_engine.evaluation.comparison",
    "evaluate": "quire_engine.evaluation.runner",
    "load_run": "quire_engine.evaluation.runs",
    "read_queries": "quire_engine.evaluation.judgements",
    "run_of": "quire_engine.evaluation.runs",
    "save_run": "quire_engine.evaluation.runs",
    "find_subpath": "quire_engine.vault.links",
    "section_span": "quire_engine.vault.links",
    "AskOptions": "quire_engine.engine",
    "Engine": "quire_engine.engine",
    "Settings": "quire_engine.settings",
    "catalogue": "quire_engine.inference.catalogue",
    "installed_models": "quire_engine.inference.installed",
    "pull_model": "quire_engine.inference.download",
    "verify_model": "quire_engine.inference.installed",
}

__all__ = [
    "AskOptions",
    "Engine",
    "Settings",
    "__version__",
    "by_field",
    "catalogue",
    "compare",
    "evaluate",
    "find_subpath",
    "installed_models",
    "load_run",
    "pull_model",
    "read_queries",
    "run_of",
    "save_run",
    "section_span",
    "verify_model",
]


def __getattr__(name: str) -> Any:
    try:
        module = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
