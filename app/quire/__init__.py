"""The faces of Quire."""
