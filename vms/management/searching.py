"""P3: forty searches as people type them; beside each the SQL that somebody would write by hand for it."""

from collections.abc import Mapping
from typing import Final

from django.db import connection

from vms.domain.search import parse
from vms.models import VM
from vms.search.find import find, ordered
from vms.search.languages import VMS

from .measuring import Result, administrator, alternately, in_both

_FIRST: Final = "ORDER BY folded, name LIMIT 101"
_TEXTS: Final = f"WHERE id IN (SELECT vm_id FROM vms_searchtext WHERE {{}}) {_FIRST}"  # noqa: S608
_TAGGED: Final = f"""
    WHERE id IN (
        SELECT vm_id FROM vms_vm_tags JOIN vms_tag ON vms_tag.id = tag_id WHERE UPPER(vms_tag.name) = 'PRODUCTION'
    ) {_FIRST}
"""  # noqa: S608


def _begins(text: str) -> str:
    return f"folded >= '{text}' AND folded < '{text}\U0010ffff'"


def _sorted(column: str, direction: str = "ASC", condition: str = "") -> str:
    by = ", ".join(f"{each} {direction}" for each in (*column.split(), "folded", "name"))
    return f"{condition and f'WHERE {condition} '}ORDER BY {by} LIMIT 101"


def _holding(text: str, field: str = "") -> str:
    """The machines with a text that holds a part: each database by its own index of trigrams."""
    condition = f"field = '{field}' AND text LIKE '%{text}%'" if field else f"text LIKE '%{text}%'"
    if connection.vendor == "sqlite":
        found = f"SELECT rowid FROM vms_text_trigrams WHERE vms_text_trigrams MATCH '\"{text}\"'"  # noqa: S608
        condition = f"id IN ({found}) AND {condition}"
    return _TEXTS.format(condition)


def searches() -> Mapping[str, str]:
    """Each search with what follows `SELECT … FROM vms_vm`."""
    return {
        "": _FIRST,
        "name = web-000800": "WHERE folded = 'WEB-000800'",
        "name = web-0008*": f"WHERE {_begins('WEB-0008')} {_FIRST}",
        "name = *00080*": _holding("00080", "name"),
        "name != web*": f"WHERE NOT ({_begins('WEB')}) {_FIRST}",
        "000800": _holding("000800"),
        "berlin": _holding("berlin"),
        "description = *oslo*": _holding("oslo", "description"),
        "comment = keep": _holding("keep", "comment"),
        "fqdn = web-0008*": _TEXTS.format("field = 'fqdn' AND text LIKE 'web-0008%'")
        if connection.vendor == "postgresql"
        else _holding("web-0008", "fqdn"),
        "ip = 10.0.3.32": _holding("10.0.3.32", "ip"),
        "ip = 10.0.3.*": _holding("10.0.3.", "ip"),
        "status = up": f"WHERE status = 'up' {_FIRST}",
        "status = paused": f"WHERE status = 'paused' {_FIRST}",
        "status != up": f"WHERE NOT status = 'up' {_FIRST}",
        "cluster = site-oslo": f"WHERE cluster_name = 'site-oslo' {_FIRST}",
        "datacenter = default": _FIRST,
        "compatibility_level = 4.8": _FIRST,
        "host = host-07": f"WHERE host_name = 'host-07' {_FIRST}",
        "host = host-1*": f"WHERE host_name >= 'host-1' AND host_name < 'host-2' {_FIRST}",
        "tag = production": _TAGGED,
        "template = blank": _FIRST,
        "headless = true": f"WHERE display_type = 'none' {_FIRST}",
        "graphics = spice": f"WHERE spice IN (true) AND vnc IN (false) {_FIRST}",
        "video = vga": f"WHERE display_type = 'vga' {_FIRST}",
        "serial_console = false": f"WHERE serial_console IN (false) {_FIRST}",
        "guest_agent = true": f"WHERE agent = 'now' {_FIRST}",
        "access = none": f"WHERE access = 'locked_out' {_FIRST}",
        "pending = true": f"WHERE pending IN (true) {_FIRST}",
        "os = rhel_9x64": f"WHERE os = 'rhel_9x64' {_FIRST}",
        "type = desktop": f"WHERE vm_type = 'desktop' {_FIRST}",
        "vcpus >= 8": f"WHERE vcpus >= 8 {_FIRST}",
        "memory > 8192 sortby memory desc": _sorted("memory", "DESC", "memory > 8192"),
        "uptime > 10d sortby uptime": _sorted("up_since", "ASC", "up_since < '9999-01-01'"),
        "status = up and headless = true": f"WHERE status = 'up' AND display_type = 'none' {_FIRST}",
        "name = web* and status = up": f"WHERE {_begins('WEB')} AND status = 'up' {_FIRST}",
        "status = paused or name = db-00001*": f"WHERE status = 'paused' OR ({_begins('DB-00001')}) {_FIRST}",
        "sortby status desc": _sorted("status", "DESC"),
        "sortby ip": _sorted("ip"),
        "headless = true sortby host": _sorted("host_name", "ASC", "display_type = 'none'"),
    }


# Reading the words and asking Django take so long, whatever is found; nobody feels it.
UNFELT: Final = 1.5  # milliseconds
_COLUMNS: Final = [str(VM._meta.get_field(name).column) for name in VM.LISTED_FIELDS if "__" not in name]  # type: ignore[union-attr]


def measured() -> list[Result]:
    """Each search through the language against SQL by hand, and among all machines against among a few."""
    results = []
    for text, sql in searches().items():
        search, by, select = parse(text), administrator(), f"SELECT id, {', '.join(_COLUMNS)} FROM vms_vm {sql}"  # noqa: S608

        def asked(text: str = text) -> None:
            search = parse(text)
            rows = find(VM.objects.listed(), VMS, search, by=by)  # noqa: B023
            rows = ordered(rows, VMS, search) if search.order else rows.order_by("folded", "name")
            list(rows[:101])

        def by_hand(select: str = select) -> None:
            list(VM.objects.raw(select))

        reference, value = alternately(by_hand, asked)
        told = f"P3 {search}: through the language, against SQL by hand"
        results.append(Result(told, value, max(reference, UNFELT), 3.0))
        few, many = in_both(asked)
        results.append(Result(f"P3 {search}: among all machines, against a thousand", many, few, 3.0))
    return results
