"""Report pages, the index page, and generated pages of the documentation."""
