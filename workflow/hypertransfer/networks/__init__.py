"""Networks whose parameters are tagged with roles."""
