"""Sentences and names: by rules and by the vault's own names, or by an installed spaCy pipeline.

spaCy takes over a second to import: only a pipeline and names to be matched are worth that.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

from quire_engine.chunking.rules import link_spans, sentence_spans
from quire_engine.errors import ConfigError
from quire_engine.languages import detect_language
from quire_engine.records import Entity

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_STATISTICAL = {
    "en": ("en_core_web_sm", "en_core_web_md", "en_core_web_lg"),
    "zh": ("zh_core_web_sm", "zh_core_web_md"),
    "ja": ("ja_core_news_sm", "ja_core_news_md"),
    **{
        code: (f"{code}_core_news_sm", f"{code}_core_news_md")
        for code in "ca da de el es fi fr hr it ko lt mk nb nl pl pt ro ru sl sv uk".split()
    },
}
_CODE = re.compile("[a-z]{2,3}")
_SLICE = 50_000
"""Characters that go through a pipeline at once; bounds the memory that a hostile note costs."""
_LONGEST_NAME = 200
_MOST_GONE = 1000
"""Names that a matcher has lost from which it is made anew: spaCy's frees no memory of what it removes."""
_MOST_WORDS = 300_000
"""Words that it has met from which it is made anew: spaCy remembers all of them, in about 300 bytes each."""
_SYMBOLS = re.compile(r"(?:[^\w\s]|_){64,}")
"""spaCy peels such a run off character by character, in time that grows with its square."""


class LanguageTools:
    """Splits text into sentences and finds names in it, with the best pipeline at hand."""

    def __init__(self, pipelines: Mapping[str, str] | None = None) -> None:
        """Look for installed pipelines; ``pipelines`` maps languages to others.

        Raises `ConfigError` for what is no language code.
        """
        if wrong := sorted(code for code in pipelines or () if not _CODE.fullmatch(code)):
            raise ConfigError(
                f"setting 'chunking.pipelines': {wrong[0]!r} is no language code; "
                "give its two or three letters, as in 'en'"
            )
        self._names = dict(pipelines or {})
        for code, candidates in _STATISTICAL.items():
            for name in candidates:
                if code not in self._names and _is_installed(name):
                    self._names[code] = name
        self._loaded: dict[str, Language] = {}
        self._using = threading.Lock()
        """Names are looked for in a thread of their own; what spaCy learns of words is not made for two."""

    def language(self, text: str) -> str | None:
        """The language of ``text``, where a pipeline for it is installed."""
        if not self._names:
            return None
        code = detect_language(text)
        return code if code in self._names else None

    def spans(self, text: str, language: str | None = None) -> list[tuple[int, int]]:
        """Sentence spans in ``text``, trimmed of white space, in order, without gaps but white space.

        Raises `ConfigError` when the pipeline of ``language`` cannot be loaded.
        """
        pipeline = self._pipeline(language)
        if pipeline is None or not {"parser", "senter", "sentencizer"} & set(pipeline.pipe_names):
            return sentence_spans(text)
        found: list[tuple[int, int]] = []
        for offset in range(0, len(text), _SLICE):
            with self._using:
                doc = pipeline(_tame(text[offset : offset + _SLICE]))
            for sentence in doc.sents:
                start, end = sentence.start_char + offset, sentence.end_char + offset
                while start < end and text[start].isspace():
                    start += 1
                while end > start and text[end - 1].isspace():
                    end -= 1
                if start < end:
                    found.append((start, end))
        return _with_whole_links(text, found)

    def names(self, text: str, language: str | None = None) -> list[Entity]:
        """What the statistical recogniser of ``language`` finds, where one is installed.

        Raises `ConfigError` when it cannot be loaded.
        """
        pipeline = self._pipeline(language)
        if pipeline is None:
            return []
        with self._using:
            doc = pipeline(_tame(text[:_SLICE]))
        return [Entity(" ".join(ent.text.split()), ent.label_) for ent in doc.ents if ent.label_]

    def _pipeline(self, language: str | None) -> Language | None:
        if language is None or language not in self._names:
            return None
        with self._using:
            if language not in self._loaded:
                import spacy

                name = self._names[language]
                try:
                    pipeline = spacy.load(name, exclude=["lemmatizer", "tagger", "attribute_ruler"])
                except (OSError, ValueError, ImportError) as error:
                    raise ConfigError(f"spaCy pipeline '{name}' cannot be loaded: {error}") from error
                self._loaded[language] = pipeline
            return self._loaded[language]


class NameMatcher:
    """Finds the vault's own names (note titles, aliases, tags) in text, with spaCy's PhraseMatcher.

    To be kept while names come and go: only those that differ cost anything.
    """

    def __init__(self, names: Iterable[Entity] = ()) -> None:
        """``names`` are matched without case; those of a single character are left out."""
        self._begin()
        self.set_names(names)

    def _begin(self) -> None:
        from spacy.matcher import PhraseMatcher

        self._tokenizer = _tokenizer()
        self._matcher = PhraseMatcher(self._tokenizer.vocab, attr="LOWER")
        self._names: frozenset[Entity] = frozenset()
        self._spellings: dict[str, set[Entity]] = {}
        """By what the matcher calls a name: its label and its tokens in lower case."""
        self._gone = 0

    def set_names(self, names: Iterable[Entity]) -> None:
        """Match ``names`` from now on, and no others."""
        names = frozenset(names)
        self._gone += len(self._names - names)
        if self._gone > max(_MOST_GONE, len(names)):
            self._begin()
        for name in self._names - names:
            if doc := self._tokens(name):
                key = _key(name.label, doc)
                self._spellings[key].discard(name)
                if not self._spellings[key]:
                    del self._spellings[key]
                    self._matcher.remove(key)
        for name in names - self._names:
            if doc := self._tokens(name):
                key = _key(name.label, doc)
                if key not in self._spellings:
                    self._spellings[key] = set()
                    self._matcher.add(key, [doc])
                self._spellings[key].add(name)
        self._names = names

    def find(self, text: str) -> list[Entity]:
        """Names that stand in ``text``, each once, longest match first where they overlap, in order.

        One that several notes spell differently is given as the first of them in the order of code points.
        """
        from spacy.util import filter_spans

        if len(self._tokenizer.vocab.strings) > _MOST_WORDS + 10 * len(self._names):
            names = self._names
            self._begin()
            self.set_names(names)
        found: dict[Entity, None] = {}
        for offset in range(0, len(text), _SLICE):
            doc = self._tokenizer.make_doc(_tame(text[offset : offset + _SLICE]))
            for span in filter_spans(self._matcher(doc, as_spans=True)):
                found[min(self._spellings[span.label_], key=lambda name: name.text)] = None
        return list(found)

    def _tokens(self, name: Entity) -> Doc | None:
        if len(name.text) < 2 or name.text.isdigit():
            return None
        doc = self._tokenizer.make_doc(name.text[:_LONGEST_NAME])
        return doc if 0 < len(doc) <= 20 else None


def _with_whole_links(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """``spans`` of sentences, those joined that a pipeline has parted inside a link."""
    links = link_spans(text)
    link = next(links, None)
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        while link and link[1] <= start:
            link = next(links, None)
        if joined and link and link[0] < start:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _key(label: str, doc: Doc) -> str:
    return "\0".join([label, *(token.lower_ for token in doc)])


def _tame(text: str) -> str:
    """``text`` with its long runs of symbols replaced, at the same length, up to their last one."""
    return _SYMBOLS.sub(lambda run: "-" * (len(run[0]) - 1) + run[0][-1], text)


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _tokenizer() -> Language:
    """A pipeline of no language that only makes tokens."""
    import spacy
    from spacy.util import compile_infix_regex, compile_prefix_regex

    pipeline = spacy.blank("xx")
    defaults: Any = pipeline.Defaults
    tokenizer: Any = pipeline.tokenizer
    # One token per character where words are not spaced, so that names match inside a run of text; the prefix
    # rule covers what the infix rule never sees, position 0.
    tokenizer.infix_finditer = compile_infix_regex([*defaults.infixes, f"[{_UNSPACED}。．！？｡]"]).finditer
    tokenizer.prefix_search = compile_prefix_regex(
        [*defaults.prefixes, f"[{_UNSPACED}](?=[A-Za-z0-9])"]
    ).search
    pipeline.max_length = 10 * _SLICE
    return pipeline
