"""Training of one run: building its parts, the loop, its saved state, and interruptions."""
