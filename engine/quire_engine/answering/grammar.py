"""What a reply may look like, in GBNF: sentences that cite shown passages, or that there is no answer."""

from __future__ import annotations

from quire_engine.answering.prompts import INSUFFICIENT

# White space but the kinds that `space` allows, controls, what no reader sees, and square brackets of any
# width: a mark is the only thing that has them. The joiners U+200C and U+200D belong to words.
_NEVER = (
    *[(0x00, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x1680, 0x1680), (0x2000, 0x200B), (0x200E, 0x200F)],
    *[(0x2028, 0x202F), (0x205F, 0x206F), (0x3000, 0x3000), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF)],
    (0xE0000, 0xE007F),
    *((ord(bracket), ord(bracket)) for bracket in "[]【】［］"),
)
_ENDS = ".!?…"
_WIDE_ENDS = "。！？｡؟۔।"
"""They never stand inside a word, and need no space behind them."""
_CLOSERS = "\"'”’»)}*_"
_ABBREVIATIONS = (
    "Dr Mr Mrs Ms Prof St No Nr Fig Sec Ch Vol Ed cf vs ca approx etc e.g i.e p pp bzw vgl ggf evtl inkl "
    "z.B d.h p.ex"
).split()


def reply_grammar(first: int, last: int) -> str:
    """A grammar for a reply to passages ``first`` to ``last``.

    Either exactly `INSUFFICIENT`, or sentences of which each ends with one to four marks of these passages.
    After a full stop nothing but marks may follow, unless it belongs to a number, a name, an abbreviation or
    an ordinal. White space never runs on: a space, or line ends with the indentation of a list.
    """
    numbers = " | ".join(f'"{number}"' for number in range(first, last + 1))
    closers = _CLOSERS.replace('"', r"\"")
    abbreviations = " | ".join(f'"{word}"' for word in _ABBREVIATIONS)
    return rf"""
root ::= lead (insufficient | sentence (gap sentence)* "\n"?)
lead ::= " " | "\n" "\n"? | ""
insufficient ::= "{INSUFFICIENT}"
sentence ::= text stop " "? mark (" "? mark){{0,3}} [.。]?
text ::= (word | short) (space (word | short))*
stop ::= ([{_ENDS}{_WIDE_ENDS}]{{1,3}} [{closers}]{{0,3}})?
mark ::= "[" ({numbers}) "]"
word ::= "."? char+ ([{_ENDS}]{{1,3}} inner char*)*
short ::= [(„"'“]? ((inner "."){{1,4}} | [0-9] [0-9]? "." | ({abbreviations}) ".")
char ::= [{_all_but(_ENDS + _WIDE_ENDS)}]
inner ::= [{_all_but(_ENDS + _WIDE_ENDS + _CLOSERS)}]
space ::= [ \u00a0\u202f\u3000] | lines
gap ::= " "? | lines
lines ::= "\n" "\n"? " "{{0,8}}
"""


def _all_but(excluded: str) -> str:
    """The inside of a character class: all but ``excluded`` and `_NEVER`.

    As ranges of what is in it, since llama.cpp refuses a token with the first bytes of a character when an
    excluded one begins alike: most Arabic and Indic letters, if it were ``[^؟।]``.
    """
    ranges: list[str] = []
    begin = 0
    for low, high in sorted([*_NEVER, *((ord(char), ord(char)) for char in excluded), (0x110000, 0x110000)]):
        if begin < low:
            ranges.append(f"\\U{begin:08x}-\\U{low - 1:08x}")
        begin = high + 1
    return "".join(ranges)
