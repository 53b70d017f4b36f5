"""Pure: the life of a match, in either lane, from its claim to its end."""
