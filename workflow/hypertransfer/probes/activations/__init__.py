"""Probes of activations and features."""
