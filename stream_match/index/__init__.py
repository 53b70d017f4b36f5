"""Pure: the catalogue in memory: codes, their indexes, and the reading of lines through them."""
