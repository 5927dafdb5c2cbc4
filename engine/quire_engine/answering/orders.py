"""Text that addresses the language model instead of its reader: orders to forget its own, turns of a chat."""

from __future__ import annotations

import re

from quire_engine.analysis import fold
from quire_engine.answering.prompts import holds_turn

_WINDOW = 60
"""Characters of one sentence within which an order stands."""
_ORDERS = (
    # English
    "ignore disregard forget override bypass",
    "previous prior above earlier preceding foregoing your all system",
    "instruction instructions prompt prompts rule rules guideline guidelines directive directives",
    # German
    "ignoriere ignorier ignorieren vergiss vergessen missachte",
    "vorherigen vorigen bisherigen früheren obigen vorangegangenen vorangehenden alle deine",
    "anweisung anweisungen instruktionen regeln befehle vorgaben aufforderungen",
    # French
    "ignore ignorez oublie oubliez",
    "précédentes antérieures toutes tes vos dessus",
    "instructions consignes règles directives",
    # Spanish
    "ignora ignore ignorad olvida olvide descarta",
    "anteriores previas todas tus sus",
    "instrucciones indicaciones reglas órdenes",
    # Italian
    "ignora ignorate dimentica",
    "precedenti tutte tue",
    "istruzioni indicazioni regole",
    # Portuguese
    "ignore ignora esqueça desconsidere",
    "anteriores todas suas",
    "instruções indicações regras",
    # Dutch
    "negeer vergeet",
    "vorige eerdere voorgaande bovenstaande alle je",
    "instructies aanwijzingen regels opdrachten",
    # Russian
    "игнорируй игнорируйте проигнорируй проигнорируйте забудь забудьте",
    "предыдущие прежние вышеуказанные все свои",
    "инструкции указания команды правила",
    # Arabic
    "تجاهل انس",
    "السابقة جميع كل",
    "التعليمات الأوامر تعليماتك",
)
"""For each language in turn: verbs, which of them is meant, and what it is that the model was told."""
_UNSPACED = (
    r"(?:忽略|忽视|忽視|无视|無視|忘记|忘記)[^。！？]{0,20}?(?:之前|以前|先前|以上|上述|前面|所有)"
    r"[^。！？]{0,10}?(?:指令|指示|提示|命令|规则|規則)",
    r"(?:これまで|以前|前|上記|すべて)[^。！？]{0,10}?(?:指示|命令|指令|プロンプト)[^。！？]{0,6}?(?:無視|忘れ)",
    r"(?:이전|위의|모든)[^.!?]{0,10}?(?:지시|명령|지침)[^.!?]{0,6}?(?:무시|잊)",
)


def _any(words: str) -> str:
    return rf"\b(?:{'|'.join(map(re.escape, fold(words).split()))})\b"


_ORDER = re.compile(
    "|".join(
        rf"{_any(verbs)}(?=[^.!?]{{0,{_WINDOW}}}?{_any(which)})[^.!?]{{0,{_WINDOW}}}?{_any(told)}"
        for verbs, which, told in zip(_ORDERS[::3], _ORDERS[1::3], _ORDERS[2::3], strict=True)
    )
)
_UNSPACED_ORDER = re.compile("|".join(_UNSPACED))
_PARAGRAPH_END = re.compile(r"\n(?:[^\S\n]*+\n)++")


def addresses_model(text: str) -> bool:
    """Whether ``text`` tells a language model to forget what it was told, or imitates its prompt."""
    return bool(holds_turn(text) or _ORDER.search(fold(text)) or _UNSPACED_ORDER.search(text))


def paragraphs_of_orders(text: str) -> list[tuple[int, int]]:
    """(start, end) of the paragraphs of ``text`` that address the model: what an order says follows it."""
    ends = [*(match.span() for match in _PARAGRAPH_END.finditer(text)), (len(text), len(text))]
    starts = [0, *(end for _, end in ends)]
    spans = [(start, end) for start, (end, _) in zip(starts, ends, strict=False)]
    return [(start, end) for start, end in spans if addresses_model(text[start:end])]
