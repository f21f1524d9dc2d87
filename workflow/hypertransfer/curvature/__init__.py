"""Curvature of a mean loss: matrix-vector products, eigenvalues, spectral density and trace.

The package depends on torch alone. A `Landscape` says how outputs and losses of samples follow
from parameters; operators such as `HessianOperator(landscape)` multiply vectors by matrices that
are never formed; `top_eigenvalues`, `spectrum` and `trace` take any such operator:

    landscape = Landscape(
        outputs=lambda rows: model(x[rows]),
        loss=lambda output, rows: F.cross_entropy(output, y[rows]),
        parameters=list(model.parameters()),
        samples=len(x),
        chunk_size=1024,
    )
    pairs = top_eigenvalues(HessianOperator(landscape), k=3, generator=torch.Generator())
"""
