"""Questions from what notes keep in fields: the cells of tables, and properties.

A column or property gives a question only where its name is known to read well in one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from quire_engine.evaluation.draft import Draft
from quire_engine.markup import plain
from quire_engine.records import Block, BlockKind, Note

_PEOPLE = "author director composer editor owner publisher inventor founder artist host"
_THINGS = (
    "address age altitude area birthplace capacity capital city code cost country currency date deadline "
    "default depth diameter difficulty distance duration elevation email frequency genre habitat height "
    "language latitude length licence license limit location longitude manufacturer maximum minimum "
    "nationality occupation phone population port pressure price priority profession purpose region role "
    "runtime shortcut size speed street supplier symbol temperature value vendor version voltage volume "
    "weight width"
)
_DINGE = (
    "die Größe, die Dauer, das Datum, die Adresse, die Farbe, die Hauptstadt, die Einwohnerzahl, die "
    "Temperatur, die Sprache, die Rolle, die Entfernung, die Geschwindigkeit, die Telefonnummer, der "
    "Vorgabewert"
)
_QUESTIONS: Mapping[str, str] = {
    **{name: f"Who is the {name} of {{x}}?" for name in _PEOPLE.split()},
    **{name: f"What is the {name} of {{x}}?" for name in _THINGS.split()},
    **{name.split()[1].casefold(): f"Was ist {name} von {{x}}?" for name in _DINGE.split(", ")},
    "isbn": "What is the ISBN of {x}?",
    "year": "From which year is {x}?",
    "jahr": "Aus welchem Jahr ist {x}?",
    "autor": "Wer ist der Autor von {x}?",
    "autorin": "Wer ist die Autorin von {x}?",
    "regisseur": "Wer ist der Regisseur von {x}?",
    "komponist": "Wer ist der Komponist von {x}?",
    "länge": "Wie lang ist {x}?",
    "höhe": "Wie hoch ist {x}?",
    "breite": "Wie breit ist {x}?",
    "tiefe": "Wie tief ist {x}?",
    "gewicht": "Wie schwer ist {x}?",
    "alter": "Wie alt ist {x}?",
    "preis": "Wie viel kostet {x}?",
}
"""How a field of each name is asked for. No verbs and plurals: Leaves, Spent, Faces."""
_COUNTED = re.compile(r"[a-z]{3,}s")
_NO_COUNT = frozenset("status gps class address progress basis series always leaves faces means".split())
_NUMBER = re.compile(r"\d{1,3}(?:[,.]?\d{3})*")
_TOTAL = re.compile(r"all|total|sum|sums?|average|mean|alle|summe|gesamt|insgesamt|\W*", re.IGNORECASE)
_TO_FOLLOW = frozenset("tbd todo none unknown empty n/a leer offen keine unbekannt".split())
_LONGEST_NAME, _LONGEST_VALUE = 45, 60
_MOST_ROWS, _MOST_COLUMNS = 200, 20
_ROW_END = re.compile(r"(?<!\\)\|")


def draft_from_fields(note: Note) -> Iterator[Draft]:
    """A question for each property of ``note`` whose name is known, and one for each row of its tables."""
    for block in note.blocks:
        if block.kind is BlockKind.TABLE:
            yield from _of_table(note, block)
        elif block.kind is BlockKind.PROPERTIES:
            yield from _of_properties(note, block)


def _of_table(note: Note, block: Block) -> Iterator[Draft]:
    rows = [_cells(line) for line in note.text[block.span.start : block.span.end].split("\n")]
    if not 3 <= len(rows) <= _MOST_ROWS or not 2 <= len(rows[0]) <= _MOST_COLUMNS:
        return
    head, body = rows[0], rows[2:]
    names = _names(head, body)
    if names is None:
        return
    columns = [number for number in range(len(head)) if number != names]
    for number, row in enumerate(body):
        if len(row) != len(head) or not _is_name(plain(row[names])):
            continue
        for turn in range(
            len(columns)
        ):  # another column for each row, so that a table asks for several things
            column = columns[(number + turn) % len(columns)]
            counts = all(_NUMBER.fullmatch(plain(other[column])) for other in body if len(other) == len(head))
            question = _question(plain(head[column]), plain(row[names]), counts=counts)
            if question and _is_value(value := plain(row[column])):
                said = " ".join(plain(" ".join(row)).split())
                line = block.span.start_line + 2 + number
                yield Draft(question, value, said, note.path, line, block.block_id, "table", 2)
                break


def _cells(line: str) -> list[str]:
    line = line.strip()
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in _ROW_END.split(line.strip("|"))]


def _names(head: list[str], body: list[list[str]]) -> int | None:
    """The column that says what a row is about: the first whose cells are names, each another."""
    for column in range(min(2, len(head))):
        found = [plain(row[column]) for row in body if len(row) == len(head)]
        if head[column] and len(set(found)) == len(found) and any(map(_is_name, found)):
            return column
    return None


def _of_properties(note: Note, block: Block) -> Iterator[Draft]:
    if not _is_name(note.title):
        return
    lines = note.text[block.span.start : block.span.end].split("\n")
    for name, value in note.properties.items():
        [value] = value if isinstance(value, list) and len(value) == 1 else [value]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        question, text = _question(name, note.title, counts=False), plain(str(value))
        if question is None or not _is_value(text):
            continue
        for number, line in enumerate(lines):
            if line.startswith(f"{name}:") and text in plain(line):
                place = (note.path, block.span.start_line + number, None)
                yield Draft(question, text, plain(line), *place, "property", 2)


def _question(name: str, x: str, *, counts: bool) -> str | None:
    """How ``name`` of ``x`` is asked for; with ``counts``, in numbers."""
    name = name.strip().casefold()
    if form := _QUESTIONS.get(name):
        return form.format(x=x)
    if counts and _COUNTED.fullmatch(name) and name not in _NO_COUNT:
        return f"How many {name} does {x} have?"
    return None


def _is_name(text: str) -> bool:
    """Whether ``text`` tells what is meant without the table: a proper name, or one with a mark inside it."""
    words = text.split()
    if not 3 <= len(text) <= _LONGEST_NAME or _TOTAL.fullmatch(text) or sum(map(str.isalpha, text)) < 3:
        return False
    if len(words) == 1:
        return re.fullmatch(r"\w+(?:[.-]\w+)+|[A-ZÄÖÜ]\w+", text) is not None and not text.isdigit()
    capitals = sum(word[:1].isupper() or not word[:1].isalpha() for word in words)
    return text[:1].isupper() and capitals >= 2 and "," not in text


def _is_value(text: str) -> bool:
    return (
        2 <= len(text) <= _LONGEST_VALUE  # a lone digit stands in nearly any answer
        and any(map(str.isalnum, text))
        and text.casefold() not in _TO_FOLLOW
        and "://" not in text
    )
