"""Disk: an index folder is built, changed, verified and loaded here."""
