"""The document arranged for people: a page for each resource, its operations in a row, its elements in a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from vms.api.mapping.fields import Schema

Whole = dict[str, Any]

_BODY: Final = "requestBody"
_JSON: Final = "application/json"
_DEEP: Final = 8


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[tuple[str, str, str], ...]  # name, where, what it means
    takes: str
    members: tuple["Element", ...]
    statuses: tuple[tuple[str, str], ...]

    @property
    def anchor(self) -> str:
        return f"{self.method}-{self.path.strip('/').translate({ord(sign): '-' for sign in '/{}'})}"


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type: its path, what its value looks like, and which way it goes."""

    path: str
    kind: str
    way: str
    note: str


@dataclass(frozen=True, slots=True)
class Resource:
    """What one page tells."""

    name: str
    operations: tuple[Operation, ...] = ()
    types: tuple[tuple[str, tuple[Element, ...]], ...] = ()

    @property
    def methods(self) -> list[str]:
        """What can be done with the resource itself and each of its entities."""
        return list(dict.fromkeys(each.method for each in self.operations if each.path.count("/") <= 2))

    @property
    def words(self) -> list[str]:
        """The words that may follow an entity's id."""
        found = (each.path.split("/")[3:4] for each in self.operations)
        return sorted({words[0] for words in found if words})


def resources(whole: Whole) -> list[Resource]:
    """All resources with their operations."""
    by_tag: dict[str, list[Operation]] = {tag["name"]: [] for tag in whole["tags"]}
    for path, told in whole["paths"].items():
        for method, operation in told.items():
            if method != "parameters":
                by_tag[operation["tags"][0]].append(_operation(whole, path, method, operation))
    return [Resource(name, tuple(operations)) for name, operations in by_tag.items()]


def resource(whole: Whole, tag: str) -> Resource | None:
    """One resource with the types that it tells and takes; None where there is none of that name."""
    found = next((each for each in resources(whole) if each.name == tag), None)
    if found is None:
        return None
    schemas = whole["components"]["schemas"]
    names = dict.fromkeys(_types(whole, tag))
    types = tuple((name, tuple(_elements(schemas[name]))) for name in names)
    return Resource(tag, found.operations, types)


def _operation(whole: Whole, path: str, method: str, told: dict[str, Any]) -> Operation:
    body: Schema = told[_BODY]["content"][_JSON]["schema"] if _BODY in told else {}
    return Operation(
        method.upper(),
        path,
        told["summary"],
        told["description"],
        tuple((each["name"], each["in"], each["description"]) for each in _all(whole, told["parameters"])),
        _named(body) if "properties" not in body else "",
        tuple(_elements(body)),
        tuple((status, _at(whole, answer)["description"]) for status, answer in told["responses"].items()),
    )


def _at(whole: Whole, node: Any) -> Any:
    """What a reference leads to; anything else is itself."""
    if "$ref" not in node:
        return node
    _hash, components, kind, name = node["$ref"].split("/")
    return whole[components][kind][name]


def _all(whole: Whole, nodes: list[Any]) -> Iterator[Any]:
    return (_at(whole, node) for node in nodes)


def _named(schema: Schema) -> str:
    """The name of a schema; of one in place that of its root."""
    for each in (schema, *schema.get("allOf", ())):
        if "$ref" in each:
            return str(each["$ref"].rpartition("/")[2])
    return str(schema.get("xml", {}).get("name", ""))


def _types(whole: Whole, tag: str) -> Iterator[str]:
    """The types that the single things of a resource are."""
    for told in whole["paths"].values():
        for method, operation in told.items():
            if method == "parameters" or operation["tags"][0] != tag:
                continue
            for answer in operation["responses"].values():
                schema = answer.get("content", {}).get(_JSON, {}).get("schema", {})
                name = _named(schema)
                # A collection only repeats its type; actions and faults have pages of their own.
                if name not in {"", "fault", "action"} and not _is_collection(whole, name):
                    yield name


def _is_collection(whole: Whole, name: str) -> bool:
    properties = whole["components"]["schemas"][name]["properties"]
    return any(each.get("type") == "array" for key, each in properties.items() if key != "link")


def _elements(schema: Schema, before: str = "") -> Iterator[Element]:
    for name, each in schema.get("properties", {}).items():
        path = f"{before}{name}"
        if path.count("/") < _DEEP and each.get("properties"):
            if "description" in each:
                yield Element(path, "", _way(each), each["description"])
            inner = each if not each.get("readOnly") else _marked(each)
            yield from _elements(inner, f"{path}/")
        elif each.get("type") == "array":
            yield from _repeated(path, each)
        else:
            yield Element(path, _kind(each), _way(each), each.get("description", ""))


def _repeated(path: str, schema: Schema) -> Iterator[Element]:
    items = schema["items"]
    if items.get("properties"):
        yield from _elements(_marked(items) if schema.get("readOnly") else items, f"{path}[]/")
    else:
        yield Element(f"{path}[]", _kind(items), _way(schema), items.get("description", ""))


def _marked(schema: Schema) -> Schema:
    """The members of what is only told are only told."""
    return {**schema, "properties": {key: {**each, "readOnly": True} for key, each in schema["properties"].items()}}


def _kind(schema: Schema) -> str:
    if name := _named(schema):
        return name
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    return {"integer": "number"}.get(kind := str(schema.get("type", "")), kind)


def _way(schema: Schema) -> str:
    return "read" if schema.get("readOnly") else "write" if schema.get("writeOnly") else ""
