"""Drivers: each keeps the promises of `base.Hypervisor`; only the engine imports them."""
