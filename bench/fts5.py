"""The reference: whole notes in SQLite FTS5 (porter, terms ORed), as one would write it in half an hour.

    python fts5.py index DATABASE VAULT
    python fts5.py search DATABASE WORDS

Standard library only.
"""

import re
import sqlite3
import sys
from pathlib import Path


def index(database: str, vault: str) -> None:
    """Index every note of ``vault`` in one transaction."""
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("CREATE VIRTUAL TABLE notes USING fts5(path, text, tokenize = 'porter unicode61')")
        connection.executemany(
            "INSERT INTO notes VALUES (?, ?)",
            ((str(file), file.read_text("utf-8", "replace")) for file in Path(vault).rglob("*.md")),
        )
    connection.close()


def search(database: str, words: str) -> list[tuple[str, str]]:
    """(path, excerpt) of the ten best notes."""
    wanted = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", words))
    connection = sqlite3.connect(database)
    excerpt = "snippet(notes, 1, '', '', '…', 20)"
    query = f"SELECT path, {excerpt} FROM notes WHERE notes MATCH ? ORDER BY rank LIMIT 10"
    return connection.execute(query, (wanted,)).fetchall()


if __name__ == "__main__":
    action, place, subject = sys.argv[1:]
    if action == "index":
        index(place, subject)
    else:
        for hit in search(place, subject):
            print(*hit, sep="\t")
