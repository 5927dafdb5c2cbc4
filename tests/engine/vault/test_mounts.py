"""On which file systems a vault lies, by Linux's table of mounts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quire_engine.vault.mounts import Mount, mounts_in, mounts_of

TABLE = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 27 0:40 / /mnt/work rw,relatime shared:7 master:2 - nfs4 server:/export rw,vers=4.2
41 27 0:41 / /mnt/my\040notes rw,relatime - fuse.sshfs me@host: rw
42 27 0:42 / /home/me/vault/Shared\011\134x rw - cifs //server/share rw
43 27 254:1 / /home/me/vault/Disk rw - ext4 /dev/vdb1 rw
44 43 254:2 / /home/me/vault/Disk/Inner rw - btrfs /dev/vdc rw
45 27 0:45 / /home/me/vaults rw - 9p share rw
46 27 0:46 / /mnt/hidden rw - nfs server:/old rw
47 46 0:47 / /mnt/hidden/below rw - nfs server:/older rw
48 46 254:3 / /mnt/hidden rw - xfs /dev/vdd rw
51 27 0:51 / /mnt/over/below rw - nfs server:/oldest rw
52 27 254:4 / /mnt/over rw - xfs /dev/vde rw
49 27 0:49 / /mnt/crypt rw - fuse.gocryptfs /home/me/.crypt rw
50 27 8:1 / /mnt/stick rw - fuseblk /dev/sdb1 rw
torn line
"""


def kinds(vault: str) -> list[tuple[str, str]]:
    return [(mount.place, mount.kind) for mount in mounts_in(TABLE, vault)]


def remote(vault: str) -> bool:
    return any(mount.remote for mount in mounts_in(TABLE, vault))


def test_the_nearest_mount_above_holds_the_vault() -> None:
    assert kinds("/home/other/vault") == [("/", "ext4")]
    assert kinds("/mnt/work/notes") == [("/mnt/work", "nfs4")]
    assert kinds("/mnt/workshop") == [("/", "ext4")]
    assert kinds("/mnt/work") == [("/mnt/work", "nfs4")]


def test_escaped_names() -> None:
    assert kinds("/mnt/my notes/vault") == [("/mnt/my notes", "fuse.sshfs")]


def test_mounts_inside_the_vault() -> None:
    assert kinds("/home/me/vault") == [
        ("/", "ext4"),
        ("/home/me/vault/Disk", "ext4"),
        ("/home/me/vault/Disk/Inner", "btrfs"),
        ("/home/me/vault/Shared\t\\x", "cifs"),
    ]


def test_what_another_mount_hides_does_not_count() -> None:
    assert kinds("/mnt/hidden") == [("/mnt/hidden", "xfs")]
    assert kinds("/mnt/hidden/below/vault") == [("/mnt/hidden", "xfs")]
    assert kinds("/mnt/over/below/vault") == [("/mnt/over", "xfs")]


@pytest.mark.parametrize(
    ("vault", "expected"),
    [
        ("/home/other", False),
        ("/mnt/work/notes", True),
        ("/mnt/my notes", True),
        ("/home/me/vault", True),
        ("/home/me/vault/Disk", False),
        ("/home/me/vaults/one", True),
        ("/mnt/hidden/vault", False),
        ("/mnt/crypt", False),
        ("/mnt/stick/vault", False),
    ],
)
def test_which_are_network_drives(vault: str, expected: bool) -> None:
    assert remote(vault) is expected


@pytest.mark.parametrize(
    "kind", ["fuse", "fuse.rclone", "fuse.unheard-of", "virtiofs", "vboxsf", "drvfs", "nfs"]
)
def test_a_file_system_of_which_nothing_is_known_may_be_one(kind: str) -> None:
    assert Mount("/x", kind).remote


@pytest.mark.skipif(sys.platform != "linux", reason="the table is Linux's")
def test_the_system_says_where_a_folder_lies(tmp_path: Path) -> None:
    (home, *_) = mounts_of(str(tmp_path.resolve()))
    assert str(tmp_path.resolve()).startswith(home.place)
