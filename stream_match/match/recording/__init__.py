"""Pure: the very recordings that are in the catalogue, from the votes to scored candidates."""
