"""Figures of a study, drawn from the study's tables."""
