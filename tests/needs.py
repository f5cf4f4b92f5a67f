"""What a test needs of the machine that it runs on."""

import os
import shutil

import pytest


def need(reason: str | None) -> None:
    """Skip for a machine that lacks something, but fail for it where the whole suite has to run."""
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI has to run this test: {reason}")
    pytest.skip(reason)


def need_program(name: str) -> None:
    """The same for a program, by name or path."""
    need(None if shutil.which(name) else f"{name} is not installed")
