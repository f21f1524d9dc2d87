"""Curvature probes: linear operators, an eigensolver over them, and a trace estimator."""
