"""What searches find: every field, operator and order, on both databases, and what is refused with its place."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from tests.search.conftest import ALL, Found
from vms.domain.errors import Refusal
from vms.domain.search import parse
from vms.models import VM, Pool, User
from vms.search.fields import Choice, Switch
from vms.search.find import find, ordered
from vms.search.languages import LANGUAGES, VMS
from vms.search.visible import visible

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

TEXTS = [
    ("", ALL),
    ("name = alpha", ["alpha"]),
    ("name = ALPHA", ["alpha"]),
    ("name = alp", []),
    ("name = alp*", ["alpha", "alpine"]),
    ("name = ALP*", ["alpha", "alpine"]),
    ("name = *a", ["Beta", "alpha"]),
    ("name = *lph*", ["alpha"]),
    ("name = *p*", ["alpha", "alpine"]),
    ("name = al*i*e", ["alpine"]),
    ("name = *", ALL),
    ("name != alpha", ["Beta", "alpine", "dark"]),
    ("name != alp*", ["Beta", "dark"]),
    ("name != *lph*", ["Beta", "alpine", "dark"]),
    ("name = alpha or name = dark", ["alpha", "dark"]),
    ("(name = alpha or name = dark) and headless = true", ["dark"]),
    ('description = "front end of the shop"', ["alpha"]),
    ("description = *END*", ["alpha"]),
    ('description = "ärger*"', ["alpine"]),
    ("description = *BÜRO*", ["alpine"]),
    ('description = "*50%*"', ["dark"]),
    ('description = "*of_all*"', ["dark"]),
    ('description = "*of.all*"', []),
    (r'description = "*\*stars\**"', ["dark"]),
    ('description = ""', ["Beta"]),
    ('description != ""', ["alpha", "alpine", "dark"]),
    ("comment = keep", ["alpha"]),
    ("shop", ["alpha"]),
    ("SHOP front", ["alpha"]),
    ("shop dark", []),
    ("lp", ["alpha", "alpine"]),
    ("e", ["Beta", "alpha", "alpine"]),
    ("büro", ["alpine"]),
    ('"of the"', ["alpha"]),
    ("fr*shop", ["alpha"]),
    ('"\'; DROP TABLE vms_vm; --"', []),
    ('"%"', ["dark"]),
]
EXACTLY = [
    ("name = alpha", ["alpha"]),
    ("name = ALPHA", []),
    ("name = Be*", ["Beta"]),
    ("name = be*", []),
    ("name = *ET*", []),
    ("name = *et*", ["Beta"]),
    ("name != beta", ALL),
    ("description = *Shop*", []),
    ("description = *shop*", ["alpha"]),
    ("cluster = default", []),
    ("cluster = Def*", ALL),
]
FIELDS = [
    ("status = up", ["alpha"]),
    ("status != up", ["Beta", "alpine", "dark"]),
    ("status = Powering_Up", []),
    ("status = poweringup", []),
    ("status = migrating", []),
    ("headless = true", ["alpine", "dark"]),
    ("headless = FALSE", ["Beta", "alpha"]),
    ("headless != true", ["Beta", "alpha"]),
    ("graphics = none", ["alpine", "dark"]),
    ("graphics = vnc", ["Beta", "alpha"]),
    ("graphics != vnc", ["alpine", "dark"]),
    ("graphics = both", []),
    ("video = vga", ["Beta", "alpha"]),
    ("video = none", ["alpine", "dark"]),
    ("serial_console = true", ["alpine"]),
    ("serial_console = false", ["Beta", "alpha", "dark"]),
    ("usb = true", []),
    ("guest_agent = true", []),
    ("guest_agent = false", ALL),
    ("access = none", ["dark"]),
    ("access = locked_out", ["dark"]),
    ("access = serial", ["alpine"]),
    ("access = graphical", ["Beta", "alpha"]),
    ("access != none", ["Beta", "alpha", "alpine"]),
    ("pending = true", []),
    ("run_once = true", []),
    ("next_run_config_exists = false", ALL),
    ("delete_protected = true", ["Beta"]),
    ("stateless = false", ALL),
    ("memory = 2048", ["alpha"]),
    ("memory > 2048", ["Beta"]),
    ("memory >= 2048", ["Beta", "alpha"]),
    ("memory < 2048", ["alpine", "dark"]),
    ("memory <= 1024", ["alpine", "dark"]),
    ("memory != 1024", ["Beta", "alpha"]),
    ("memory > 999999999999999999", []),
    ("memory > -5", ALL),
    ("vcpus = 1", ALL),
    ("guaranteed_memory > 1", []),
    ("os = rhel_9x64", ["Beta"]),
    ("type = server", ALL),
    ("bios_type = uefi", []),
    ("bios_type = q35_sea_bios", ALL),
    ("tpm = true", []),
    ("network.name = x", []),
    ("vnic.name = nic1", []),
    ("disk.name = root", []),
    ("storage.name = fast", []),
    ("snapshot.description = *", []),
    ("architecture = x86_64", ALL),
    ("architecture = s390x", []),
    ("host = local", ["alpha"]),
    ("on_host = LOC*", ["alpha"]),
    ("host != local", ["Beta", "alpine", "dark"]),
    ("cluster = default", ALL),
    ("cluster != default", []),
    ("datacenter = Default", ALL),
    ("compatibility_level = 4.8", ALL),
    ("template = blank", ALL),
    ("template.name = bl*", ALL),
    ("Templates.name = other", []),
    ("pool = x", []),
    ("pool != x", ALL),
    ("instance_type = tiny", []),
    ("hosts.status = up", ["alpha"]),
    ("host.status = down", []),
    ("event.severity = warning", ["dark"]),
    ("Events.type = USER_STARTED_VM", ["alpha"]),
    ("uptime < 1h", ["alpha"]),
    ("uptime > 1d", []),
    ("creationdate = today", ALL),
    ("creationdate < today", []),
    ("creationdate > yesterday", ALL),
    ("creationdate >= 2020-01-01", ALL),
    ('creationdate > "2020-01-01 12:30"', ALL),
    ("creationdate != today", []),
    ("has_illegal_images = false", ALL),
    ("custom_cpu_type = x", []),
    ("id = nonsense", []),
    ("id != nonsense", ALL),
]


def wrong(found: Callable[[str], list[str]], table: list[tuple[str, list[str]]]) -> dict[str, list[str]]:
    """What each search of a table finds, as far as it is not what it should."""
    told = {text: found(text) for text, _names in table}
    return {text: told[text] for text, names in table if told[text] != names}


def test_texts_and_fields_find_what_they_say(found: Found, machines: dict[str, VM]) -> None:
    assert wrong(found, TEXTS + FIELDS) == {}


def test_capital_letters_count_where_they_are_to(found: Found, machines: dict[str, VM]) -> None:
    assert wrong(partial(found, exact_case=True), EXACTLY) == {}


def test_an_id_finds_its_machine(found: Found, machines: dict[str, VM]) -> None:
    assert found(f"id = {machines['dark'].pk}") == ["dark"]


ORDERS = [
    ("sortby name", ["alpha", "alpine", "Beta", "dark"]),
    ("sortby name desc", ["dark", "Beta", "alpine", "alpha"]),
    ("sortby memory", ["alpine", "dark", "alpha", "Beta"]),
    ("sortby memory desc", ["Beta", "alpha", "dark", "alpine"]),
    ("sortby status desc", ["alpha", "dark", "Beta", "alpine"]),
    ("sortby graphics", ["alpine", "dark", "alpha", "Beta"]),
    ("sortby host desc", ["alpha", "dark", "Beta", "alpine"]),
    ("sortby uptime", ["alpha", "alpine", "Beta", "dark"]),
    ("headless = true sortby name desc", ["dark", "alpine"]),
]


def test_rows_come_in_the_order_that_is_asked_for(found: Found, machines: dict[str, VM]) -> None:
    assert wrong(found, ORDERS) == {}


def test_every_order_is_possible(found: Found, machines: dict[str, VM]) -> None:
    for model, language in LANGUAGES.items():
        rows = language.model._default_manager
        for name in language.orders:
            search = parse(f"sortby {name} desc")
            counted = rows.counted() if model is Pool else rows.all()
            assert len(ordered(counted, language, search)) == rows.count(), name


def test_every_field_of_every_language_can_be_asked_for(machines: dict[str, VM], admin: User) -> None:
    values = ("2026-07-31", "5", "1h", "x*", "true", "none", "normal")
    for model, language in LANGUAGES.items():
        rows: Any = visible(model, admin)
        rows = rows.counted() if model is Pool else rows
        for name, field in language.fields.items():
            answered = 0
            for operator in field.operators:
                for value in (*field.values[:1], *values):
                    try:
                        list(find(rows, language, parse(f"{name} {operator} {value}"), by=admin)[:3])
                    except Refusal as no:
                        assert no.code == "SEARCH_VALUE_ILLEGAL"  # noqa: PT017  (other values are not refused)
                    else:
                        answered += 1
            assert answered, f"{language.about} {name}"


REFUSED = [
    ("colour = red", "SEARCH_FIELD_UNKNOWN", "colour"),
    ("name > a", "SEARCH_OPERATOR_ILLEGAL", ">"),
    ("uptime = 3", "SEARCH_OPERATOR_ILLEGAL", "="),
    ("status = runing", "SEARCH_VALUE_ILLEGAL", "runing"),
    ("headless = perhaps", "SEARCH_VALUE_ILLEGAL", "perhaps"),
    ("memory > much", "SEARCH_VALUE_ILLEGAL", "much"),
    ("memory > 1e9", "SEARCH_VALUE_ILLEGAL", "1e9"),
    (f"memory > {'9' * 40}", "SEARCH_VALUE_ILLEGAL", "9" * 40),
    ("creationdate > soon", "SEARCH_VALUE_ILLEGAL", "soon"),
    ("creationdate > 2026-02-30", "SEARCH_VALUE_ILLEGAL", "2026-02-30"),
    ("creationdate = 9999-12-31", "SEARCH_VALUE_ILLEGAL", "9999-12-31"),
    ("uptime > long", "SEARCH_VALUE_ILLEGAL", "long"),
    ("event.severity = awful", "SEARCH_VALUE_ILLEGAL", "awful"),
    ("sortby colour", "SEARCH_ORDER_UNKNOWN", "colour"),
    ("Templates: name = a", "SEARCH_OBJECT_OTHER", "templates"),
]


def test_what_the_language_has_not_is_refused_with_its_place(found: Found) -> None:
    for text, code, marked in REFUSED:
        with pytest.raises(Refusal) as no:
            found(text)
        start, end = (int(str(no.value.params[name])) for name in ("start", "end"))
        assert (no.value.code, text[start:end].lower()) == (code, marked)
        assert no.value.params["possible"]


def test_a_search_may_say_that_it_is_about_these(found: Found, vm: VM) -> None:
    for text in ("Vms: name = web", "vm: web", "VMS:name=web"):
        assert found(text) == ["web"]


def test_fields_with_few_values_offer_them() -> None:
    few = {name for name, field in VMS.fields.items() if field.values}
    assert {name for name, field in VMS.fields.items() if isinstance(field, Choice | Switch)} <= few


def test_a_moment_is_of_the_day_that_people_have(found: Found, machines: dict[str, VM]) -> None:
    noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)
    VM.objects.filter(name="dark").update(created_at=noon - timedelta(days=1))
    assert found("creationdate = yesterday") == ["dark"]
    assert found(f'creationdate = "{noon - timedelta(days=1):%Y-%m-%d %H:%M:%S}"') == ["dark"]
