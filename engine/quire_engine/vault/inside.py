"""Opens what lies in a folder, and nothing else, whatever is done to the folder meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

_STEP = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


def open_inside(root: str, names: Sequence[str], flags: int) -> int:
    """A descriptor of the file or folder that ``names`` lead to, from folder to folder, below ``root``.

    No link is followed on the way: each name is looked up in the folder that is already open, so that one
    that takes a folder's place at the wrong moment leads nowhere. Raises `OSError`, with ``ESTALE`` where a
    link stands.
    """
    descriptor = os.open(root, os.O_DIRECTORY | os.O_CLOEXEC | (_STEP if names else flags))
    for name in names[:-1]:
        descriptor = _step(descriptor, name, _STEP)
    return _step(descriptor, names[-1], flags | os.O_NOFOLLOW | os.O_CLOEXEC) if names else descriptor


def _step(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE)) from error
        raise
    finally:
        os.close(folder)
