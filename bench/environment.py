"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.report import Figure
from bench.workshop import Workshop

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
"""Processor features that decide how fast matrices are multiplied."""
_PACKAGES = ("apsw", "sqlite-vec", "openvino", "torch", "sentence-transformers", "Whoosh-Reloaded", "tantivy")


def measure(workshop: Workshop) -> list[Figure]:
    """Names and versions; takes no time."""
    processor = _read("/proc/cpuinfo")
    flags = set(_field(processor, "flags", "Features").split())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return [
        Figure("system", f"{platform.system()} {platform.machine()}"),
        Figure("processor", _field(processor, "model name") or platform.processor() or "unknown"),
        Figure("cores", len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        Figure("processor features", " ".join(f for f in _FLAGS if f in flags) or "unknown"),
        Figure("memory", memory / 2**30, "GiB"),
        Figure("load before", os.getloadavg()[0], note="others' work disturbs; compare ratios then"),
        Figure("GPU", _gpu()),
        Figure("Python", platform.python_version()),
        Figure("SQLite of Python", sqlite3.sqlite_version),
        *(Figure(name, _version(name)) for name in _PACKAGES),
        Figure("vault", workshop.vault_name),
    ]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _field(text: str, *names: str) -> str:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""


def _gpu() -> str:
    try:
        asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return found.stdout.strip().replace("\n", "; ")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
