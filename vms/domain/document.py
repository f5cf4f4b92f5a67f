"""Values as versioned documents: what the database keeps of a run and what a live definition carries with it."""

from typing import Any, Final

import msgspec

from .errors import Refusal
from .machine import MachineSpec
from .runonce import Run

VERSION: Final = 1


def run_to_document(run: Run) -> dict[str, Any]:
    """A run as plain data for JSON; it holds no secrets."""
    built: dict[str, Any] = msgspec.to_builtins(run, order="deterministic")
    return {"version": VERSION, **built}


def spec_to_document(spec: MachineSpec) -> dict[str, Any]:
    """A machine as plain data for JSON."""
    built: dict[str, Any] = msgspec.to_builtins(spec, order="deterministic")
    return {"version": VERSION, **built}


def spec_from_document(document: Any) -> MachineSpec:
    """The machine that a document describes; refused for one that another version wrote or somebody damaged."""
    try:
        if document["version"] == VERSION:
            return msgspec.convert({key: value for key, value in document.items() if key != "version"}, MachineSpec)
    except (KeyError, TypeError, msgspec.ValidationError):
        pass
    raise Refusal("SNAPSHOT_UNREADABLE")


def run_from_document(document: Any) -> Run | None:
    """The run that a document describes; None for one that another version wrote or somebody damaged."""
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return None
    try:
        return msgspec.convert({key: value for key, value in document.items() if key != "version"}, Run)
    except (msgspec.ValidationError, Refusal):
        return None
