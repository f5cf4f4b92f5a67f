"""Reading bodies: what is malformed or too large is refused before anything is built of it."""

import json
import time
from typing import Any

import pytest

from vms.api.document import Document, Long
from vms.api.faults import Fault
from vms.api.languages import JSON, XML
from vms.api.parsers import ATTRIBUTES, BYTES, DEPTH, ELEMENTS, read_json, read_xml
from vms.api.renderers import write


def nested(depth: int) -> str:
    return "<a>" * depth + "</a>" * depth


def lists(depth: int) -> str:
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def attributes(count: int) -> str:
    return "<a " + " ".join(f'a{number}=""' for number in range(count)) + "/>"


HOSTILE_XML = {
    "nothing": b"",
    "no element": b"just text",
    "not closed": b"<vm><name>a</vm>",
    "two roots": b"<vm/><vm/>",
    "a DOCTYPE": b"<!DOCTYPE vm><vm/>",
    "an external DOCTYPE": b'<!DOCTYPE vm SYSTEM "file:///etc/passwd"><vm/>',
    "an entity": b'<!DOCTYPE vm [<!ENTITY a "b">]><vm>&a;</vm>',
    "a file as entity": b'<!DOCTYPE vm [<!ENTITY a SYSTEM "file:///etc/passwd">]><vm><name>&a;</name></vm>',
    "a billion laughs": b'<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]><a>&c;</a>',
    "an unknown entity": b"<vm>&nbsp;</vm>",
    "too deep": nested(DEPTH + 1).encode(),
    "much too deep": nested(100_000).encode(),
    "too many elements": b"<a>" + b"<b/>" * ELEMENTS + b"</a>",
    "too many attributes": attributes(ATTRIBUTES + 1).encode(),
    "too large": b"<a>" + b"x" * BYTES + b"</a>",
    "10 MB": b"<a>" + b"x" * 10_000_000 + b"</a>",
    "an attribute twice": b'<a b="1" b="2"/>',
    "an unknown encoding": b'<?xml version="1.0" encoding="martian"?><vm/>',
    "bytes that are no UTF-8": b"<vm>\xff\xfe</vm>",
    "the character NUL": b"<vm>\x00</vm>",
    "a reference to NUL": b"<vm>&#0;</vm>",
    "a reference to a surrogate": b"<vm>&#xd800;</vm>",
    "UTF-16 with half a character": b"\xff\xfe<\x00v\x00",
}
HOSTILE_JSON = {
    "nothing": b"",
    "no JSON": b"{name: 1}",
    "a list": b"[]",
    "a text": b'"vm"',
    "a number": b"1",
    "not closed": b'{"name": "a"',
    "a text that does not end": b'{"name": "a',
    "a comma too many": b'{"name": "a",}',
    "a name twice": b'{"name": "a", "name": "b"}',
    "not a number": b'{"memory": NaN}',
    "infinity": b'{"memory": Infinity}',
    "a number without end": b'{"memory": ' + b"9" * 5000 + b"}",
    "too deep": lists(DEPTH + 1).encode(),
    "much too deep": lists(100_000).encode(),
    "not even closed": b'{"a":' * 100_000,
    "too many values": b'{"a": [' + b"1," * ELEMENTS + b"1]}",
    "too large": b'{"a": "' + b"x" * BYTES + b'"}',
    "10 MB": b'{"a": "' + b"x" * 10_000_000 + b'"}',
    "the character NUL": b'{"name": "a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "half a character": b'{"name": "\\ud800"}',
    "bytes that are no UTF-8": b'{"name": "\xff"}',
    "quotes that never end": b'"' + b'\\"' * 500_000,
}


@pytest.mark.parametrize("what", HOSTILE_XML)
def test_hostile_xml_is_a_fault_and_costs_little(what: str) -> None:
    began = time.process_time()
    with pytest.raises(Fault) as refused:
        read_xml(HOSTILE_XML[what])
    assert refused.value.status in {400, 413}
    assert time.process_time() - began < 1


@pytest.mark.parametrize("what", HOSTILE_JSON)
def test_hostile_json_is_a_fault_and_costs_little(what: str) -> None:
    began = time.process_time()
    with pytest.raises(Fault) as refused:
        read_json(HOSTILE_JSON[what])
    assert refused.value.status in {400, 413}
    assert time.process_time() - began < 1


def test_what_is_at_the_limits_is_read() -> None:
    assert read_xml(nested(DEPTH).encode()).root == "a"
    assert len(read_xml(b"<a>" + b"<b/>" * (ELEMENTS - 1) + b"</a>").tree["b"]) == ELEMENTS - 1
    assert len(read_xml(attributes(ATTRIBUTES).encode()).tree) == ATTRIBUTES
    assert read_xml(b"<a>" + b" " * (BYTES - 7) + b"</a>") == Document("a")
    assert read_json(lists(DEPTH).encode()).tree


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"<vm/>", {}),
        (b"<vm> \n </vm>", {}),
        (b"<vm><name>a</name></vm>", {"name": "a"}),
        (b"<vm><name>a &amp; <![CDATA[<b>]]></name></vm>", {"name": "a & <b>"}),
        (b'<vm id="1"><os/></vm>', {"id": "1", "os": ""}),
        (b"<vm><a>1</a><a>2</a><a>3</a></vm>", {"a": ["1", "2", "3"]}),
        (b"<vm><!-- a word --><name>a</name><?go on?></vm>", {"name": "a"}),
        ("<vm><name>gr\u00fcn \u4e2d</name></vm>".encode(), {"name": "gr\u00fcn \u4e2d"}),
        (
            '<?xml version="1.0" encoding="ISO-8859-1"?><vm><name>\u00fc</name></vm>'.encode("latin-1"),
            {"name": "\u00fc"},
        ),
        ("<vm><name>\u00fc</name></vm>".encode("utf-16"), {"name": "\u00fc"}),
    ],
)
def test_xml_becomes_plain_data(body: bytes, tree: Any) -> None:
    assert read_xml(body) == Document("vm", tree)


def test_a_null_in_json_is_not_given() -> None:
    assert read_json(b'{"name": null, "os": {"kernel": null}}').tree == {"os": {}}


@pytest.mark.parametrize("value", ["a", "<b> & \"c\" 'd'", "gr\u00fcn \u4e2d \U0001f600", " ", ""])
def test_a_text_survives_both_languages(value: str) -> None:
    document = Document("vm", {"name": value, "inner": {"id": value, "more": ["1", value]}})
    assert read_xml(write(document, XML)) == document
    assert read_json(write(document, JSON)).tree == document.tree


def test_what_xml_cannot_say_is_left_out_of_it() -> None:
    assert read_xml(write(Document("vm", {"name": "a\x08b\ufffe"}), XML)).tree == {"name": "ab"}


def test_json_writes_long_numbers_as_numbers_and_all_else_as_texts() -> None:
    told = json.loads(write(Document("vm", {"memory": Long(5), "cores": 5, "on": True, "off": [False]}), JSON))
    assert told == {"memory": 5, "cores": "5", "on": "true", "off": ["false"]}
