"""Training of one run: construction of its parts, the loop, saved states, interruptions."""
