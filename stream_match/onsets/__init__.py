"""Pure: every sound that begins, what it is like, and which kind it is."""
