"""What a browser makes of a form: it posts what is enabled and filled in, nothing else."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any, Final

from django import forms
from playwright.sync_api import Page, ViewportSize

PATIENCE: Final = 15_000  # milliseconds
WIDE: Final[ViewportSize] = {"width": 1280, "height": 900}
NARROW: Final[ViewportSize] = {"width": 400, "height": 800}

Open = Callable[..., Page]


class _Controls(HTMLParser):
    """Collects the successful controls of the first form with an action that ends as wanted."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.data: dict[str, str] = {}
        self.disabled: set[str] = set()
        self.labels: dict[str, list[str]] = {}
        self._action, self._inside, self._select = action, not action, ""
        self._first: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        attrs = {key: value or "" for key, value in attributes}
        if tag == "form" and self._action:
            self._inside = attrs.get("action", "").endswith(self._action)
        if not self._inside:
            return
        name = attrs.get("name", "")
        if name and "disabled" in attrs:
            self.disabled.add(name)
            return
        if tag == "select":
            self._select, self._first = name, None
        elif tag == "option" and self._select and "disabled" not in attrs:
            self._first = attrs["value"] if self._first is None else self._first
            if "selected" in attrs or self._select not in self.data:
                self.data[self._select] = attrs["value"]
        elif tag == "textarea" and name:
            self.data[name] = ""
        elif tag == "input" and name and (attrs.get("type") not in {"checkbox", "radio"} or "checked" in attrs):
            self.data[name] = attrs.get("value", "on" if attrs.get("type") in {"checkbox", "radio"} else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "form" and self._action:
            self._inside = False


def controls(html: str, action: str = "") -> _Controls:
    """The controls of a page, or of its form with that action."""
    parsed = _Controls(action)
    parsed.feed(html)
    return parsed


def posted(form: forms.BaseForm) -> dict[str, Any]:
    """What a browser posts for a form as it is drawn."""
    return controls("".join(str(form[name]) for name in form.fields)).data


def ticked(data: dict[str, Any], *names: str, **values: Any) -> dict[str, Any]:
    """The data after ticking boxes and choosing values; a value of None un-ticks."""
    merged = {**data, **dict.fromkeys(names, "on"), **values}
    return {name: value for name, value in merged.items() if value is not None}
