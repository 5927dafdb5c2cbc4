"""Whether the models that are installed are whole."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from quire_engine.doctor.findings import Finding, ProgressReport, failed, guarded
from quire_engine.errors import ModelError
from quire_engine.settings import Settings


def examine_models(settings: Settings, report: ProgressReport) -> Iterator[Finding]:
    """Read the weights of every installed model, and compare them with the catalogue's checksums."""
    yield guarded("embedding model", lambda: _embedding_model(settings, report))
    yield guarded("language model", lambda: _language_model(settings))
    yield guarded("reranker", lambda: _reranker(settings))
    yield from _other_models(settings, report)


def _embedding_model(settings: Settings, report: ProgressReport) -> Finding:
    from quire_engine.inference.catalogue import checked_embedding_model, embedding_model_folder
    from quire_engine.inference.installed import verify_model

    report("reading the embedding model", 0, 0)
    embedding_model_folder(settings.embedding.model)  # says best what is wrong when it is not there
    verify_model(settings.embedding.model, settings)
    folder, digest, name = checked_embedding_model(settings.embedding.model)
    return Finding("embedding model", True, f"{name} in {folder}, weights intact (sha256 {digest[:16]}…)")


def _language_model(settings: Settings) -> Finding:
    """What writes answers, and what that takes."""
    from quire_engine.inference.catalogue import locate_language_model

    place = locate_language_model(settings.answer)  # raises when the chosen one is not there
    if find_spec("llama_cpp") is None:
        detail = "llama-cpp-python is not installed; answers are extractive"
        chosen = bool(place and settings.answer.model)
        return Finding(
            "language model", not chosen, detail, "for written answers: pip install 'quire[llama]'"
        )
    try:
        version = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        version = "of unknown version"
    if place is None:
        advice = "for written answers, get a model: quire models"
        return Finding(
            "language model", True, f"none; answers are extractive (llama-cpp-python {version})", advice
        )
    return Finding("language model", True, f"{place.stem} writes answers (llama-cpp-python {version})")


def _reranker(settings: Settings) -> Finding:
    from quire_engine.inference.catalogue import locate_reranker
    from quire_engine.inference.heads import relevance_config

    place = locate_reranker(settings.retrieval)  # raises when the chosen one is not there
    if place is None:
        return Finding("reranker", True, "none")
    relevance_config(place)  # raises when it cannot be run
    return Finding("reranker", True, f"{place.name} orders what was found")


def _other_models(settings: Settings, report: ProgressReport) -> Iterator[Finding]:
    from quire_engine.inference.installed import installed_models

    try:
        models = installed_models(settings)
    except Exception as error:
        yield failed("models", error)
        return
    for model in models:
        if model.path is not None and model.kind != "embedding":
            report(f"reading {model.name}", 0, 0)
            yield guarded(f"model {model.name}", lambda name=model.name: _verified(name, settings))  # type: ignore[misc]


def _verified(name: str, settings: Settings) -> Finding:
    """The checksum where the catalogue has one; the header and the size of a file of the user's own.

    A damaged file stays where it is: it may be the user's only copy of what cost an hour to fetch.
    """
    from quire_engine.inference.installed import verify_model

    try:
        model = verify_model(name, settings)
    except ModelError as error:
        return Finding(f"model {name}", False, str(error))
    place = Path(model.path or "")
    if model.description is None:
        return Finding(f"model {name}", True, f"{place.name}, of your own: its header and size agree")
    return Finding(f"model {name}", True, f"{place.name}, intact (sha256 {model.description.sha256[:16]}…)")
