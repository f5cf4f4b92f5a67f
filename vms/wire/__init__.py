"""The one protocol between web processes and the engine: framed messages over a local socket, peers known by uid."""
