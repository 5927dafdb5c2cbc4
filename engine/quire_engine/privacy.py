"""What Quire creates is for its user alone, whatever the umask of the one who starts it."""

from __future__ import annotations

import os

users_umask = -1
"""The umask before `keep_private`, for programs of the user's choice; -1 (`subprocess`: as it is) before."""


def keep_private() -> None:
    """Have all that this process and its children create be the user's alone.

    For processes of Quire's own; with the engine as a library, `private` sees to what holds text of notes.
    """
    global users_umask
    previous = os.umask(0o077)
    if users_umask == -1:
        users_umask = previous


def private(path: str, flags: int) -> int:
    """An ``opener`` for `open`: a file that it creates is the user's alone."""
    return os.open(path, flags, 0o600)
