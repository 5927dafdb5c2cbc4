"""What kind of thing a question asks for, and whether a sentence holds one; by word lists and patterns."""

from __future__ import annotations

import re
from typing import Literal

from quire_engine.analysis import STOP_WORDS, fold

AnswerType = Literal["person", "place", "time", "number", "money", "share", "duration", "reason", "name"]
MEASURES: frozenset[AnswerType] = frozenset({"time", "number", "money", "share", "duration"})
"""What digits or number words answer."""

_UNITS = (
    r"(?:years?|months?|weeks?|days?|hours?|minutes?|seconds?|decades?|centur(?:y|ies)|jahre?n?|"
    r"monate?n?|wochen?|"
    r"tagen?|stunden?|minuten|anos?|meses|dias|horas|ans|annees?|mois|jours|heures|лет|года?|дней|часов)"
)
_PATTERNS: tuple[tuple[AnswerType, str], ...] = (
    (
        "duration",
        r"\bhow (?:long|old)\b|\bwie (?:lange|alt)\b|\bcuanto tiempo\b|\bcombien de temps\b|"
        r"\bwhat (?:was |is )?the "
        r"(?:duration|length of time|age)\b|\bсколько (?:времени|лет)\b",
    ),
    (
        "money",
        r"\bhow much (?:money|did .{1,60} (?:cost|pay|spend|earn|raise))|\bhow expensive\b|"
        r"\bwhat .{0,40}\b(?:price|cost|"
        r"salary|budget|revenue|fee|fine)\b|\bwas kostet\b|\bwie teuer\b|\bcuanto cuesta\b|\bcombien coute\b",
    ),
    (
        "share",
        r"\bwhat (?:percent|percentage|share|proportion|fraction|portion)|\bhow (?:large|"
        r"big) a (?:share|part)\b"
        r"|\bwieviel prozent|\bwelcher anteil|\bque porcentaje|\bquel pourcentage|\bкакой процент",
    ),
    (
        "number",
        r"\bhow (?:many|much|tall|high|far|deep|fast|large|big|wide|heavy|often)\b|\bwhat (?:is |"
        r"was )?the (?:number|"
        r"amount|population|score|total|size|height|depth|distance|temperature|speed|area|weight|"
        r"rate|ratio)\b|"
        r"\bwhat number\b|\bwie ?viele?\b|\bwie (?:hoch|weit|tief|schnell|gross|oft)\b|"
        r"\bcuant[oa]s?\b|\bcombien\b|"
        r"\bquant[aei]?s?\b|\bсколько\b|\bkolik\b",
    ),
    (
        "time",
        r"\bwhen\b|\bwhat (?:year|date|day|month|decade|century|time|era|period)\b|\bwhich (?:year|"
        r"date|day|month|"
        r"decade|century|era|period)\b|\b(?:in|on|by|since|until|during) (?:what|which) (?:year|"
        r"date|day|month|decade|"
        r"century)\b|\bwann\b|\bin welchem (?:jahr|monat|jahrhundert)|\bseit wann\b|\bcuando\b|"
        r"\ben que (?:ano|fecha)|"
        r"\bquand\b|\ben quelle annee|\bquando\b|\bкогда\b|\bв каком году",
    ),
    (
        "place",
        r"\bwhere\b|\b(?:what|which) (?:city|country|state|town|region|place|location|county|"
        r"continent|island|"
        r"province|river|village|building|nation|area)\b|\bwo(?:her|hin)?\b|"
        r"\bin welche[mr] (?:stadt|land)|\bdonde\b|"
        r"\bou (?:est|se|sont)\b|\bdove\b|\bonde\b|\bгде\b|\bоткуда\b|\bкуда\b",
    ),
    (
        "person",
        r"\bwho(?:se|m|s)?\b|\b(?:what|which) (?:person|man|woman|scientist|king|queen|president|"
        r"author|artist|player|"
        r"leader|emperor|actor|actress|singer|director|inventor|architect|pope|mathematician|"
        r"physicist)\b|\bwe(?:r|n|m|ssen)\b|"
        r"\bquien(?:es)?\b|\bqui\b|\bchi\b|\bquem\b|\bкто\b|\bкого\b|\bчей\b",
    ),
    (
        "reason",
        r"\bwhy\b|\bwhat (?:is|was|were|are) the (?:reasons?|cause|purpose)\b|\bwhat (?:caused|"
        r"causes)\b|\bwarum\b|\bwieso\b|"
        r"\bweshalb\b|\bpor ?que\b|\bpourquoi\b|\bperche\b|\bпочему\b|\bзачем\b",
    ),
    (
        "name",
        r"\b(?:what|which) .{0,60}\b(?:name|called|named|title|company|team|organi[sz]ation|band|"
        r"language|university|"
        r"school|book|film|movie|album|song|group|party|newspaper|network|award|magazine|brand)\b|"
        r"\bname the\b|\bwhat is .{1,40} called\b",
    ),
)
_ASKS = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
_NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million "
    "billion dozen half third "
    "quarter twice ein eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dos tres "
    "cuatro cinco seis siete ocho "
    "nueve diez deux trois quatre cinq sept huit neuf dix"
).split()
_MONTHS = (
    "january february march april may june july august september october november december jan feb "
    "mar apr jun jul aug "
    "sept sep oct nov dec januar februar marz mai juni juli oktober dezember enero febrero marzo "
    "abril mayo junio julio "
    "agosto septiembre octubre noviembre diciembre janvier fevrier mars avril juin juillet aout "
    "septembre octobre "
    "novembre decembre"
).split()
_DAYS = (
    "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch "
    "donnerstag freitag samstag sonntag"
).split()
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_YEAR = re.compile(r"\b(?:1\d{3}|20\d{2})s?\b|\b\d{1,4} (?:bc|ad|bce|ce)\b|\b\d{1,2}(?:st|nd|rd|th) centur")
_TIME_WORDS = re.compile(
    r"\b(?:"
    + "|".join([*(month for month in _MONTHS if month not in ("may", "mai")), *_DAYS])
    + r")\b|\b(?:may|mai) \d|\d (?:may|mai)\b|\b(?:century|"
    r"decade|today|yesterday|tomorrow|morning|evening|noon|midnight|summer|winter|autumn|spring)\b|"
    r"\b\d{1,2}:\d{2}\b"
)
_MONEY = re.compile(
    r"[$€£¥₹]\s?\d|\b\d[\d.,]*\s?(?:million |billion )?(?:dollars?|euros?|pounds?|usd|eur|gbp|yen|"
    r"francs?|marks?|cents?)\b"
)
_SHARE = re.compile(
    r"\d\s?%|\bper ?cent\b|\bprozent\b|\b(?:half|third|quarter|two-thirds|majority|most|one-)\b|"
    r"\bpor ciento\b|\bpour cent\b"
)
_DURATION = re.compile(rf"(?:\d|\b(?:{'|'.join(_NUMBER_WORDS)})\b)[\w\s,.-]{{0,12}}\b{_UNITS}\b")
_REASON = re.compile(
    r"\b(?:because|due to|since|therefore|thus|so that|in order to|caused?|owing|result(?:s|ed|"
    r"ing)?|reasons?|led to|thanks to|as a "
    r"consequence|to (?:avoid|prevent|make|allow|ensure|keep|protect|reduce|help|provide|get)|weil|"
    r"da|denn|wegen|damit|deshalb|"
    r"porque|debido|ya que|parce que|car|afin|grace a|poiche|потому|поскольку|из-за)\b"
)
_CAPITAL = re.compile(r"\b[A-ZÀ-ÖØ-ÞА-Я][\w'’.-]*")


def expected(question: str) -> AnswerType | None:
    """What ``question`` asks for; ``None`` where its words do not tell."""
    text = fold(question)
    return next((kind for kind, pattern in _ASKS if pattern.search(text)), None)


def names(text: str, *, first: bool = True) -> list[str]:
    """Capitalised words of ``text``; its first only with ``first``, and never a stop word."""
    return [
        match.group()
        for match in _CAPITAL.finditer(text)
        if fold(match.group()) not in STOP_WORDS and (first or match.start() > 0)
    ]


def numbers(text: str) -> set[str]:
    """Numbers of ``text``: digits without separators, and number words."""
    folded = fold(text)
    digits = {re.sub(r"[.,]", "", match) for match in _DIGITS.findall(folded)}
    return digits | (set(re.findall(r"[^\W\d_]+", folded)) & set(_NUMBER_WORDS))


def holds(kind: AnswerType, sentence: str, question: str) -> bool:
    """Whether ``sentence`` holds something of ``kind`` that ``question`` does not say itself."""
    folded = fold(sentence)
    match kind:
        case "time":
            asked = set(_YEAR.findall(fold(question)))
            return bool(set(_YEAR.findall(folded)) - asked) or bool(_TIME_WORDS.search(folded))
        case "number":
            return bool(numbers(sentence) - numbers(question))
        case "money":
            return bool(_MONEY.search(folded))
        case "share":
            return bool(_SHARE.search(folded))
        case "duration":
            return bool(_DURATION.search(folded))
        case "reason":
            return bool(_REASON.search(folded))
        case "person" | "name" | "place":
            known = set(re.findall(r"\w+", fold(question)))
            return any(
                not set(re.findall(r"\w+", fold(name))) <= known for name in names(sentence, first=True)
            )
