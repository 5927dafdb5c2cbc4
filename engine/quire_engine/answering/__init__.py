"""Answers with verified citations, from a language model or by extraction."""
