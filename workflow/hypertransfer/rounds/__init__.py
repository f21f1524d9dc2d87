"""Rounds: runs that are chosen from the results of earlier runs, and the proposers that choose."""
