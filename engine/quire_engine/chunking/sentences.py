"""Sentences and names, through spaCy: a blank pipeline with rules, or an installed statistical one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quire_engine.errors import ConfigError
from quire_engine.records import Entity

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

_ABBREVIATIONS = frozenset(
    "al approx bzw ca cf co corp dept dr ed eds eg e.g est etc gen gov hr i.e ie inc jr lt ltd mr mrs ms mt "
    "prof rev sen sgt sr st str usw vgl viz vs z.b d.h u.a u.s u.k".split()
)
_BEFORE_NUMBERS = frozenset("art ch fig figs no nos nr op p pp ref refs vol".split())
"""Abbreviations only where a number follows, as in "No. 5"; "He said no." ends."""
_MONTHS = frozenset(
    "januar februar märz april mai juni juli august september oktober november dezember".split()
)
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_UNMARKED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_BOUNDARY = re.compile(
    r"(?P<stop>[.!?…]+|[。．！？｡।॥؟۔։።]+)(?P<close>[\"'”’»)\]}」』）】*_~=]*(?:\[\^[^\]\s]{1,40}\])*)"
    r"(?P<gap>\s*)"
    r"|(?P<line>(?<![ \t])[ \t]*+\n\s*)"
    f"|(?<=[{_UNMARKED}])(?P<space>[ \t]+)(?=[{_UNMARKED}])"
)
_NEXT_WORD = re.compile(r"\w{1,20}")
_LAST_WORD = re.compile(r"[^\W_][\w.]*$")
_SHORT_LINE = 50
"""A line shorter than this was broken on purpose, not wrapped."""
_CLAUSE_LENGTH = 60
"""Thai, Lao, Khmer and Burmese mark no sentences; a space after this many characters ends one."""
_STATISTICAL = {
    "en": ("en_core_web_sm", "en_core_web_md", "en_core_web_lg"),
    "zh": ("zh_core_web_sm", "zh_core_web_md"),
    "ja": ("ja_core_news_sm", "ja_core_news_md"),
    **{
        code: (f"{code}_core_news_sm", f"{code}_core_news_md")
        for code in "ca da de el es fi fr hr it ko lt mk nb nl pl pt ro ru sl sv uk".split()
    },
}
_SLICE = 50_000
"""Characters that go through a pipeline at once; bounds the memory that a hostile note costs."""
_SYMBOLS = re.compile(r"(?:[^\w\s]|_){64,}")
"""spaCy peels such a run off character by character, in time that grows with its square."""


class LanguageTools:
    """Splits text into sentences and finds names in it, with the best pipeline at hand."""

    def __init__(self, pipelines: Mapping[str, str] | None = None) -> None:
        """Build the blank pipeline and look for installed ones; ``pipelines`` maps languages to them.

        Raises `ConfigError` when a pipeline named in the settings cannot be loaded.
        """
        import spacy

        self._spacy = spacy
        self._blank = _blank_pipeline()
        self._names = dict(pipelines or {})
        for code, candidates in _STATISTICAL.items():
            for name in candidates:
                if code not in self._names and spacy.util.is_package(name):
                    self._names[code] = name
        self._loaded: dict[str, Language] = {}
        self._stop_words = {code: _stop_words(code) for code in self._names}

    @property
    def tokenizer(self) -> Language:
        """The blank pipeline, whose tokens names are matched on."""
        return self._blank

    def language(self, text: str) -> str | None:
        """The language among those with an installed pipeline that ``text`` is most likely in."""
        if not self._names:
            return None
        words = [token.lower_ for token in self._blank.make_doc(_tame(text[:4000])) if token.is_alpha]
        shares = {code: sum(w in stop for w in words) for code, stop in self._stop_words.items()}
        best = max(shares, key=lambda code: shares[code])
        return best if words and shares[best] >= 0.15 * len(words) else None

    def spans(self, text: str, language: str | None = None) -> list[tuple[int, int]]:
        """Sentence spans in ``text``, trimmed of white space, in order, without gaps but white space."""
        found: list[tuple[int, int]] = []
        pipeline = self._pipeline(language)
        for offset in range(0, len(text), _SLICE):
            doc = pipeline(_tame(text[offset : offset + _SLICE]))
            for sentence in doc.sents:
                start, end = sentence.start_char + offset, sentence.end_char + offset
                while start < end and text[start].isspace():
                    start += 1
                while end > start and text[end - 1].isspace():
                    end -= 1
                if start < end:
                    found.append((start, end))
        return found

    def names(self, text: str, language: str | None = None) -> list[Entity]:
        """What the statistical recogniser of ``language`` finds, where one is installed."""
        if language is None:
            return []
        doc = self._pipeline(language)(_tame(text[:_SLICE]))
        return [Entity(" ".join(ent.text.split()), ent.label_) for ent in doc.ents if ent.label_]

    def _pipeline(self, language: str | None) -> Language:
        if language is None or language not in self._names:
            return self._blank
        if language not in self._loaded:
            name = self._names[language]
            try:
                pipeline = self._spacy.load(name, exclude=["lemmatizer", "tagger", "attribute_ruler"])
            except (OSError, ValueError, ImportError) as error:
                raise ConfigError(f"spaCy pipeline '{name}' cannot be loaded: {error}") from error
            if not {"parser", "senter", "sentencizer"} & set(pipeline.pipe_names):
                pipeline.add_pipe("quire_sentences")
            self._loaded[language] = pipeline
        return self._loaded[language]


class NameMatcher:
    """Finds the vault's own names (note titles, aliases, tags) in text, with spaCy's PhraseMatcher."""

    def __init__(self, tools: LanguageTools, names: Iterable[Entity]) -> None:
        """``names`` are matched without case; those of a single character are left out."""
        from spacy.matcher import PhraseMatcher

        self._pipeline = tools.tokenizer
        self._matcher = PhraseMatcher(self._pipeline.vocab, attr="LOWER")
        self._canonical: dict[tuple[str, str], str] = {}
        by_label: dict[str, list[Doc]] = {}
        for name in sorted(names, key=lambda name: (name.text, name.label)):
            doc = self._pipeline.make_doc(name.text[:200])
            if len(name.text) > 1 and 0 < len(doc) <= 20 and not name.text.isdigit():
                by_label.setdefault(name.label, []).append(doc)
                self._canonical.setdefault((name.label, doc.text.lower()), name.text)
        for label, docs in by_label.items():
            self._matcher.add(label, docs)

    def find(self, text: str) -> list[Entity]:
        """Names that stand in ``text``, each once, longest match first where they overlap, in order."""
        from spacy.util import filter_spans

        found: dict[Entity, None] = {}
        for offset in range(0, len(text), _SLICE):
            doc = self._pipeline.make_doc(_tame(text[offset : offset + _SLICE]))
            for span in filter_spans(self._matcher(doc, as_spans=True)):
                canonical = self._canonical.get((span.label_, span.text.lower()), span.text)
                found[Entity(canonical, span.label_)] = None
        return list(found)


def _tame(text: str) -> str:
    """``text`` with its long runs of symbols replaced, at the same length, up to their last one."""
    return _SYMBOLS.sub(lambda run: "-" * (len(run[0]) - 1) + run[0][-1], text)


def _stop_words(code: str) -> frozenset[str]:
    from spacy.util import get_lang_class

    try:
        return frozenset(get_lang_class(code).Defaults.stop_words)
    except ImportError as error:
        raise ConfigError(
            f"setting 'chunking.pipelines': spaCy knows no language {code!r}; give its code, as in 'en'"
        ) from error


def _blank_pipeline() -> Language:
    import spacy
    from spacy.language import Language
    from spacy.util import compile_infix_regex, compile_prefix_regex

    if not Language.has_factory("quire_sentences"):
        Language.component("quire_sentences", func=_mark_sentences)
    pipeline = spacy.blank("xx")
    defaults: Any = pipeline.Defaults
    tokenizer: Any = pipeline.tokenizer
    # One token per character where words are not spaced, so that names match inside a run of text and
    # sentences can end anywhere in it; the prefix rule covers what the infix rule never sees, position 0.
    tokenizer.infix_finditer = compile_infix_regex([*defaults.infixes, f"[{_UNSPACED}。．！？｡]"]).finditer
    tokenizer.prefix_search = compile_prefix_regex(
        [*defaults.prefixes, f"[{_UNSPACED}](?=[A-Za-z0-9])"]
    ).search
    pipeline.max_length = 10 * _SLICE
    pipeline.add_pipe("quire_sentences")
    return pipeline


def _mark_sentences(doc: Doc) -> Doc:
    """The spaCy component that marks where sentences start."""
    if not len(doc):
        return doc
    offsets = doc.to_array(["IDX"])
    marks = np.full(len(doc), -1, dtype=np.int64)
    starts = np.searchsorted(offsets, sentence_starts(doc.text))
    marks[starts[starts < len(doc)]] = 1
    marks[0] = 1
    array: Any = marks.astype(np.uint64).reshape(-1, 1)
    return doc.from_array(["SENT_START"], array)


def sentence_starts(text: str) -> list[int]:
    """Offsets at which sentences after the first begin, by punctuation, line breaks and script."""
    starts: list[int] = []
    begun = line = 0
    for match in _BOUNDARY.finditer(text):
        end = match.end()
        if match["line"] is not None:
            short = match.start() - line < _SHORT_LINE
            line = end
            if not short and match["line"].count("\n") == 1:
                continue
        elif match["space"] is not None:
            if end - begun < _CLAUSE_LENGTH:
                continue
        else:
            if "\n" in match["gap"]:
                line = end
            if not _ends_sentence(text, match):
                continue
        starts.append(end)
        begun = end
    return starts


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    stop, gap, end = match["stop"], match["gap"], match.end()
    if stop[0] not in ".!?…":
        return True
    if not gap:
        return False  # example.com, 3.5
    if stop != ".":
        # "Wait... what?" and '"Really?" he said.' go on
        return not ((stop[-1] in ".…" or match["close"]) and text[end : end + 1].islower())
    before = text[max(0, match.start() - 24) : match.start()]
    if before[-1:].isspace():
        return True  # a stop with a space before it is a stop, whatever follows
    found = _LAST_WORD.search(before)
    word = found.group() if found else ""
    if word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word.isupper()):
        return False
    if word.lower() in _BEFORE_NUMBERS and text[end : end + 1].isdigit():
        return False
    if word.isdigit() and len(word) <= 2:
        line = before[: -len(word)].rpartition("\n")[2]
        following = _NEXT_WORD.match(text, end)
        if not line.strip() or (following and following.group().lower() in _MONTHS):
            return False  # "1. Mix", "3. Oktober"
    return not text[end : end + 1].islower()
