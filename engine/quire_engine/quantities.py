"""Counts in words for people."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 passage``, ``1,200 passages``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
