"""Networks of other authors, taken as they are: how their parameters are used, and their roles."""
