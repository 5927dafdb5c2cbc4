"""What to do about a disk that is full, that may not be written, or that fails."""

from __future__ import annotations

import errno

FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explained(error: OSError) -> str:
    """The remedy for ``error``, met in the index's folder: the second half of a message."""
    if error.errno in _FULL:
        return "the disk is full, or a quota is reached; free some space and run the command again"
    if error.errno in FORBIDDEN:
        return "check the permissions of the index's folder"
    return "try again; if it stays so, check the disk"
