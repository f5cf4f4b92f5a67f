"""The doors to running consoles: WebSockets for browsers, each opened by a pass and closed when its right is gone."""
