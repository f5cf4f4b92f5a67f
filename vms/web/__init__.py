"""The doors for browsers: they translate requests into actions and answers into pages."""
