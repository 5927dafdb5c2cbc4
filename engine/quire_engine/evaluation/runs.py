"""Runs on disk: JSON, ``quire.run/1``."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from quire_engine._version import __version__
from quire_engine.errors import ConfigError, one_line
from quire_engine.evaluation.comparison import MAIN_MEASURE
from quire_engine.records import EvalReport, EvalRun, QueryResult
from quire_engine.settings import Settings

SCHEMA = "quire.run/1"
_IRRELEVANT = {"vault", "offline", "answer", "engine"}
"""Settings that do not change what a search finds."""
_RUN = TypeAdapter(EvalRun)


def run_of(report: EvalReport, fingerprint: str, settings: Settings) -> EvalRun:
    """``report`` query by query, with what it was made with: embedding model, settings, this Quire."""
    return EvalRun(
        __version__,
        fingerprint,
        report.generation,
        settings.model_dump(mode="json", exclude=_IRRELEVANT),
        report.unit,
        report.results,
    )


def save_run(run: EvalRun, path: Path) -> None:
    """Write ``run`` to ``path``, whole or not at all; what was there is replaced. Raises `ConfigError`."""
    document = json.dumps({"schema": SCHEMA, **_RUN.dump_python(run, mode="json")}, ensure_ascii=False)
    target = path.resolve()  # a link to a file that is kept elsewhere stays a link
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(document + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def load_run(path: Path) -> EvalRun:
    """The run that `save_run` wrote to ``path``. Raises `ConfigError` when it holds none."""
    try:
        text = path.read_text(encoding="utf-8")
        document: Any = json.loads(text, parse_float=_finite, parse_int=_finite, parse_constant=_finite)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except OverflowError as error:
        raise ConfigError(f"{path} is a damaged run: it holds numbers that are not finite") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no saved run: it is not JSON") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        raise ConfigError(f"{path} is no saved run ({SCHEMA}); make one with `quire eval DIR --save FILE`")
    try:
        run = _RUN.validate_json(text, strict=True)  # lenient, it would make numbers of words: "nan"
    except ValidationError as error:
        first = error.errors()[0]
        problem = ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        raise ConfigError(f"{path} is a damaged run: {one_line(problem)}") from error
    if lacking := _lacking(run.results):
        raise ConfigError(f"{path} is a damaged run: {lacking}")
    return run


def _finite(number: str) -> float:
    """What JSON calls ``number``; raises `OverflowError` when that is none, or larger than there are."""
    value = float(number)
    if not math.isfinite(value):
        raise OverflowError
    return value


def _lacking(results: Sequence[QueryResult]) -> str | None:
    """What a comparison of ``results`` with others would miss."""
    for number, result in enumerate(results):
        if MAIN_MEASURE not in result.measures or result.measures.keys() != results[0].measures.keys():
            return f"results.{number} has other measures than a run has"
        if "total" not in result.timings:
            return f"results.{number}.timings has no total"
    return None
