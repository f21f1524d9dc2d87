"""Search spaces learned from earlier tasks (Perrone et al. 2019): regions, searchers, replays."""
