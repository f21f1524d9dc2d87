"""Probes of the loss landscape."""
