"""Edge out: sinks for events, and the subscriber."""
