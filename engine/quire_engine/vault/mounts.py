"""Which file systems a vault lies on: changes that others make on a network drive are never notified."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_NETWORK = frozenset(
    "nfs nfs4 cifs smb3 smbfs ncpfs afs ceph coda lustre beegfs gpfs orangefs pvfs2 davfs 9p virtiofs vboxsf "
    "prl_fs vmhgfs drvfs shfs".split()
)
_LOCAL_FUSE = frozenset(
    "bindfs cryfs ecryptfs encfs exfat gocryptfs lxcfs mergerfs ntfs ntfs-3g portal securefs snapfuse "
    "squashfuse unionfs unionfs-fuse zfs".split()
)
"""Of the file systems in user space, those of which it is known that they are no network drives."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system and where it is mounted."""

    place: str
    kind: str
    """As the system names it: ``ext4``, ``nfs4``, ``fuse.sshfs``."""

    @property
    def remote(self) -> bool:
        """Whether somebody else may change files there, of which the system tells nothing."""
        family, _, program = self.kind.partition(".")
        if family == "fuse":
            return program not in _LOCAL_FUSE
        return family in _NETWORK


def mounts_of(vault: str) -> tuple[Mount, ...]:
    """The file systems on which the folder ``vault`` (a real path) lies; none where the system tells none."""
    try:
        return mounts_in(_MOUNTS.read_bytes(), vault)
    except OSError:
        return ()


@lru_cache(maxsize=16)
def mounts_in(mountinfo: bytes, vault: str) -> tuple[Mount, ...]:
    """The file system that holds ``vault``, and those mounted below it, of Linux's table ``mountinfo``.

    Sorted by place. What lies behind another mount does not count.
    """
    mounts: dict[bytes, Mount] = {}
    parents: dict[bytes, bytes] = {}
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(b" - ")
        columns = fields.split(b" ")
        if len(columns) > 4:
            place = _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 255]), columns[4])
            kind = rest.split(b" ")[0].decode("ascii", "replace")
            mounts[columns[0]] = Mount(place.decode("utf-8", "surrogateescape"), kind)
            parents[columns[0]] = columns[1]
    children: dict[bytes, list[bytes]] = {}
    for number, parent in parents.items():
        children.setdefault(parent, []).append(number)
    seen: list[Mount] = []
    pending = [number for number, parent in parents.items() if parent not in mounts or parent == number]
    while pending:
        number = pending.pop()
        mount = mounts[number]
        above = [child for child in children.pop(number, []) if child != number]
        # What was mounted here later, over the whole of it or over a folder, hides what lay below that.
        upper = [child for child in above if mounts[child].place == mount.place]
        if not upper:
            seen.append(mount)
            places = {mounts[child].place for child in above}
            upper = [child for child in above if places.isdisjoint(_folders_above(mounts[child].place))]
        pending += upper
    holding = [mount for mount in seen if _holds(mount.place, vault)]
    below = [mount for mount in seen if mount.place != vault and _holds(vault, mount.place)]
    home = [max(holding, key=lambda mount: len(mount.place))] if holding else []
    return tuple(sorted([*home, *below], key=lambda mount: mount.place))


def _folders_above(place: str) -> Iterator[str]:
    while place != "/" and "/" in place:
        place = place.rpartition("/")[0] or "/"
        yield place


def _holds(folder: str, path: str) -> bool:
    """Whether ``path`` is ``folder`` or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
