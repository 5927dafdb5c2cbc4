"""Models: the catalogue, the runtimes of embeddings, and the local language model."""
