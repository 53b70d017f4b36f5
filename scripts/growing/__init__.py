"""Catalogues of any size out of a few hours of audio, and what they cost and recognise."""
