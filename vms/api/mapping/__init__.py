"""The only dictionary between oVirt's words and ours: one table per type, for XML and JSON, reading and writing."""
