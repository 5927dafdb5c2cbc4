"""What sections run in a process of its own, so that start and memory are real. Prints one JSON object.

python -m bench.children index VAULT BACKEND                structure and keywords
python -m bench.children index-embed VAULT BACKEND          and vectors
python -m bench.children search VAULT BACKEND [QUESTION…]   questions, or just opening the index
"""

import json
import os
import sys
import time
from pathlib import Path

from bench.processes import resident_bytes
from bench.workshop import with_keywords
from quire_engine import Engine


def main(action: str, vault: Path, backend: str, questions: list[str]) -> None:
    begun = time.perf_counter()
    with Engine.open(vault, with_keywords(backend)) as engine:
        if action.startswith("index"):
            engine.sync(embed=action == "index-embed")
        for question in questions:
            engine.search(question)
        seconds = time.perf_counter() - begun
        print(json.dumps({"seconds": seconds, "resident_bytes": resident_bytes(os.getpid())}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
