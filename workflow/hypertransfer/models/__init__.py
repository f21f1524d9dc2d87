"""Networks whose parameters are tagged with roles; one architecture family a module."""
