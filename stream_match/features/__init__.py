"""Pure: from samples to chroma to time-delay embeddings, hop by hop."""
