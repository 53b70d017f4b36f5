"""Disk: what was told, kept in SQLite until it has arrived, and for the history after that.

One file a state folder, one process that writes it. What is in it and why stands in `docs/store.md`.
"""
