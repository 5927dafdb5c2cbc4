"""The wheel holds what it should, works without the checkout, and the constraints fit the requirements."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def pip(*arguments: str | Path, cwd: Path) -> None:
    result = run(sys.executable, "-m", "pip", *arguments, cwd=cwd, PIP_DISABLE_PIP_VERSION_CHECK="1")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--target", folder, wheel, cwd=folder)
    return folder


class TestWheel:
    def test_holds_every_source_and_data_file_of_both_packages(self, names: set[str]) -> None:
        expected = {
            path.relative_to(ROOT / top).as_posix()
            for top in ("app", "engine")
            for path in (ROOT / top).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        assert {name for name in names if ".dist-info/" not in name} == expected

    def test_holds_what_code_reads_beside_itself(self, names: set[str]) -> None:
        assert {"quire/py.typed", "quire_engine/py.typed"} <= names
        assert "quire_engine/inference/catalogue.toml" in names
        styles = {path.relative_to(ROOT / "app").as_posix() for path in (ROOT / "app").rglob("*.tcss")}
        assert styles <= names

    def test_puts_nothing_else_into_site_packages(self, names: set[str]) -> None:
        assert {name.split("/")[0].split("-")[0] for name in names} == {"quire", "quire_engine"}
        unwanted = [name for name in names if "test" in name or name.endswith(".pyc")]
        assert not unwanted

    def test_carries_the_licence_the_command_and_the_version(self, wheel: Path, names: set[str]) -> None:
        with zipfile.ZipFile(wheel) as archive:
            info = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
            metadata = message_from_string(archive.read(f"{info}/METADATA").decode())
            commands = archive.read(f"{info}/entry_points.txt").decode()
        assert f"{info}/licenses/LICENSE" in names
        assert metadata["License-Expression"] == "Apache-2.0"
        version = (ROOT / "engine/quire_engine/_version.py").read_text()
        assert f'"{metadata["Version"]}"' in version
        assert "quire = quire.cli.main:main" in commands


class TestInstalled:
    """The wheel alone, from a folder that is not the checkout."""

    @pytest.fixture
    def elsewhere(self, tmp_path: Path) -> Path:
        vault = tmp_path / "vault"
        vault.mkdir()
        (vault / "Bread.md").write_text("# Sourdough\n\nLet the dough rise for nine hours in a cool room.\n")
        (vault / "Bikes.md").write_text("# Chains\n\nOil the chain after every ride in the rain.\n")
        return tmp_path

    def quire(self, installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(
            sys.executable,
            installed / "bin" / "quire",
            *arguments,
            cwd=folder,
            PYTHONPATH=str(installed),
            QUIRE_DATA_DIR=str(folder / "data"),
            QUIRE_CONFIG=str(folder / "config.toml"),
            QUIRE_NO_DAEMON="1",
        )

    def test_is_what_gets_imported(self, installed: Path, tmp_path: Path) -> None:
        code = "import quire, quire_engine; print(quire.__file__); print(quire_engine.__file__)"
        result = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed))
        assert result.stdout.split() == [
            str(installed / "quire" / "__init__.py"),
            str(installed / "quire_engine" / "__init__.py"),
        ]

    def test_help_works(self, installed: Path, tmp_path: Path) -> None:
        result = self.quire(installed, tmp_path, "--help")
        assert (result.returncode, result.stderr) == (0, "")
        assert "ask" in result.stdout

    def test_finds_a_passage_in_a_vault(self, installed: Path, elsewhere: Path) -> None:
        result = self.quire(
            installed, elsewhere, "search", "--vault", "vault", "--json", "how long should dough rise"
        )
        assert result.returncode == 0, result.stderr
        hit = json.loads(result.stdout)["hits"][0]
        assert (hit["path"], hit["headings"]) == ("Bread.md", ["Sourdough"])
        assert "nine hours" in hit["text"]
        assert (hit["start_line"], hit["end_line"]) == (3, 3)


def requirements() -> list[Requirement]:
    lines = [
        *PROJECT["project"]["dependencies"],
        *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
        *PROJECT["dependency-groups"]["dev"],
    ]
    return [Requirement(line) for line in lines]


def constraints() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class TestConstraints:
    def test_are_exact_public_versions_each_once(self) -> None:
        wrong = [
            line for line in constraints() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)
        ]
        assert wrong == []
        pinned = [canonicalize_name(line.partition("==")[0]) for line in constraints()]
        assert len(pinned) == len(set(pinned))

    @pytest.mark.parametrize("requirement", requirements(), ids=str)
    def test_cover_every_direct_requirement(self, requirement: Requirement) -> None:
        pinned = {
            canonicalize_name(name): Version(version)
            for name, _, version in (line.partition("==") for line in constraints())
        }
        assert canonicalize_name(requirement.name) in pinned
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])
