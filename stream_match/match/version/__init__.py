"""Pure: other performances and arrangements of what is in the catalogue, in any key, at other tempi."""
