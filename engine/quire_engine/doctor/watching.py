"""Whether changes in the vault are noticed: the limits of inotify against what there is to watch."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from quire_engine.doctor.findings import Finding

LIMITS = Path("/proc/sys/fs/inotify")
_PROCESSES = Path("/proc")
_INOTIFY = ("anon_inode:inotify", "inotify")
_FEW_EVENTS = 4096
"""What a burst of a thousand files brings; when events get lost, the whole vault is looked at."""


def examine_watching(vault: Path, limits: Path = LIMITS, processes: Path = _PROCESSES) -> Finding:
    """Compare the folders of ``vault`` with the system's limits, and with what this user's programs use."""
    if (found := _on_network(vault)) is not None:
        return found
    watches, instances, events = (
        int((limits / name).read_text())
        for name in ("max_user_watches", "max_user_instances", "max_queued_events")
    )
    folders = _folders(vault)
    watchers, watched = in_use(processes)
    detail = (
        f"{folders:,} folders to watch; {watches:,} watches allowed ({watched:,} in use), "
        f"{instances:,} watchers ({watchers:,} in use), {events:,} events in a row"
    )
    if folders > watches:
        raised = f"max_user_watches={folders * 2}"
        return Finding("file watching", False, detail, f"raise it: sudo sysctl fs.inotify.{raised}")
    if watchers >= instances:
        raised = f"max_user_instances={max(128, instances * 2)}"
        return Finding("file watching", False, detail, f"raise it: sudo sysctl fs.inotify.{raised}")
    advice = ""
    if events < _FEW_EVENTS:
        advice = f"for bursts of changes: sudo sysctl fs.inotify.max_queued_events={4 * _FEW_EVENTS}"
    elif folders + watched > watches:
        advice = f"others watch much: sudo sysctl fs.inotify.max_user_watches={watches * 2}"
    return Finding("file watching", True, detail, advice)


def _folders(vault: Path) -> int:
    """How many folders are watched: all but hidden ones."""
    count = 0
    for _, folders, _ in os.walk(vault):
        count += 1
        folders[:] = [name for name in folders if not name.startswith(".")]
    return count


def _on_network(vault: Path) -> Finding | None:
    """What to say of a vault that lies, wholly or in part, where changes are not told."""
    from quire_engine.vault.mounts import mounts_of

    remote = [mount for mount in mounts_of(os.path.realpath(vault)) if mount.remote]
    if not remote:
        return None
    detail = f"{remote[0].place} is a network drive ({remote[0].kind}): it is looked at now and then instead"
    return Finding("file watching", True, detail, "what others change there is found some seconds later")


def in_use(processes: Path = _PROCESSES) -> tuple[int, int]:
    """How many watchers, and watches, the processes of this user have; those that hide are not counted."""
    watchers = watched = 0
    for process in processes.glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid != os.getuid():
                continue
            for handle in (process / "fd").iterdir():
                with suppress(OSError):
                    if str(handle.readlink()) in _INOTIFY:
                        watchers += 1
                        told = (process / "fdinfo" / handle.name).read_text(errors="replace")
                        watched += told.count("inotify wd:")
    return watchers, watched
