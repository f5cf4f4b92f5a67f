"""The REST door, `/ovirt-engine/api`: oVirt's words outside, ours inside; real clients are the judges."""
