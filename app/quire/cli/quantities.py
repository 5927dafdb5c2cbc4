"""Times and sizes in words for people."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """``0:07``, ``12:34`` or ``3 h 05``."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"


def size(count: int) -> str:
    """Bytes for people, in powers of 1000: ``512 B``, ``1.1 GB``."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:,.1f} TB"


def age(seconds: float) -> str:
    """``just now``, ``5 minutes ago``, ``2 days ago``."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
