"""The index on disk: SQLite, vectors, keywords, and what keeps them in step."""
