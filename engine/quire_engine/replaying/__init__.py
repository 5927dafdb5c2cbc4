"""Answers that can be made again: what one was made from, in a file, and what edits do to it."""
