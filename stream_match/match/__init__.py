"""Pure: from embeddings to votes to verified, decided matches."""
