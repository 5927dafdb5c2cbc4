"""The models of this machine, whoever brought them: which there are, and whether they are whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import (
    WEIGHTS,
    catalogue,
    check_files,
    existing_path,
    locate_language_model,
    locate_reranker,
    not_installed,
    own_language_models,
    own_rerankers,
    place_of,
    unknown,
)
from quire_engine.inference.checksums import check_safetensors
from quire_engine.records import InstalledModel, ModelDescription

if TYPE_CHECKING:
    from quire_engine.settings import Settings


def installed_models(
    settings: Settings, *, known: Sequence[ModelDescription] | None = None
) -> list[InstalledModel]:
    """The catalogue's models, installed or not, then the user's own.

    Those are GGUF files and cross-encoders in the models folder, and what the settings name by its path.
    """
    entries = catalogue() if known is None else known
    answering = _unless_missing(lambda: locate_language_model(settings.answer, known=entries))
    ordering = _unless_missing(lambda: locate_reranker(settings.retrieval, known=entries))
    models = []
    for entry in entries:
        place = place_of(entry)
        match entry.kind:
            case "embedding":
                used = settings.embedding.model == entry.name
            case "language":
                used = place == answering
            case "reranker":
                used = place == ordering
        size = entry.bytes
        if place is not None:
            size = _size(place)
        in_use = used and place is not None
        models.append(InstalledModel(entry.name, entry.kind, _text(place), size, in_use, entry))
    listed = {model.path for model in models}
    kinds: tuple[tuple[Literal["language", "reranker"], dict[str, Path], Path | None], ...] = (
        ("language", own_language_models(entries), answering),
        ("reranker", own_rerankers(entries), ordering),
    )
    for kind, own, chosen in kinds:
        if chosen and _text(chosen) not in listed and chosen not in own.values():
            own[str(chosen)] = chosen
        for name, path in own.items():
            models.append(InstalledModel(name, kind, str(path), _size(path), path == chosen))
    embedding = settings.embedding.model
    folder = None if any(entry.name == embedding for entry in entries) else existing_path(embedding)
    if folder is not None and folder.is_dir():
        models.append(InstalledModel(embedding, "embedding", str(folder), _size(folder), True))
    return models


def verify_model(
    name: str, settings: Settings, *, known: Sequence[ModelDescription] | None = None
) -> InstalledModel:
    """Read the whole model again and check it.

    A model of the catalogue must have its checksum; of the user's own, the header must be whole and agree
    with the file's size. Raises `ModelError` when it is not installed or damaged.
    """
    models = installed_models(settings, known=known)
    model = next((model for model in models if model.name == name), None)
    if model is None:
        raise unknown(name, [each.name for each in models])
    if model.path is None:
        raise not_installed(name)
    path = Path(model.path)
    if model.description is not None:
        check_files(path, model.description, fresh=True)
    elif model.kind == "language":
        from quire_engine.inference.gguf_header import read_header

        read_header(path)
    else:
        check_safetensors(path / WEIGHTS)
    return model


def _unless_missing(locate: Callable[[], Path | None]) -> Path | None:
    """What is located; a choice that is not there is an error when it is used, not when models are listed."""
    try:
        return locate()
    except ModelError:
        return None


def _size(place: Path) -> int:
    """Bytes of a model's weights; 0 when they are not there."""
    file = place / WEIGHTS if place.is_dir() else place
    return file.stat().st_size if file.is_file() else 0


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
