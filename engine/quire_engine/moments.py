"""Points in time as people type them: a date, a time, or an age."""

from __future__ import annotations

import calendar
import re
import time
from datetime import datetime, timedelta

FORMS = "give a date as 2024-05-31, or an age as 7d, 2w, 3m or 1y"
"""What can be typed, in words for the user."""
_AGE = re.compile(r"(\d{1,6})([dwmy])", re.IGNORECASE)


def moment(text: str, now: float | None = None) -> float:
    """Unix seconds of an ISO date or time, or of an age (``7d``, ``2w``, ``3m``, ``1y``) before ``now``.

    Where no zone is given, the time is local. Raises `ValueError` for anything else.
    """
    text = text.strip()
    try:
        if match := _AGE.fullmatch(text):
            return ago(int(match[1]), match[2].lower(), now).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{text[:40]!r} is no date: {FORMS}") from error


def ago(amount: int, unit: str, now: float | None = None) -> datetime:
    """The local time ``amount`` days (d), weeks (w), calendar months (m) or years (y) before ``now``.

    Raises `ValueError` or `OverflowError` when that lies outside the calendar.
    """
    here = datetime.fromtimestamp(time.time() if now is None else now)
    if unit in "dw":
        return here - timedelta(days=amount * (7 if unit == "w" else 1))
    months = here.year * 12 + here.month - 1 - amount * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    last_day = calendar.monthrange(year, month + 1)[1] if year > 0 else 28
    return here.replace(year=year, month=month + 1, day=min(here.day, last_day))
