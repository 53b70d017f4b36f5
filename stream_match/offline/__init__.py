"""Work on whole recordings, away from any stream."""
