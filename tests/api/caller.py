"""A program that speaks to the REST door in one of its two languages."""

import base64
import json
from typing import Any, Final

from django.test import Client
from lxml import etree

from vms.actions import logins
from vms.api.document import Document
from vms.api.languages import LANGUAGES
from vms.api.renderers import write
from vms.models import User

BASE: Final = "/ovirt-engine/api"
MIME: Final = {"xml": "application/xml", "json": "application/json"}
VNC_ID, SPICE_ID = "766e63", "7370696365"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Answer:
    """What came back: status, headers, and the body as plain data in which every value is a text."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status = response.status_code
        self.text = response.getvalue().decode(errors="replace")

    @property
    def tree(self) -> dict[str, Any]:
        if "json" in self.response["Content-Type"]:
            return _texts(json.loads(self.text))  # type: ignore[no-any-return]
        return tree(self.text.encode())

    @property
    def root(self) -> str:
        return str(etree.fromstring(self.text.encode()).tag)

    @property
    def fault(self) -> tuple[str, str]:
        """Reason and detail, of a fault or of an action that has failed."""
        told = self.tree
        fault = told.get("fault", told)
        return fault["reason"], fault["detail"]

    def at(self, path: str) -> Any:
        """What is at a path; None where an element is not there."""
        found: Any = self.tree
        for step in path.split("/"):
            if not isinstance(found, dict):
                return None
            found = found.get(step)
        return found

    def all(self, name: str) -> list[dict[str, Any]]:
        """The entities of a collection."""
        found = self.tree.get(name, [])
        return found if isinstance(found, list) else [found]


class Caller:
    """Somebody with a token; bodies are plain data, written in the caller's language."""

    def __init__(self, user: User, language: str = "xml") -> None:
        self.user, self.language = user, language
        self._client = Client()
        self.token = logins.log_in(user)[0]

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("get", path, **headers)

    def post(self, path: str, root: str = "action", tree: dict[str, Any] | None = None, **headers: str) -> Answer:
        return self.send("post", path, self.written(root, tree or {}), **headers)

    def put(self, path: str, root: str, tree: dict[str, Any], **headers: str) -> Answer:
        return self.send("put", path, self.written(root, tree), **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.send("delete", path, **headers)

    def written(self, root: str, tree: dict[str, Any]) -> bytes:
        return write(Document(root, tree), LANGUAGES[self.language])

    def send(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        mime = MIME[self.language]
        told = {"Authorization": f"Bearer {self.token}", "Accept": mime, **headers}
        # oVirt's SDK sends the content type with every request, a GET included.
        told = {name.replace("_", "-"): value for name, value in told.items()}
        address = path if path.startswith("/ovirt-engine") else f"{BASE}{path}"
        return Answer(self._client.generic(method.upper(), address, body, content_type=mime, headers=told))


def tree(document: bytes) -> dict[str, Any]:
    """An XML document as plain data."""
    return dict(_of(etree.fromstring(document)) or {})


def _of(element: Any) -> Any:
    if not len(element) and not element.attrib:
        return element.text or ""
    tree: dict[str, Any] = dict(element.attrib)
    for child in element:
        value = _of(child)
        if child.tag not in tree:
            tree[child.tag] = value
        elif isinstance(tree[child.tag], list):
            tree[child.tag].append(value)
        else:
            tree[child.tag] = [tree[child.tag], value]
    return tree


def _texts(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _texts(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_texts(value) for value in node]
    return str(node)
