"""Answers: the first words of an extractive one, and what a language model takes to read and write.

The language model has half a billion weights, all of them random.
"""

from __future__ import annotations

import random
import runpy
import threading
import time
from contextlib import closing
from pathlib import Path

from bench import processes
from bench.report import Figure, latency, quantile
from bench.vaults import questions
from bench.workshop import Workshop
from quire_engine import Engine
from quire_engine.inference.llama import LlamaModel
from quire_engine.records import AnswerText, HitsFound, Message, PromptRead
from quire_engine.settings import AnswerSettings

_CHUNKS = 20_000
"""About how many passages the synthetic vault of extractive answers has."""
_FIRST_WAVE = 600
_SECOND_WAVE = 300
"""Tokens of passages."""
_LONGEST = 1500
"""Of a prompt whose reading is cancelled."""
_WRITTEN = 64
_QUESTION = "\n\nQuestion: w1 w2 w3 w4 w5 w6 w7 w8"
_GRAMMAR = r"""root ::= sentence (" " sentence)*
sentence ::= [^\[\]\n.!?]+ [.!?] mark+
mark ::= " "? "[" [1-5] "]"
"""


def measure(workshop: Workshop) -> list[Figure]:
    """Answers that are extracted, and answers that are written by a model, on the processor."""
    return [*_extracted(workshop), *_written(workshop)]


def _extracted(workshop: Workshop) -> list[Figure]:
    """From asking to the first words, on an engine that has answered before; and the command as a whole."""
    own = workshop.options.vault is not None or workshop.options.quick
    indexed = workshop.indexed if own else workshop.indexed_at(_CHUNKS)
    asked = questions(indexed.vault, workshop.questions, seed=17)
    searched: list[float] = []
    first: list[float] = []
    whole: list[float] = []
    abstained = 0
    with Engine.open(indexed.vault) as engine:
        for question in questions(indexed.vault, 3):
            list(engine.ask(question))
        for question in asked:
            begun = time.perf_counter()
            found = cited = None
            for event in engine.ask(question):
                if isinstance(event, HitsFound):
                    found = time.perf_counter() - begun
                elif isinstance(event, AnswerText) and event.citations and cited is None:
                    cited = time.perf_counter() - begun
            whole.append(time.perf_counter() - begun)
            searched += [found] if found is not None else []
            first += [cited] if cited is not None else []
            abstained += cited is None
    commands = _commands(indexed.vault, asked[: 2 if workshop.options.quick else workshop.rounds])
    size = f"extracted, {indexed.chunks:,} chunks"
    if not first:
        return [Figure(f"{size}: first words", None, "ms", note="nothing was answered")]
    return [
        latency(f"{size}: search alone", searched),
        latency(f"{size}: first words", first, at_most=250),
        latency(f"{size}: the whole answer", whole),
        Figure(f"{size}: abstained", abstained, f"of {len(asked)}"),
        latency(f"{size}: quire ask, engine warm", commands),
    ]


def _commands(vault: Path, asked: list[str]) -> list[float]:
    """Seconds of the command, by the shell, for each question."""
    try:
        processes.run(processes.quire("ask", "--vault", vault, asked[0]), codes=processes.ANSWERED)
        return [
            processes.run(
                processes.quire("ask", "--vault", vault, question), codes=processes.ANSWERED
            ).seconds
            for question in asked
        ]
    finally:
        processes.stop_engine()


def _written(workshop: Workshop) -> list[Figure]:
    tests = runpy.run_path(str(Path(__file__).parents[1] / "tests" / "tiny_gguf.py"))
    shape = {"vocabulary": 2000, "context": 4096} if workshop.options.quick else tests["HALF_BILLION"]
    path: Path = tests["build"](workshop.folder / "model.gguf", **shape)
    begun = time.perf_counter()
    model = LlamaModel(path, AnswerSettings())
    loaded = time.perf_counter() - begun
    rounds = 2 if workshop.options.quick else 5
    with closing(model):
        _first_word(model, _asked(0, 50))  # the weights come into memory
        return [
            Figure("model: loading", loaded, "s"),
            *_waves(model, rounds),
            *_writing(model, rounds),
            _cancelling(model, 2 * rounds, reading=True),
            _cancelling(model, 2 * rounds, reading=False),
        ]


def _waves(model: LlamaModel, rounds: int) -> list[Figure]:
    """The first wave, a second that goes on behind it, and the same two read at once."""
    first: list[float] = []
    second: list[float] = []
    afresh: list[float] = []
    tokens = known = total = 0
    for number in range(rounds):
        short = _asked(2 * number, _FIRST_WAVE)
        long = _asked(2 * number, _FIRST_WAVE + _SECOND_WAVE)
        tokens = model.prompt_tokens(short)
        first.append(_first_word(model, short)[0])
        seconds, read = _first_word(model, long)
        second.append(seconds)
        known, total = read.known, read.total
        afresh.append(_first_word(model, _asked(2 * number + 1, _FIRST_WAVE + _SECOND_WAVE))[0])
    return [
        Figure("reading a prompt", tokens / quantile(first, 0.5), "tokens/s"),
        Figure(
            f"first wave of {tokens} tokens: first token",
            quantile(first, 0.5),
            "s",
            at_most=3.0,
            details={"best": min(first), "worst": max(first), "runs": rounds},
        ),
        Figure(
            "second wave: first token",
            quantile(second, 0.5),
            "s",
            details={"tokens read": total - known, "of": total},
        ),
        Figure("second wave, all read afresh: first token", quantile(afresh, 0.5), "s"),
        Figure("second wave over all afresh", sum(second) / sum(afresh), "×"),
    ]


def _writing(model: LlamaModel, rounds: int) -> list[Figure]:
    free: list[float] = []
    bound: list[float] = []
    for number in range(rounds):
        for grammar, rates in ((None, free), (_GRAMMAR, bound)):
            messages = _asked(1000 + number, 200)
            stream = model.stream(messages, max_tokens=_WRITTEN, grammar=grammar)
            times = [time.perf_counter() for piece in stream if isinstance(piece, str)]
            if len(times) > 2:
                rates.append((len(times) - 1) / (times[-1] - times[0]))
    return [
        Figure("writing", quantile(free, 0.5), "tokens/s"),
        Figure("writing by a grammar", quantile(bound, 0.5), "tokens/s"),
        Figure("writing by a grammar over without", quantile(bound, 0.5) / quantile(free, 0.5), "×"),
    ]


def _cancelling(model: LlamaModel, rounds: int, *, reading: bool) -> Figure:
    """From the wish to the end of the iterator."""
    chance = random.Random(5)
    took: list[float] = []
    for number in range(rounds):
        wish = threading.Event()
        wished: list[float] = []

        def cancel(wish: threading.Event = wish, wished: list[float] = wished) -> None:
            wished.append(time.perf_counter())
            wish.set()

        messages = _asked(2000 + number, _LONGEST) if reading else _asked(2000, 200)
        timer = threading.Timer(chance.uniform(0.02, 0.4), cancel)
        stream = model.stream(messages, max_tokens=1000, cancelled=wish.is_set)
        for piece in stream:
            if not timer.ident and (reading or isinstance(piece, str)):
                timer.start()
        over = time.perf_counter()
        timer.join()
        if over > wished[0]:  # else it was finished before
            took.append(over - wished[0])
    doing = "reading" if reading else "writing"
    if not took:
        return Figure(f"cancelling while {doing}", None, "ms", note="always finished before")
    return latency(f"cancelling while {doing}", took, at_most=100)


def _first_word(model: LlamaModel, messages: list[Message]) -> tuple[float, PromptRead]:
    """Seconds until the first token of a reply, and how much of the prompt was read for it."""
    begun = time.perf_counter()
    read = PromptRead(0, 0, 0)
    for piece in model.stream(messages, max_tokens=1):
        if isinstance(piece, str):
            break
        read = piece
    return time.perf_counter() - begun, read


def _asked(number: int, tokens: int) -> list[Message]:
    """A prompt with so many tokens of passages; of the same number, a longer one goes on as a shorter one."""
    chance = random.Random(number)
    passages = " ".join(f"w{chance.randrange(1000)}" for _ in range(tokens))
    return [Message("system", f"w{number} w{number + 1}"), Message("user", passages + _QUESTION)]
