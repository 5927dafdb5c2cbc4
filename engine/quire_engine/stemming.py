"""Stems of words by Snowball's rules: a word's script chooses them, and for some scripts the language."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

from quire_engine.language_tables import SCRIPTS
from quire_engine.languages import languages_of_script

ALGORITHMS: Mapping[str, str] = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese",
    "nl": "dutch", "sv": "swedish", "da": "danish", "nb": "norwegian", "fi": "finnish", "hu": "hungarian",
    "pl": "polish", "cs": "czech", "tr": "turkish", "ro": "romanian", "ca": "catalan", "id": "indonesian",
    "lt": "lithuanian", "et": "estonian", "eu": "basque", "ga": "irish", "eo": "esperanto",
    "ru": "russian", "ar": "arabic", "fa": "persian", "hi": "hindi", "ne": "nepali", "el": "greek",
    "hy": "armenian", "ta": "tamil", "yi": "yiddish",
}  # fmt: skip
"""Snowball's algorithm for a language."""
OWN_STEMS = tuple(
    code
    for code in ALGORITHMS
    if code != "en" and not any(codes and codes[0] == code for _, codes in SCRIPTS)
)
"""The languages whose words have other stems than those of other languages in their script."""
_STEMMING = threading.Lock()


def stemmed_as(word: str, language: str) -> str:
    """The language by whose rules ``word`` is stemmed in a text that is in ``language``; "" when by none.

    Where the language is not written in the word's script, or has no rules of its own, the likeliest language
    of the script stands in for it: English, Russian, Arabic, Hindi.
    """
    codes = languages_of_script(word[0])
    if language in codes and language in ALGORITHMS:
        return language
    return codes[0] if codes and codes[0] in ALGORITHMS else ""


def stem(word: str, language: str) -> str:
    """``word``, in lower case, without the endings that the rules of ``language`` (a key above) know."""
    with _STEMMING:  # a stemmer keeps the word that it works on
        stemmed: str = _stemmer(language).stemWord(word)
    return stemmed or word


@cache
def _stemmer(language: str) -> Any:
    import Stemmer

    return Stemmer.Stemmer(ALGORITHMS[language])
