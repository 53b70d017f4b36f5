"""Edge in: sources of audio."""
