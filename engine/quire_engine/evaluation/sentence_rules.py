"""Forms of sentences that can be turned round into a question, each in one language."""

from __future__ import annotations

import re
from collections.abc import Callable

_SUBJECT = r"(?P<x>[^\W\d_][^.,;:!?()]{1,60}?)"
_END = r"[.。]?$"
_DETERMINED = r"(?:an?|the)\s"
DEFINITIONS = (
    (re.compile(rf"{_SUBJECT} (?P<v>is|are|was|were) (?P<a>{_DETERMINED}.+?){_END}"), "What {v} {x}?"),
    (
        re.compile(rf"{_SUBJECT} (?P<v>ist|sind|war|waren) (?P<a>(?:ein|eine|der|die|das)\s.+?){_END}"),
        "Was {v} {x}?",
    ),
    (
        re.compile(rf"{_SUBJECT} (?P<v>es|son|era|eran) (?P<a>(?:un|una|el|la|los|las)\s.+?){_END}"),
        "¿Qué {v} {x}?",
    ),
    (
        re.compile(rf"{_SUBJECT} (?P<v>est|sont) (?P<a>(?:un|une|le|la|les|des)\s.+?){_END}"),
        "Qu'est-ce que {x} ?",
    ),
)
VALUED = re.compile(
    r"the (?:usual|same|only|real|right|key)\b|the (?:\w+est|worst|most \w+)\b(?! \w+ (?:of|in) )"
    r"|an? (?:good|great|bad|nice|must)\b"
)
"""What judges, or says that there is nothing else, defines nothing."""
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = (
    rf"(?:\d{{1,2}} {_MONTH} \d{{4}}|{_MONTH} \d{{1,2}}, \d{{4}}|{_MONTH} \d{{4}}"
    r"|\d{4}-\d{2}-\d{2}|(?:1\d|20)\d\d)"
)
_PARTICIPLE = (
    r"(?P<v>\w+ed|begun|born|bought|built|drawn|found|given|held|made|put|sent|set|sold|told|written|won)"
)
_COUNT = r"\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty"
_COUNT_DE = r"\d[\d.,]*|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|zwanzig"
_ABOUT = r"(?:(?:about|around|nearly|up to|at least|at most|only|some|roughly) )?"
_ABOUT_DE = r"(?:(?:etwa|rund|ca\.|ungefähr|fast|knapp|über|nur|bis zu) )?"
_AMOUNT = r"(?:[€$£] ?\d[\d,.]*|\d[\d,.]* ?(?:[^\W\d_]+|[€$£%°]+[^\W\d_]?))"
_MONTH_DE = "(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)"
_DATE_DE = (
    rf"(?:\d{{1,2}}\. {_MONTH_DE} \d{{4}}"
    r"|\d{1,2}\.\d{1,2}\.\d{4}|(?:1\d|20)\d\d)"
)
_BASE = {
    "began": "begin", "opened": "open", "started": "start", "ended": "end", "died": "die", "closed": "close",
    "appeared": "appear", "has": "have", "have": "have", "had": "have", "reaches": "reach",
}  # fmt: skip


def _do(found: re.Match[str]) -> str:
    verb = found["v"]
    return "did" if verb in ("had", "cost") else "does" if verb.endswith("s") else "do"


def _base(found: re.Match[str]) -> str:
    return _BASE.get(found["v"]) or found["v"].removesuffix("s")


RULES: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str], str], str]], ...] = (
    (
        "date",
        re.compile(
            rf"{_SUBJECT} (?P<be>was|were) {_PARTICIPLE}(?P<rest> [^.]{{0,60}}?)? (?:in|on) (?P<a>{_DATE})\b"
        ),
        lambda m, x: f"When {m['be']} {x} {m['v']}{m['rest'] or ''}?",
    ),
    (
        "date",
        re.compile(
            rf"{_SUBJECT} (?P<v>began|opened|started|ended|died|closed|appeared) (?:in|on) (?P<a>{_DATE})\b"
        ),
        lambda m, x: f"When did {x} {_base(m)}?",
    ),
    (
        "date",
        re.compile(
            rf"{_SUBJECT} (?P<be>wurden?) (?:im Jahre? |am |im )?(?P<a>{_DATE_DE})"
            r"(?P<rest> [^.,;]{2,50}?)? (?P<v>(?:ge|be|er|ver|ent)\w+|\w+ge\w+|\w+iert)[.,;]?$"
        ),
        lambda m, x: f"Wann {m['be']} {x}{m['rest'] or ''} {m['v']}?",
    ),
    (
        "name",
        re.compile(
            rf"{_SUBJECT} (?P<be>is|are|was|were) {_PARTICIPLE} by "
            r"(?P<a>[A-Z][\w.'’-]+(?: (?:von|van|de|[A-Z][\w.'’-]+))+)"
        ),
        lambda m, x: f"Who {m['be']} {x} {m['v']} by?",
    ),
    (
        "place",
        re.compile(
            rf"{_SUBJECT} (?P<be>is|are|was|were) (?P<v>located|situated|kept|stored|found|saved) "
            r"(?P<a>(?:in|at|on|under|near|inside|behind) [^.,;]{3,60}?)(?:[.,;]|$)"
        ),
        lambda m, x: f"Where {m['be']} {x} {m['v']}?",
    ),
    (
        "place",
        re.compile(
            rf"{_SUBJECT} (?P<be>liegt|liegen|steht|stehen) "
            r"(?P<a>(?:in|im|am|an|bei|auf|unter) [^.,;]{3,60}?)(?:[.,;]|$)"
        ),
        lambda m, x: f"Wo {m['be']} {x}?",
    ),
    (
        "number",
        re.compile(
            rf"{_SUBJECT} (?P<v>has|have|had|contains?|includes?|holds?|needs?|takes?|reaches|lasts?) "
            rf"{_ABOUT}(?P<a>{_COUNT})[ -](?P<unit>[a-z]{{3,}}s)\b"
        ),
        lambda m, x: f"How many {m['unit']} {_do(m)} {x} {_base(m)}?",
    ),
    (
        "number",
        re.compile(rf"{_SUBJECT} (?P<v>costs?|weighs?) {_ABOUT}(?P<a>{_AMOUNT})"),
        lambda m, x: f"How much {_do(m)} {x} {_base(m)}?",
    ),
    (
        "number",
        re.compile(
            rf"{_SUBJECT} (?P<v>is|are|was|were) {_ABOUT}(?P<a>{_AMOUNT}) "
            r"(?P<how>high|tall|long|wide|deep|thick|old|heavy)\b"
        ),
        lambda m, x: f"How {m['how']} {m['v']} {x}?",
    ),
    (
        "number",
        re.compile(
            rf"{_SUBJECT} (?P<v>hat|haben|hatten?|umfasst|enthält|besitzt) "
            rf"{_ABOUT_DE}(?P<a>{_COUNT_DE}) (?P<unit>[A-ZÄÖÜ][a-zäöüß]{{2,}})\b"
        ),
        lambda m, x: f"Wie viele {m['unit']} {m['v']} {x}?",
    ),
    (
        "number",
        re.compile(rf"{_SUBJECT} (?P<v>kostet|kosten|kostete|wiegt|wiegen) {_ABOUT_DE}(?P<a>{_AMOUNT})"),
        lambda m, x: f"Wie viel {m['v']} {x}?",
    ),
    (
        "number",
        re.compile(
            rf"{_SUBJECT} (?P<v>ist|sind|war|waren) {_ABOUT_DE}(?P<a>{_AMOUNT}) "
            r"(?P<how>hoch|lang|breit|tief|dick|alt|schwer|weit|groß)\b"
        ),
        lambda m, x: f"Wie {m['how']} {m['v']} {x}?",
    ),
)
"""(rule, sentence with a subject ``x`` and an answer ``a``, question of it)."""
THERE_ARE = re.compile(
    rf"There (?P<be>are|were) (?P<a>{_COUNT}) "
    r"(?P<unit>[a-z][a-z ]{2,30}?s)(?P<rest> (?:in|on|at|of) [^.,;:]{3,50})?(?:[.,;:]|$)"
)
HOW_TO = re.compile(
    r"(?:To|If you (?:want|wish|need|would like) to|In order to) "
    r"(?P<do>(?!be |help |my |our |the |your )[a-z]+ [^,.;:]{4,70}), (?:simply |just |please )?"
    r"(?P<a>[a-z-]+ .{6,}?)[.:]?$"
)
