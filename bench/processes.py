"""Child processes: their wall time, and the memory of the whole family."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SAMPLE_SECONDS = 0.05
_PATIENCE = 10.0
ANSWERED = (0, 3, 4, 5)
"""Exit codes that say how good an answer is, not that the command failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child process went."""

    seconds: float
    """Wall time, start of the interpreter included."""
    peak_bytes: int
    """The most resident memory of it and its descendants at one time, sampled; shared pages count once."""
    output: str


def run(command: Sequence[str | Path], *, sampled: bool = False, codes: Sequence[int] = (0,)) -> Outcome:
    """Run ``command`` to its end; with ``sampled`` its memory is looked at 20 times a second.

    Raises `RuntimeError`, with the last line on its stderr, when its exit code is not among ``codes``.
    """
    begun = time.perf_counter()
    with child(command) as process:
        peak = 0
        while sampled and process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(_SAMPLE_SECONDS)
        output, errors = process.communicate()
    if process.returncode not in codes:
        raise RuntimeError(f"{command[0]} exited with {process.returncode}: {last_words(errors)}")
    return Outcome(time.perf_counter() - begun, peak, output)


def last_words(errors: str) -> str:
    """The last line, which of a traceback is the one that says what happened."""
    return errors.strip().rpartition("\n")[2]


@contextmanager
def child(command: Sequence[str | Path]) -> Iterator[subprocess.Popen[str]]:
    """``command``, running; when the context is left it is interrupted, and killed if that does not help."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=_PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()


def program(module: str, *arguments: str | Path) -> list[str | Path]:
    """The command that runs a module of this folder in a new Python."""
    return [sys.executable, "-m", f"bench.{module}", *arguments]


def script(name: str, *arguments: str | Path) -> list[str | Path]:
    """The command that runs a file of this folder in a new Python, as a script of its own."""
    return [sys.executable, ROOT / "bench" / name, *arguments]


def quire(*arguments: str | Path) -> list[str | Path]:
    """The ``quire`` command of this environment."""
    return [Path(sys.executable).parent / "quire", *arguments]


def stop_engine() -> None:
    """End the background engine, if there is one."""
    run(quire("engine", "stop"))


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants, by /proc; 0 where there is none.

    What processes share counts in parts that add up to it (proportional set size).
    """
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may have ended meanwhile
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children[parent].append(int(folder.name))
    total, family = 0, [pid]
    while family:
        member = family.pop()
        family += children[member]
        with suppress(OSError):
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total
