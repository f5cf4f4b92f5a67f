"""A disk whose image is on its way, over a database that all threads see."""

from tests.engine.conftest import db

__all__ = ["db"]
