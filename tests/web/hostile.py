"""What nobody should type, and how a test makes a dialog take all of it without taking all day."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import transaction
from django.test import Client

from tests.web.browser import controls

VALUES: Final = (
    "",
    " ",
    "\x00",
    "abc",
    "-1",
    "0",
    "NaN",
    "1e309",
    "9" * 400,
    "9" * 5000,
    "<script>alert(1)</script>",
    "'; DROP TABLE vms_vm; --",
    "%(name)s %s {0} {{ vm }}",
    "../../../etc/passwd",
    "ü" * 300,
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\u202egnp.exe",
    "\r\nSet-Cookie: x=1",
    "x" * 60_000,
)


def survives(answer: Any) -> bool:
    return answer.status_code in {200, 302, 409, 422}


def filled(web: Client, path: str) -> tuple[dict[str, str], set[str]]:
    """What a browser holds of a dialog, and the names of all its visible controls.

    The name is one that can be, and whatever the dialog asks back is answered with "Save".
    """
    html = web.get(path).content.decode()
    form = controls(html, path)
    visible = re.findall(r'<(?:input(?! type="hidden")|select|textarea)[^>]* name="(\w+)"', html)
    answered = {"name": form.data.get("name") or "hostile", "confirmed": "save"}
    return {**form.data, **answered}, {*visible, *form.disabled}


def shifted(fields: Iterable[str], values: Sequence[str] = VALUES) -> list[dict[str, str]]:
    """Each value once in each field, every field at once: as many forms as there are values."""
    names = sorted(fields)
    return [
        {name: values[(place + shift) % len(values)] for place, name in enumerate(names)}
        for shift in range(len(values))
    ]


def pour(web: Client, path: str, data: dict[str, str], hostile: dict[str, str]) -> None:
    """Post a dialog with these values in place of its own, each of which gets as far as it can.

    What the answer complains about is taken back and the rest is posted again, until that is saved: so a value that no
    field refuses comes to the action, too. Where no field is named, the half with the culprit in it is looked for.
    Nothing that is saved stays.
    """
    left = dict(hostile)
    while left:
        with transaction.atomic():
            answer = web.post(path, {**data, **left})
            transaction.set_rollback(True)
        assert survives(answer), (path, answer.status_code, {name: value[:40] for name, value in left.items()})
        if answer.status_code == 302:
            return
        blamed = set(re.findall(r'id="id_(\w+)_error"', answer.content.decode())) & set(left)
        if not blamed:
            names = sorted(left) if len(left) > 1 else []
            for half in (names[::2], names[1::2]):
                pour(web, path, data, {name: left[name] for name in half})
            return
        for name in blamed:
            del left[name]
