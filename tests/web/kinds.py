"""What a browser reads of the pages of all kinds of machine."""

import re
from typing import Any

from django.test import Client

from tests.web.browser import controls

HTMX = {"HX-Request": "true"}
# What is greyed out for a machine without a screen.
GRAPHICAL = {
    *("protocol", "video_type", "keyboard", "monitors", "usb", "smartcard", "sound", "file_transfer", "copy_paste"),
    *("disconnect_action", "disconnect_delay", "sso", "allow_reconnect"),
}


def html_of(answer: Any) -> str:
    return str(answer.content.decode())


def opened(web: Client, path: str, action: str = "") -> dict[str, str]:
    """What the browser holds of a page's form."""
    return controls(html_of(web.get(path)), action or path).data


def text_of(web: Client, path: str) -> str:
    """The text of a page, without its mark-up."""
    html = re.sub(r"<head>.*?</head>", "", html_of(web.get(path)), flags=re.DOTALL)
    return plain_text(html)


def cell_of(web: Client, path: str, row: Any, label: str) -> str:
    """The text of a row's cell in a list."""
    html = html_of(web.get(path))
    line = html[html.index(f'-{row.pk}"') :]
    cell = re.search(rf'data-label="{label}">(.*?)</t[dh]>', line, re.DOTALL)
    assert cell
    return plain_text(cell.group(1))


def plain_text(html: str) -> str:
    """The text of a piece of mark-up."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
