"""One validated settings model: defaults < TOML file < environment (``QUIRE_…``) < flags."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quire_engine import locations
from quire_engine.errors import ConfigError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ScanSettings(_Section):
    ignore: list[str] = []
    """Patterns of files and folders to leave out, as in a ``.gitignore``, relative to the vault."""
    max_note_bytes: int = Field(default=32 * 2**20, gt=0)
    """Larger notes are skipped, with the reason shown in ``quire status``."""


class ChunkingSettings(_Section):
    budget: int = Field(default=256, ge=32, le=8192)
    """The most tokens of a chunk; never more than the embedding model reads."""
    pipelines: dict[str, str] = {}
    """spaCy pipelines by language code (name of an installed package, or a folder), over the found ones.

    One for a language that Quire cannot tell from others is never used. Codes are of two or three letters.
    """


class EmbeddingSettings(_Section):
    model: str = "all-MiniLM-L6-v2"
    """A name from the catalogue, or a folder with a sentence-transformers model."""
    runtime: Literal["auto", "openvino", "torch"] = "auto"
    """``auto``: torch where CUDA is available, OpenVINO elsewhere."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 means all cores."""


class RetrievalSettings(_Section):
    keywords: Literal["whoosh", "tantivy"] = "whoosh"
    """What keeps the keyword index; ``tantivy`` needs ``pip install 'quire[tantivy]'``."""
    candidates: int = Field(default=100, ge=10, le=2000)
    """How many passages each retriever brings."""
    fusion: Literal["learned", "rrf"] = "learned"
    """How candidates are ranked: by all signals with learned weights, or by reciprocal rank alone."""
    rrf_k: int = Field(default=60, ge=1)
    """The constant of reciprocal rank fusion."""
    weights: dict[str, Annotated[float, Field(ge=0, le=100)]] = {}
    """Weights of signals instead of the learned ones, as ``--explain`` names them; 0 leaves one out."""
    reranker: str = ""
    """A cross-encoder's name or folder; empty: the installed one; ``none``: never."""
    duplicate_cosine: float = Field(default=0.95, gt=0, le=1)
    """Passages more similar than this collapse into one hit."""


class AnswerSettings(_Section):
    model: str = ""
    """A name from the catalogue or the path of a GGUF file; empty: the installed one, else extractive."""
    sentences: int = Field(default=3, ge=1, le=10)
    """The most sentences of an extractive answer."""
    context_tokens: int = Field(default=4096, ge=512)
    """The language model's window; never more than it was trained for."""
    max_tokens: int = Field(default=400, ge=16)
    """The most tokens of a generated answer."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    seed: int = 0
    gpu_layers: int = Field(default=0, ge=-1)
    """Layers of the language model on the GPU; -1 means all."""
    threads: int = Field(default=0, ge=0)
    """The language model's CPU threads; 0: all cores read the prompt, and all but one write the answer.

    llama.cpp's threads spin while they wait for each other: one that shares its core holds up all.
    """
    unload_minutes: float = Field(default=10.0, gt=0)
    """The language model's memory is given back after so long without a question."""
    max_waves: int = Field(default=0, ge=0)
    """The most loads of context for an answer; 0: as many as the question's strategy allows."""
    budget_tokens: int = Field(default=0, ge=0)
    """The most tokens of passages that an answer reads; 0: what fits, and at most ten passages."""
    budget_seconds: float = Field(default=0, ge=0)
    """After so long no further context is loaded; 0: no limit."""
    history: bool = True
    """Whether conversations are kept, on this machine."""


class EngineSettings(_Section):
    idle_minutes: float = Field(default=30.0, gt=0)
    """The background engine leaves after so long without a question and without work."""


class Settings(_Section):
    """Everything that can be set. `load` reads it from where users set it."""

    vault: Path | None = None
    """The folder of notes."""
    offline: bool = False
    """Whether ``models pull``, the only user of the network, refuses; the same as ``--offline``."""
    scan: ScanSettings = ScanSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    engine: EngineSettings = EngineSettings()


def load(environment: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Read the settings; ``flags`` (``vault=…``, ``answer={"model": …}``) win over file and environment.

    ``environment`` is this process's when not given; another's when a question is answered for it. Raises
    `ConfigError`, in one line, for a file that is not TOML, an unknown key or a wrong value.
    """
    file = locations.config_file()
    try:
        values = tomllib.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        values = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    variables = _variables(os.environ if environment is None else environment)
    try:
        return Settings(**_over(_over(values, variables), flags))
    except ValidationError as error:
        raise _wrong(error) from error


def _variables(environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``QUIRE_SECTION__KEY`` variables set; other variables of that prefix name places, not settings."""
    values: dict[str, Any] = {}
    for variable in sorted(environment, key=lambda name: name.count("__")):  # a section before its keys
        prefix, _, rest = variable.lower().partition("_")
        names = rest.split("__")
        if prefix != "quire" or names[0] not in Settings.model_fields:
            continue
        value: Any = environment[variable]
        if names != ["vault"] and value.lstrip()[:1] in ("{", "["):  # a whole section, a table or a list
            with contextlib.suppress(ValueError):
                value = json.loads(value)
        for name in reversed(names):
            value = {name: value}
        values = _over(values, value)
    return values


def _over(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """``low`` with what ``high`` says instead, section by section."""
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _over(below, value)
        merged[key] = value
    return merged


def save(key: str, value: object) -> Path:
    """Set one setting, named with dots (``answer.model``), in the settings file, and return the file.

    Comments and order are kept; the file is replaced as a whole or not at all. Raises `ConfigError`, in one
    line, when there is no such setting, when the value is wrong, when the file holds something wrong
    already, and when it cannot be written.
    """
    import tomlkit
    from tomlkit.exceptions import ConvertError, TOMLKitError

    path = locations.config_file()
    names = key.split(".")
    if isinstance(value, Mapping):
        raise ConfigError(f"setting {key!r}: it is a section; set one of its keys")
    try:
        document = tomlkit.parse(path.read_bytes().decode("utf-8")) if path.exists() else tomlkit.document()
        table: Any = document
        for name in names[:-1]:
            if name not in table:
                table[name] = tomlkit.table()
            table = table[name]
            if not isinstance(table, Mapping):
                raise KeyError(name)
        table[names[-1]] = os.fspath(value) if isinstance(value, os.PathLike) else value
        found: Any = Settings(**document.unwrap()).model_dump(mode="json")
        for name in names:
            found = found[name]
        if isinstance(found, dict):
            raise ConfigError(f"setting {key!r}: it is a section; set one of its keys")
        table[names[-1]] = found  # as it was understood: "500" for a number becomes 500
        _replace(path, tomlkit.dumps(document))
    except ValidationError as error:
        raise _wrong(error) from error
    except KeyError as error:
        raise ConfigError(f"setting {key!r}: there is no such setting; see {path}") from error
    except ConvertError as error:
        raise ConfigError(f"setting {key!r}: {type(value).__name__} is no value for a setting") from error
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; correct it by hand first") from error
    except OSError as error:
        raise ConfigError(f"cannot read or write {path}: {error.strerror or error}") from error
    return path


def _replace(path: Path, text: str) -> None:
    target = path.resolve()  # a link to a file that is kept elsewhere stays a link
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(target, name)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _wrong(error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return ConfigError(f"setting {where!r}: {what}{more}; see {locations.config_file()} and QUIRE_ variables")
