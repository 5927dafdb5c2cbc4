"""Whose the files are that this user may not use; after ``sudo quire`` they are another's."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from quire_engine import locations


def refused(path: Path) -> tuple[str, str]:
    """What to say of a file or folder that is not this user's or is closed to them, and what to advise."""
    barrier = _barrier(path)
    owner = barrier.lstat().st_uid
    if owner == os.getuid():
        return f"{barrier} is closed to you", f"open it: chmod u+rwX {shlex.quote(str(barrier))}"
    detail = f"{barrier} belongs to {_name(owner)}"
    if os.getuid() == 0:
        return detail, f"run quire as {_name(owner)}, without sudo"
    if _is_own_place(barrier):
        return detail, f'take it over: sudo chown -R "$USER" {shlex.quote(str(barrier))}'
    return detail, "ask for access to it, or choose another folder"


def _barrier(path: Path) -> Path:
    """The first folder above ``path`` that cannot be entered, or else ``path``."""
    return next((folder for folder in reversed(path.parents) if not os.access(folder, os.X_OK)), path)


def _name(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _is_own_place(path: Path) -> bool:
    """Whether all that lies in ``path`` ought to be this user's."""
    places = (Path.home(), locations.data_dir(), locations.cache_dir(), locations.models_dir())
    return path != Path.home() and any(place == path or place in path.parents for place in places)
