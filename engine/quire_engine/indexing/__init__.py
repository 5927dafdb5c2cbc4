"""Keeping an index right: what changed is read, written, indexed, linked and embedded."""
