"""What Quire runs on: Python, packages, SQLite, disks."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from quire_engine import __version__, locations, offline
from quire_engine.doctor.findings import Finding, guarded
from quire_engine.settings import Settings

_AF_INET, _SOCK_DGRAM = 2, 2
_NAMED = ("apsw", "sqlite-vec", "whoosh-reloaded", "openvino", "torch", "sentence-transformers", "watchdog")
"""Packages whose versions matter most when somebody asks for help."""
_ENOUGH_DATA = 500_000_000
"""Bytes: room for the index of a large vault."""
_ENOUGH_SCRATCH = 200_000_000
"""Bytes: room for a converted embedding model, and for what SQLite sorts."""


def examine_machine(settings: Settings, index: Path | None) -> Iterator[Finding]:
    """Look at what any vault needs; ``index`` is the folder of the chosen vault's index, if any."""
    yield guarded("python", _python)
    yield guarded("packages", _packages)
    yield guarded("sqlite", _sqlite)
    yield guarded("disk space", lambda: _disks(index))
    yield guarded("network", lambda: _network(settings))


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, Quire {__version__}"
    return Finding("python", True, detail)


def _packages() -> Finding:
    """Compare what is installed with what Quire's own metadata requires."""
    from packaging.requirements import Requirement

    try:
        required = [Requirement(line) for line in metadata.requires("quire") or ()]
    except metadata.PackageNotFoundError:
        return Finding("packages", True, "Quire was not installed as a package; versions are not compared")
    found: dict[str, str] = {}
    wrong: list[Requirement] = []
    for requirement in required:
        optional = requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
        try:
            version = found[requirement.name] = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            if not optional:
                wrong.append(requirement)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(requirement)
    if wrong:
        names = (f"{each.name} {found.get(each.name, 'is missing')}" for each in wrong)
        wanted = " ".join(f"'{each.name}{each.specifier}'" for each in wrong)
        return Finding("packages", False, ", ".join(names), f"pip install {wanted}")
    named = ", ".join(f"{name} {found[name]}" for name in _NAMED if name in found)
    return Finding("packages", True, f"{len(found)} as required, among them {named}")


def _sqlite() -> Finding:
    import apsw
    import sqlite_vec

    connection = apsw.Connection(":memory:")
    try:
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        version = connection.execute("SELECT vec_version()").get
    finally:
        connection.close()
    return Finding("sqlite", True, f"{apsw.sqlite_lib_version()} with sqlite-vec {version}")


def _disks(index: Path | None) -> Finding:
    """Whether data, caches and temporary files can grow; an index must fit twice, to be made anew."""
    size = locations.bytes_in(index) if index else 0
    needs = [
        ("the index", locations.data_dir(), max(_ENOUGH_DATA, size + size // 4), "QUIRE_DATA_DIR"),
        ("caches", locations.cache_dir(), _ENOUGH_SCRATCH, "QUIRE_CACHE_DIR"),
        ("temporary files", Path(tempfile.gettempdir()), _ENOUGH_SCRATCH, "TMPDIR"),
    ]
    told = []
    for what, folder, needed, variable in needs:
        place = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not os.access(place, os.W_OK | os.X_OK):
            return Finding(
                "disk space", False, f"{place} is not writable", f"set {variable} to a folder that is"
            )
        free = shutil.disk_usage(place).free
        if free < needed:
            detail = f"{free / 1e9:.1f} GB free for {what} in {folder}, which may need {needed / 1e9:.1f} GB"
            return Finding("disk space", False, detail, f"free some space, or set {variable} to another disk")
        told.append(f"{free / 1e9:.1f} GB free for {what}")
    return Finding("disk space", True, ", ".join(told))


def _network(settings: Settings) -> Finding:
    """Who may use the network, and whether this process could: it asks for a socket, and sends nothing."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.socket(_AF_INET, _SOCK_DGRAM, 0)
    if descriptor >= 0:
        libc.close(descriptor)
    if descriptor < 0:
        closed = "the system keeps this process off it"
    elif offline.is_enforced():
        closed = "this process keeps its Python code off it, the system does not see to it"
    else:
        closed = "this process is not kept off it"
    detail = (
        "offline, 'quire models pull' included" if settings.offline else "used by 'quire models pull' alone"
    )
    return Finding("network", True, f"{detail}; {closed}")
