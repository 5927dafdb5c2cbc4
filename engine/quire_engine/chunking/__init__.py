"""Cutting notes into passages by structure and meaning."""
