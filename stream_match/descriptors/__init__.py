"""Descriptors of whole tracks: one vector for what a track sounds like, and how far two of them are apart."""
