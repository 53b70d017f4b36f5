"""The catalogue in memory, and how it is searched."""
