"""Report pages and the index page."""
