"""Quire's colours."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="quire-dark",
    primary="#7aa2c8",
    secondary="#9ab08a",
    accent="#d9b36c",
    foreground="#d8d6d0",
    background="#16181b",
    surface="#1c1f23",
    panel="#24282d",
    success="#8fb573",
    warning="#d9a05b",
    error="#d97a6c",
    dark=True,
    variables={"footer-key-foreground": "#d9b36c", "block-cursor-text-style": "none"},
)

LIGHT = Theme(
    name="quire-light",
    primary="#2f5f8a",
    secondary="#55703f",
    accent="#8a5a00",
    foreground="#26262a",
    background="#faf8f4",
    surface="#f3f0ea",
    panel="#e8e4db",
    success="#44702a",
    warning="#8a5200",
    error="#a3382a",
    dark=False,
    variables={"footer-key-foreground": "#8a5a00", "block-cursor-text-style": "none"},
)
