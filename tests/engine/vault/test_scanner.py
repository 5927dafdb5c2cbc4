"""Scanning: which files of a vault are notes, and that nothing outside it is reached."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from quire_engine.errors import ConfigError, VaultError
from quire_engine.vault.scanner import ScanResult, read_bytes, read_file, scan

not_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")


def write(vault: Path, *paths: str, text: str = "x\n") -> None:
    for path in paths:
        (vault / path).parent.mkdir(parents=True, exist_ok=True)
        (vault / path).write_text(text)


def paths(result: ScanResult) -> list[str]:
    return [found.path for found in result.files]


def reasons(result: ScanResult) -> dict[str, str]:
    return {note.path: note.reason for note in result.skipped}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    return folder


class TestScan:
    def test_notes_and_canvases_are_found_in_any_case_and_depth(self, vault: Path) -> None:
        write(vault, "a.md", "B.MD", "c.markdown", "d.canvas", "e.txt", "f.png", "g.md.tmp", "x/y z/é.md")
        assert paths(scan(vault)) == ["B.MD", "a.md", "c.markdown", "d.canvas", "x/y z/é.md"]

    def test_the_state_of_a_file_comes_with_it(self, vault: Path) -> None:
        write(vault, "a.md", text="four")
        (found,) = scan(vault).files
        status = (vault / "a.md").stat()
        assert (found.stat.size, found.stat.mtime_ns) == (4, status.st_mtime_ns)
        assert found.stat.inode == status.st_ino

    def test_hidden_files_and_folders_are_left_out_silently(self, vault: Path) -> None:
        write(vault, ".hidden.md", ".obsidian/p.md", ".trash/t.md", "a/.git/g.md", "a/b.md", ".md")
        result = scan(vault)
        assert paths(result) == ["a/b.md"]
        assert result.skipped == []

    def test_a_folder_named_like_a_note_is_entered(self, vault: Path) -> None:
        write(vault, "folder.md/in.md")
        assert paths(scan(vault)) == ["folder.md/in.md"]

    def test_too_large_notes_are_skipped_with_the_limit(self, vault: Path) -> None:
        write(vault, "big.md", text="12345")
        result = scan(vault, max_note_bytes=4)
        assert paths(result) == []
        assert "too large" in reasons(result)["big.md"]

    def test_a_name_that_is_not_unicode_is_skipped_and_can_be_shown(self, vault: Path) -> None:
        try:
            (vault / os.fsdecode(b"bad-\xff.md")).write_text("x")
        except OSError:
            pytest.skip("this file system takes Unicode names only")
        (note,) = scan(vault).skipped
        assert note.path == "bad-\\xff.md"
        note.path.encode()

    @not_root
    def test_unreadable_files_and_folders_are_skipped_with_the_reason(self, vault: Path) -> None:
        write(vault, "a.md", "locked.md", "locked/in.md")
        (vault / "locked.md").chmod(0)
        (vault / "locked").chmod(0)
        try:
            result = scan(vault)
        finally:
            (vault / "locked").chmod(0o700)
        assert paths(result) == ["a.md"]
        assert "permission" in reasons(result)["locked.md"]
        assert "permission" in reasons(result)["locked"]

    def test_a_missing_vault_and_a_file_are_errors(self, vault: Path) -> None:
        with pytest.raises(VaultError, match="no such file or folder"):
            scan(vault / "nowhere")
        write(vault, "a.md")
        with pytest.raises(VaultError, match="not a folder"):
            scan(vault / "a.md")


class TestIgnoring:
    def test_patterns_are_those_of_a_gitignore(self, vault: Path) -> None:
        write(vault, "a.md", "drafts/b.md", "x/drafts/c.md", "x/tmp-1.md", "keep/tmp-2.md", "top/only.md")
        result = scan(vault, ["drafts/", "tmp-*.md", "!keep/tmp-2.md", "/top"])
        assert paths(result) == ["a.md", "keep/tmp-2.md"]
        assert result.skipped == []

    def test_the_ignore_file_of_the_vault_counts_too(self, vault: Path) -> None:
        write(vault, "a.md", "private/b.md", "c.md")
        write(vault, ".quireignore", text="# mine\nprivate/\n")
        assert paths(scan(vault, ["c.md"])) == ["a.md"]

    def test_a_bad_pattern_in_the_settings_is_an_error_that_names_it(self, vault: Path) -> None:
        with pytest.raises(ConfigError, match=r"scan\.ignore.*'!'"):
            scan(vault, ["!"])

    def test_a_bad_line_in_the_ignore_file_is_reported_and_the_rest_counts(self, vault: Path) -> None:
        write(vault, "a.md", "b.md")
        write(vault, ".quireignore", text="b.md\n!\n")
        result = scan(vault)
        assert paths(result) == ["a.md"]
        assert reasons(result)[".quireignore"].startswith("line 2")

    def test_an_ignore_file_that_leads_outside_is_not_read(self, vault: Path, tmp_path: Path) -> None:
        write(tmp_path, "rules", text="*.md\n")
        write(vault, "a.md")
        (vault / ".quireignore").symlink_to(tmp_path / "rules")
        result = scan(vault)
        assert paths(result) == ["a.md"]
        assert "outside" in reasons(result)[".quireignore"]


class TestLinks:
    def test_links_out_of_the_vault_are_not_followed(self, vault: Path, tmp_path: Path) -> None:
        write(tmp_path, "outside/secret.md", "vault-too/near.md")
        (vault / "escape.md").symlink_to("../outside/secret.md")
        (vault / "folder").symlink_to(tmp_path / "outside")
        (vault / "near").symlink_to(tmp_path / "vault-too")
        result = scan(vault)
        assert paths(result) == []
        assert all("outside" in reason for reason in reasons(result).values())
        assert set(reasons(result)) == {"escape.md", "folder", "near"}

    def test_a_link_to_an_indexed_note_does_not_index_it_twice(self, vault: Path) -> None:
        write(vault, "sub/real.md")
        (vault / "a-link.md").symlink_to("sub/real.md")
        (vault / "a-folder").symlink_to("sub")
        result = scan(vault)
        assert paths(result) == ["sub/real.md"]
        assert all("already" in reason for reason in reasons(result).values())
        assert len(result.skipped) == 2

    def test_a_link_to_what_is_not_reached_otherwise_is_followed_once(self, vault: Path) -> None:
        write(vault, ".store/in/a.md", "plain.txt")
        (vault / "note.md").symlink_to("plain.txt")
        (vault / "one").symlink_to(".store/in")
        (vault / "two").symlink_to(".store/in")
        result = scan(vault)
        assert paths(result) == ["note.md", "one/a.md"]
        assert "already" in reasons(result)["two"]
        assert read_bytes(vault, "one/a.md") == b"x\n"

    def test_circles_and_dangling_links_end(self, vault: Path) -> None:
        write(vault, "a.md")
        (vault / "here").symlink_to(".")
        (vault / "sub").mkdir()
        (vault / "sub/up").symlink_to("..")
        (vault / "self.md").symlink_to("self.md")
        (vault / "gone.md").symlink_to("nothing.md")
        result = scan(vault)
        assert paths(result) == ["a.md"]
        assert set(reasons(result)) == {"here", "sub/up", "self.md", "gone.md"}

    def test_the_vault_itself_may_be_a_link(self, vault: Path, tmp_path: Path) -> None:
        write(vault, "a.md")
        (tmp_path / "alias").symlink_to(vault)
        assert paths(scan(tmp_path / "alias")) == ["a.md"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX files")
class TestSpecialFiles:
    def test_pipes_sockets_and_devices_are_never_opened(
        self, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.mkfifo(vault / "pipe.md")
        (vault / "zero.md").symlink_to("/dev/zero")
        # The path of a socket is short on every system.
        monkeypatch.chdir(vault)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.md")
            result = scan(vault)
        assert paths(result) == []
        assert "a pipe" in reasons(result)["pipe.md"]
        assert "a socket" in reasons(result)["socket.md"]
        assert "outside" in reasons(result)["zero.md"]

    def test_reading_a_pipe_is_refused_at_once(self, vault: Path) -> None:
        os.mkfifo(vault / "pipe.md")
        with pytest.raises(VaultError, match="not a regular file"):
            read_bytes(vault, "pipe.md")


class TestReadBytes:
    def test_it_gives_the_bytes_and_the_state(self, vault: Path) -> None:
        write(vault, "x/a.md", text="hello")
        data, stat = read_file(vault, "x/a.md")
        assert (data, stat.size) == (b"hello", 5)
        assert stat == scan(vault).files[0].stat

    @pytest.mark.parametrize("path", ["", "/etc/hostname", "../secret.md", "x/../../secret.md", "a\0b.md"])
    def test_a_path_that_leaves_the_vault_is_refused(self, vault: Path, tmp_path: Path, path: str) -> None:
        write(tmp_path, "secret.md")
        with pytest.raises(VaultError, match="not a path inside the vault"):
            read_bytes(vault, path)

    def test_links_are_followed_inside_only(self, vault: Path, tmp_path: Path) -> None:
        write(tmp_path, "secret.md", "out/inner.md")
        write(vault, "real.md", text="inside")
        (vault / "in.md").symlink_to("real.md")
        (vault / "out.md").symlink_to("../secret.md")
        (vault / "folder").symlink_to("../out")
        assert read_bytes(vault, "in.md") == b"inside"
        for path in ("out.md", "folder/inner.md"):
            with pytest.raises(VaultError, match="outside the vault"):
                read_bytes(vault, path)

    def test_missing_and_too_large_files_say_so(self, vault: Path) -> None:
        write(vault, "a.md", text="12345")
        with pytest.raises(VaultError, match=r"^b\.md: no such file"):
            read_bytes(vault, "b.md")
        with pytest.raises(VaultError, match="too large"):
            read_bytes(vault, "a.md", 4)
        assert read_bytes(vault, "a.md", 5) == b"12345"
