"""Measuring retrieval on judged queries."""
