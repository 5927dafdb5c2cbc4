"""Finding passages: query, search, fusion."""
