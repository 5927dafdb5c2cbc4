"""The background engine: one process a user, which keeps models, indexes and watchers ready."""
