"""The airplay log of a listener: what was heard, and what a day or a week was like."""
