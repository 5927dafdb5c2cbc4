"""Files of Quire's own: whole, private, and never believed without a look."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from quire_engine.errors import ConfigError
from quire_engine.json_files import JsonFormat


@dataclass(frozen=True)
class Pear:
    name: str
    weight: float
    seeds: tuple[int, ...] = ()


PEARS = JsonFormat("saved pear", "quire.pear/2", "grow one", TypeAdapter(Pear), most_bytes=2**20)


def kept(pear: Pear, path: Path) -> Pear:
    PEARS.write(PEARS.document(pear), path)
    return PEARS.value(PEARS.read(path), path)


class TestWriting:
    def test_what_was_written_comes_back(self, tmp_path: Path) -> None:
        pear = Pear("é\u2028\x1b[31m", 0.1, (1, 2**63))
        assert kept(pear, tmp_path / "pear.json") == pear
        assert (tmp_path / "pear.json").read_bytes().startswith(b'{"schema": "quire.pear/2", "name": ')
        assert (tmp_path / "pear.json").read_text("ascii").count("\n") == 1

    def test_what_json_and_utf8_have_no_word_for(self, tmp_path: Path) -> None:
        assert kept(Pear("a\ud800b", float("-inf")), tmp_path / "pear.json") == Pear("a\ufffdb", 0.0)

    def test_it_is_the_users_alone_and_nothing_is_left_beside(self, tmp_path: Path) -> None:
        (tmp_path / "real.json").write_text("old")
        (tmp_path / "real.json").chmod(0o644)
        (tmp_path / "link.json").symlink_to("real.json")
        kept(Pear("a", 1.0), tmp_path / "link.json")
        assert (tmp_path / "link.json").is_symlink()
        assert stat.S_IMODE((tmp_path / "real.json").stat().st_mode) == 0o600
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "real.json"]

    def test_a_name_as_long_as_names_can_be(self, tmp_path: Path) -> None:
        kept(Pear("a", 1.0), tmp_path / f"{'p' * 250}.json")

    def test_what_cannot_be_written_leaves_what_was_there(self, tmp_path: Path) -> None:
        (tmp_path / "pear.json").mkdir()
        (tmp_path / "pear.json/stone").touch()
        for place in ("pear.json", "missing/pear.json"):
            with pytest.raises(ConfigError, match=rf"cannot write .*{place}"):
                kept(Pear("a", 1.0), tmp_path / place)
        assert [path.name for path in tmp_path.iterdir()] == ["pear.json"]


class TestReading:
    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("", "is no saved pear: it is not JSON; grow one"),
            ("null", r"is no saved pear \(quire\.pear/2\); grow one"),
            ('{"schema": "quire.apple/2"}', r"is no saved pear \(quire\.pear/2\)"),
            ('{"schema": "quire.pear/\\u001b"}', r"is no saved pear \(quire\.pear/2\)"),
            ('{"schema": "quire.pear/3"}', r"was written by a newer Quire \(quire\.pear/3\)"),
            pytest.param(" " * (2**20 + 1), "is no saved pear: it is larger than 1 MiB", id="large"),
            pytest.param("[" * 200_000, "is no saved pear: it is not JSON", id="deep"),
            ('{"schema": "quire.pear/2"}', "is a damaged saved pear: name: Field required; grow one"),
            ('{"schema": "quire.pear/2", "weight": 1e999}', "is a damaged saved pear: it holds numbers"),
            ('{"schema": "quire.pear/2", "weight": NaN}', "is a damaged saved pear: it holds numbers"),
            (f'{{"schema": "quire.pear/2", "weight": {"9" * 30}}}', "damaged saved pear: it holds numbers"),
            ('{"schema": "quire.pear/2", "name": "a", "weight": "nan"}', "damaged saved pear: weight: "),
            ('{"schema": "quire.pear/2", "name": "\\ud800", "weight": 1}', "is a damaged saved pear: "),
        ],
    )
    def test_anything_else_is_one_clear_line(self, tmp_path: Path, content: str, complaint: str) -> None:
        path = tmp_path / "pear.json"
        path.write_text(content)
        with pytest.raises(ConfigError, match=complaint) as caught:
            PEARS.value(PEARS.read(path), path)
        assert str(caught.value).isprintable()

    def test_what_is_no_file_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for name, complaint in (
            ("pipe", "no regular file"),
            (".", "no regular file"),
            ("none", "no such file"),
        ):
            with pytest.raises(ConfigError, match=f"cannot read .*{complaint}"):
                PEARS.read(tmp_path / name)

    def test_fields_of_later_versions_are_left_aside(self, tmp_path: Path) -> None:
        path = tmp_path / "pear.json"
        path.write_text('{"mood": {}, "weight": 1, "name": "a", "schema": "quire.pear/2"}')
        assert PEARS.value(PEARS.read(path), path) == Pear("a", 1.0)
