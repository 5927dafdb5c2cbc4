"""Benchmarks: they measure and print, and assert nothing; see docs/benchmarks.md and ``scripts/bench``."""
