"""Genres: models trained on tables of descriptors, judged honestly, kept without pickle, and asked."""
