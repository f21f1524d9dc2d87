"""Search spaces learned from earlier tasks (Perrone et al. 2019, 1909.12552), and their tests."""
