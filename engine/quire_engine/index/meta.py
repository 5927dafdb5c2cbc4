"""What the index knows of itself: single values by name, the model's fingerprint among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apsw

OWN = "fingerprint = (SELECT value FROM meta WHERE key = 'fingerprint')"
"""The condition, in SQL, for an embedding of the model that the index is searched with."""


def get(db: apsw.Connection, key: str) -> Any:
    """The value of ``key``; ``None`` when it has none."""
    return db.execute("SELECT value FROM meta WHERE key = ?", (key,)).get


def put(db: apsw.Connection, key: str, value: Any) -> None:
    """Have ``value`` stand under ``key``, whatever stood there."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
