"""A judged set's own settings: where its notes are, and what it is required to reach (eval.toml)."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from quire_engine.errors import ConfigError
from quire_engine.evaluation.answers import AMOUNTS, SHARES, answer_groups
from quire_engine.evaluation.latency import ANSWER_STAGES
from quire_engine.evaluation.runner import MEASURES
from quire_engine.records import AnswerReport, EvalReport, Verdict

FILE = "eval.toml"
_RULE = re.compile(r"(?:(?P<kind>[^:]+):)?\s*(?P<measure>[\w@]+)\s*(?P<sign>>=|<=)\s*(?P<value>[\d.]+)\s*")
_RETRIEVAL = (*MEASURES, *(f"{prefix}p{share}_ms" for prefix in ("", "added_") for share in (50, 95)))
_ANSWERS = (
    *SHARES,
    *("abstention_precision", "abstention_recall", "abstention_f1", "wrong_abstentions", "auroc", "aurc"),
    *AMOUNTS,
    *(f"{stage}_p{share}_ms" for stage in ANSWER_STAGES for share in (50, 95)),
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A measure that must not fall below, or rise above, a value."""

    text: str
    """As it stands in the file."""
    kind: str
    """Of questions, whose answers are meant; empty: all."""
    measure: str
    at_least: bool
    value: float


@dataclass(frozen=True, slots=True)
class JudgedSet:
    vault: Path
    requirements: tuple[Requirement, ...]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    vault: str = "vault"
    require: list[str] = []


def read_set(folder: Path) -> JudgedSet:
    """What eval.toml in ``folder`` says, or what holds without one: ``vault/`` beside it, nothing required.

    Raises `ConfigError`, in one line, for what cannot be read or understood.
    """
    path = folder / FILE
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        values = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        found = _File.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
        raise ConfigError(f"{path}, {where!r}: {what}; it has 'vault' and 'require'") from error
    vault = folder / Path(found.vault).expanduser()
    return JudgedSet(vault, tuple(_requirement(path, text) for text in found.require))


def _requirement(path: Path, text: str) -> Requirement:
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{path}, {text!r}: write a measure, >= or <=, and a number")
    try:
        value = float(match["value"])
    except ValueError as error:
        raise ConfigError(f"{path}, {text!r}: {match['value']!r} is no number") from error
    measure, kind = match["measure"], (match["kind"] or "").strip()
    if measure not in (_ANSWERS if kind else (*_RETRIEVAL, *_ANSWERS)):
        raise ConfigError(
            f"{path}, {text!r}: there is no measure {measure!r}"
            f"{' of answers' if kind else ''}; `quire eval` lists them"
        )
    return Requirement(text, kind, measure, match["sign"] == ">=", value)


def verdicts(
    requirements: Sequence[Requirement], retrieval: EvalReport | None, answers: AnswerReport | None
) -> list[Verdict]:
    """Which requirements are met. What was not measured is missed; a part that was not asked is left out."""
    kinds = {} if answers is None else answer_groups(answers, "kind")
    found: list[Verdict] = []
    for required in requirements:
        measured: Mapping[str, float | None]
        if required.measure in _RETRIEVAL:
            if retrieval is None:
                continue
            measured = retrieval.retrieval
        else:
            if answers is None:
                continue
            report = kinds.get(required.kind) if required.kind else answers
            measured = {} if report is None else report.measures
        value = measured.get(required.measure)
        met = value is not None and (
            value >= required.value if required.at_least else value <= required.value
        )
        found.append(Verdict(required.text, value if value is None or math.isfinite(value) else None, met))
    return found
