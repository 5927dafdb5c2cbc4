"""What Quire saves as JSON and reads again: written whole or not at all, never believed without a look."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from quire_engine.errors import ConfigError, one_line

Json = dict[str, Any]
T = TypeVar("T")
_MOST_DIGITS = 20


@dataclass(frozen=True, slots=True)
class JsonFormat(Generic[T]):
    """A kind of file: which records it holds, and what is said when a file holds none."""

    name: str
    """As in "is no saved run"."""
    schema: str
    """Name and version: ``quire.run/1``."""
    how: str
    """What makes one: "make one with …"."""
    records: TypeAdapter[T]
    most_bytes: int = 64 * 2**20

    def document(self, value: T) -> Json:
        """``value`` as JSON; what JSON or UTF-8 has no word for is 0 (not finite) or U+FFFD (surrogates)."""
        return {"schema": self.schema, **_plain(self.records.dump_python(value, mode="json"))}

    def write(self, document: Json, path: Path) -> None:
        """Write ``document`` to ``path``, whole or not at all, for the user alone (mode 0600), in ASCII.

        What was there is replaced. Raises `ConfigError`.
        """
        text = json.dumps(document, allow_nan=False)
        target = path.resolve()  # a link to a file that is kept elsewhere stays a link
        temporary = None
        try:
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:64]}-")
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()

    def read(self, path: Path) -> Json:
        """The document of ``path`` without its ``schema``; its fields are not looked at yet.

        Raises `ConfigError` for what cannot be read, and for any other kind of file.
        """
        try:
            if not path.is_file():
                missing = "it is no regular file" if path.exists() else "there is no such file"
                raise ConfigError(f"cannot read {path}: {missing}")
            with path.open("rb") as file:
                data = file.read(self.most_bytes + 1)
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
        if len(data) > self.most_bytes:
            raise ConfigError(f"{path} is no {self.name}: it is larger than {self.most_bytes // 2**20} MiB")
        try:
            document: Any = json.loads(data, parse_float=_finite, parse_int=_whole, parse_constant=_finite)
        except OverflowError as error:
            raise self.damaged(path, "it holds numbers that are too large or not finite") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path} is no {self.name}: it is not JSON; {self.how}") from error
        found = document.pop("schema", None) if isinstance(document, dict) else None
        if found == self.schema:
            return dict(document)
        family = self.schema.rpartition("/")[0]
        if isinstance(found, str) and re.fullmatch(re.escape(family) + r"/\d{1,9}", found):
            raise ConfigError(f"{path} was written by a newer Quire ({found}); update Quire to read it")
        raise ConfigError(f"{path} is no {self.name} ({self.schema}); {self.how}")

    def value(self, document: Json, path: Path) -> T:
        """The records that ``document``, read from ``path``, holds. Raises `ConfigError`."""
        try:
            # Strict, since it would else make numbers of words ("nan"); strict Python would refuse lists.
            return self.records.validate_json(json.dumps(document), strict=True)
        except ValidationError as error:
            raise self.damaged(path, error) from error
        except RecursionError as error:
            raise self.damaged(path, "it is nested too deeply") from error

    def damaged(self, path: Path, problem: str | ValidationError) -> ConfigError:
        """The error, in one line, for a file of this kind that holds what it cannot."""
        if isinstance(problem, ValidationError):
            first = problem.errors()[0]
            where = ".".join(map(str, first["loc"]))
            problem = one_line(ValueError(f"{where}: {first['msg']}"))
        return ConfigError(f"{path} is a damaged {self.name}: {problem}; {self.how}")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else 0.0
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _finite(number: str) -> float:
    """What JSON calls ``number``; raises `OverflowError` when that is none, or larger than there are."""
    value = float(number)
    if not math.isfinite(value):
        raise OverflowError
    return value


def _whole(number: str) -> int:
    if len(number) > _MOST_DIGITS:
        raise OverflowError
    return int(number)
