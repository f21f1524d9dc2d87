"""Figures of a study, drawn from its tables."""
