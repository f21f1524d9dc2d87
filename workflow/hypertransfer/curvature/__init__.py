"""Curvature of a mean loss: matrix-vector products, eigenvalues, spectral density and trace.

The package depends on torch alone. A `Landscape` holds the parameters, and functions that compute
the outputs and the loss of samples. Operators such as `HessianOperator(landscape)` multiply vectors
by matrices that are never formed. `top_eigenvalues`, `spectrum` and `trace` take any such operator:

    landscape = Landscape(
        outputs=lambda rows: model(x[rows]),
        loss=lambda output, rows: F.cross_entropy(output, y[rows]),
        parameters=list(model.parameters()),
        samples=len(x),
        chunk_size=1024,
    )
    pairs = top_eigenvalues(HessianOperator(landscape), k=3, generator=torch.Generator())
"""
