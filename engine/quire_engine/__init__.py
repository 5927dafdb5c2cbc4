"""Quire's engine: finds, answers and cites. Knows no screen.

Public names load on first use (PEP 562), so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quire_engine._version import __version__

if TYPE_CHECKING:
    from quire_engine.asking import AskOptions
    from quire_engine.conversations.export import export_markdown
    from quire_engine.conversations.store import ConversationStore
    from quire_engine.engine import Engine
    from quire_engine.evaluation.answer_comparison import compare_answers
    from quire_engine.evaluation.answers import answer_groups, evaluate_answers
    from quire_engine.evaluation.comparison import compare
    from quire_engine.evaluation.judged_set import read_set, verdicts
    from quire_engine.evaluation.judgements import read_queries
    from quire_engine.evaluation.questions import has_questions, read_questions
    from quire_engine.evaluation.runner import by_field, evaluate
    from quire_engine.evaluation.runs import load_run, run_of, save_run
    from quire_engine.evaluation.starter import write_starter_set
    from quire_engine.inference.catalogue import catalogue
    from quire_engine.inference.download import pull_model
    from quire_engine.inference.installed import installed_models, verify_model
    from quire_engine.replaying.files import check_target, load_answer_run, run_document, save_document
    from quire_engine.replaying.record import Recording
    from quire_engine.replaying.replay import Replay, settings_of
    from quire_engine.reproduction import VaultDifference, compare_run, replay_run
    from quire_engine.settings import Settings
    from quire_engine.vault.links import find_subpath, section_span

_LAZY = {
    "answer_groups": "quire_engine.evaluation.answers",
    "compare_answers": "quire_engine.evaluation.answer_comparison",
    "evaluate_answers": "quire_engine.evaluation.answers",
    "has_questions": "quire_engine.evaluation.questions",
    "read_questions": "quire_engine.evaluation.questions",
    "read_set": "quire_engine.evaluation.judged_set",
    "verdicts": "quire_engine.evaluation.judged_set",
    "write_starter_set": "quire_engine.evaluation.starter",
    "by_field": "quire_engine.evaluation.runner",
    "compare": "quire_engine.evaluation.comparison",
    "evaluate": "quire_engine.evaluation.runner",
    "load_run": "quire_engine.evaluation.runs",
    "read_queries": "quire_engine.evaluation.judgements",
    "run_of": "quire_engine.evaluation.runs",
    "save_run": "quire_engine.evaluation.runs",
    "find_subpath": "quire_engine.vault.links",
    "section_span": "quire_engine.vault.links",
    "AskOptions": "quire_engine.asking",
    "export_markdown": "quire_engine.conversations.export",
    "ConversationStore": "quire_engine.conversations.store",
    "Engine": "quire_engine.engine",
    "Settings": "quire_engine.settings",
    "Replay": "quire_engine.replaying.replay",
    "VaultDifference": "quire_engine.reproduction",
    "Recording": "quire_engine.replaying.record",
    "catalogue": "quire_engine.inference.catalogue",
    "check_target": "quire_engine.replaying.files",
    "compare_run": "quire_engine.reproduction",
    "load_answer_run": "quire_engine.replaying.files",
    "replay_run": "quire_engine.reproduction",
    "run_document": "quire_engine.replaying.files",
    "save_document": "quire_engine.replaying.files",
    "settings_of": "quire_engine.replaying.replay",
    "installed_models": "quire_engine.inference.installed",
    "pull_model": "quire_engine.inference.download",
    "verify_model": "quire_engine.inference.installed",
}

__all__ = [
    "AskOptions",
    "ConversationStore",
    "Engine",
    "Recording",
    "Replay",
    "Settings",
    "VaultDifference",
    "__version__",
    "answer_groups",
    "by_field",
    "catalogue",
    "check_target",
    "compare",
    "compare_answers",
    "compare_run",
    "evaluate",
    "evaluate_answers",
    "export_markdown",
    "find_subpath",
    "has_questions",
    "installed_models",
    "load_answer_run",
    "load_run",
    "pull_model",
    "read_queries",
    "read_questions",
    "read_set",
    "replay_run",
    "run_document",
    "run_of",
    "save_document",
    "save_run",
    "section_span",
    "settings_of",
    "verdicts",
    "verify_model",
    "write_starter_set",
]


def __getattr__(name: str) -> Any:
    try:
        module = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
