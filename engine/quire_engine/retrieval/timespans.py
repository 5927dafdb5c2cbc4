"""The time that a question names, and how much it asks for what is recent: hints, never filters."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from quire_engine.analysis import fold
from quire_engine.moments import ago
from quire_engine.retrieval.question_words import any_of

Span = tuple[float | None, float | None]
"""(since, before) in Unix seconds, local time; ``None`` where it is open."""

_EARLIEST_YEAR = 2000
"""A note that says when it was written was hardly written before; an earlier year is one of history."""
_MONTHS = "january february march april may june july august september october november december".split()
_UNIT = r"(day|week|month|year)s?"
_NUMBERS = {
    word: number
    for number, word in enumerate("one two three four five six seven eight nine ten".split(), start=1)
} | {"couple of": 2, "few": 3, "several": 3}
_PAST = re.compile(
    rf"\b(?:(?:last|past|previous) (\d{{1,3}}|{'|'.join(_NUMBERS)}) {_UNIT}|past {_UNIT}|"
    rf"(\d{{1,3}}|{'|'.join(_NUMBERS)}|an?) {_UNIT} ago)\b"
)
_DAYS: tuple[tuple[int, float, re.Pattern[str]], ...] = (
    (
        0,
        0.5,  # "today" also means nowadays
        any_of(
            r"today\b|heute\b|aujourd.?hui\b|hoy\b|oggi\b|hoje\b|сегодня\b|اليوم\b|आज\b",
            "今天|今日|오늘|วันนี้",
        ),
    ),
    (
        1,
        0.8,
        any_of(
            r"yesterday\b|gestern\b|d.?hier\b|hier (?:soir|matin)\b|ayer\b|ieri\b|ontem\b|вчера\b|امس\b",
            "昨天|昨日|어제|เมื่อวาน",
        ),
    ),
)
_PERIODS: tuple[tuple[str, int, re.Pattern[str]], ...] = (
    (
        "w",
        0,
        any_of(
            r"this week\b|diese[rn]? woche\b|cette semaine\b|esta semana\b|questa settimana\b|этои неделе\b|"
            r"هذا الاسبوع|इस हफ्ते|इस सप्ताह",
            "这周|本周|這週|今週",
        ),
    ),
    (
        "w",
        1,
        any_of(
            r"last week\b|letzte[rn]? woche\b|vorige[rn]? woche\b|semaine derniere\b|semana pasada\b|"
            r"settimana scorsa\b|semana passada\b|прошлои неделе\b|الاسبوع الماضي|पिछले हफ्ते|पिछले सप्ताह",
            "上周|上週|先週|지난주",
        ),
    ),
    (
        "m",
        0,
        any_of(
            r"this month\b|diese[nm]? monat\b|ce mois\b|este mes\b|questo mese\b|этом месяце\b|"
            r"هذا الشهر|इस महीने",
            "这个月|本月|這個月|今月",
        ),
    ),
    (
        "m",
        1,
        any_of(
            r"last month\b|letzte[nr]? monat\b|mois dernier\b|mes pasado\b|mese scorso\b|mes passado\b|"
            r"прошлом месяце\b|الشهر الماضي|पिछले महीने",
            "上个月|上個月|先月|지난달",
        ),
    ),
    (
        "y",
        0,
        any_of(
            r"this year\b|dieses jahr\b|cette annee\b|este ano\b|quest.?anno\b|этом году\b|هذا العام|इस साल",
            "今年|올해",
        ),
    ),
    (
        "y",
        1,
        any_of(
            r"last year\b|letzte[ns]? jahr\b|annee derniere\b|ano pasado\b|anno scorso\b|ano passado\b|"
            r"прошлом году\b|العام الماضي|पिछले साल",
            "去年|작년",
        ),
    ),
)
_YEAR = r"(20\d\d)"
_OF_A_YEAR = re.compile(
    rf"\b(?P<how>in|im jahr|im jahre|during|since|from|after|before|until|seit|nach|vor|bis|en|depuis|apres|"
    rf"avant|desde|despues de|antes de|nel|dal|dopo|prima del|em|depois de|в|с|после|до|منذ|في|قبل|بعد)"
    rf" (?:the year )?(?:(?P<month>{'|'.join(_MONTHS)}),? )?{_YEAR}(?![\w-])"
)
_YEARS = re.compile(rf"\b(?:from|between|von|zwischen) {_YEAR} (?:to|until|and|till|bis|und) {_YEAR}\b")
_CJK_YEAR = re.compile(rf"{_YEAR}\s*年(?P<how>以来|以來|以后|以後|以降|之前|以前|前)?")
_OF_A_MONTH = re.compile(
    rf"\b(?P<how>in|since|from|after|before|until|during|last) (?P<month>{'|'.join(_MONTHS)})\b(?! \d)"
)
_SINCE = frozenset("since from seit depuis desde dal с منذ 以来 以來 以后 以後 以降".split())
_AFTER = frozenset("after nach apres despues_de dopo depois_de после بعد".split())
_BEFORE = frozenset("before until vor bis avant antes_de prima_del до قبل 之前 以前 前".split())
_LATEST = any_of(
    r"(?:latest|newest|most recent|recently|lately)\b|when did (?:i|we) last\b|last time (?:i|we)\b",
    r"(?:my|our|the) last (?:note|entry|meeting|update|call|version|log|conversation|session)\b",
    r"neueste|jungste|kurzlich|zuletzt|neulich|(?:l[ae]s? |mes? |ma )derni(?:er|ere)s?\b|recemment",
    r"mas reciente|recientemente|ultim[oa]s? (?:nota|reunion|riunione|reuniao|entrada|versi)|di recente",
    r"recentemente|недавн|последн(?:яя|ие|ии|юю) (?:замет|запис|встреч)|самы[еи] нов|احدث|مؤخرا",
    r"नवीनतम|हाल ही",
    "最近|最新|近来|近來|최근|최신",
)
_RECENT = any_of(
    r"recent\b|up to date\b|so far\b|these days\b|nowadays\b|aktuell|currently\b|right now\b|at the moment\b"
)


def time_of(text: str, now: float) -> tuple[Span, float]:
    """The time that ``text`` names, and its recency (0 to 1), as of ``now`` (Unix seconds).

    Years count from 2000 on: earlier ones are history, not when a note was written.
    """
    folded = fold(text)
    here = datetime.fromtimestamp(now)
    span, recency = _relative(folded, here)
    if span == (None, None):
        span = _dated(folded, here)
    if _LATEST.search(folded):
        recency = 1.0
    elif _RECENT.search(folded):
        recency = max(recency, 0.5)
    return span, recency


def _relative(text: str, here: datetime) -> tuple[Span, float]:
    today = here.replace(hour=0, minute=0, second=0, microsecond=0)
    for days, recency, pattern in _DAYS:
        if pattern.search(text):
            start = today - timedelta(days=days)
            return _span(start, start + timedelta(days=1)), recency
    for unit, back, pattern in _PERIODS:
        if pattern.search(text):
            return _span(*_period(today, unit, back)), 0.4 if unit == "y" else 0.7
    if match := _PAST.search(text):
        number, unit, lone_unit, ago_number, ago_unit = match.groups()
        letter = (unit or lone_unit or ago_unit)[0]
        amount = _number(number or ago_number or "1")
        try:
            start = ago(amount, letter, here.timestamp())
            end = ago(max(0, amount - 1), letter, here.timestamp()) if ago_unit else None
        except (ValueError, OverflowError):
            return (None, None), 0.0
        return _span(start, end), 0.3 if letter == "y" else 0.7
    return (None, None), 0.0


def _period(today: datetime, unit: str, back: int) -> tuple[datetime, datetime]:
    """The calendar week, month or year ``back`` before that of ``today``."""
    if unit == "w":
        start = today - timedelta(days=today.weekday() + 7 * back)
        return start, start + timedelta(days=7)
    if unit == "y":
        return _month(today.year - back, 1), _month(today.year - back + 1, 1)
    return _month(today.year, today.month - back), _month(today.year, today.month - back + 1)


def _dated(text: str, here: datetime) -> Span:
    if (match := _YEARS.search(text)) and int(match[2]) <= here.year + 1:
        return _span(_month(int(match[1]), 1), _month(int(match[2]) + 1, 1))
    if match := _OF_A_YEAR.search(text) or _CJK_YEAR.search(text):
        groups = match.groupdict()
        year = int(next(group for group in match.groups() if group and group.isdigit()))
        month = groups.get("month")
        how = (groups["how"] or "").replace(" ", "_")
    elif match := _OF_A_MONTH.search(text):
        month, how = match["month"], match["how"]
        year = here.year - (_MONTHS.index(month) + 1 > here.month)
    else:
        return None, None
    if not _EARLIEST_YEAR <= year <= here.year + 1:
        return None, None
    first = _MONTHS.index(month) + 1 if month else 1
    start, end = _month(year, first), _month(year, first + (1 if month else 12))
    if how in _SINCE:
        return _span(start, None)
    if how in _AFTER:
        return _span(end, None)
    return _span(None, start) if how in _BEFORE else _span(start, end)


def _month(year: int, month: int) -> datetime:
    years, month = divmod(month - 1, 12)
    return datetime(year + years, month + 1, 1)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS.get(text, 1)


def _span(start: datetime | None, end: datetime | None) -> Span:
    return (start.timestamp() if start else None, end.timestamp() if end else None)
