"""Curvature of a loss: matrix-vector products, eigenvalues, spectral density and trace."""
