"""Check-ups of a network and its optimizer over sizes: which module does not scale as it should."""
