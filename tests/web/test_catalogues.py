"""The site speaks its languages: each catalogue has every text, really translated, with its placeholders."""

import re
from io import BytesIO
from typing import Final

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from django.conf import settings
from django.test import Client

from deploy import catalogues
from vms.models import VM, User

# Names and keys, and words that the language has taken from English or shares with it.
SAME: Final = {
    *("%(size)s/s", "Alt+F4", "Alt+Tab", "Balloon", "CD", "CPU", "Esc", "FQDN", "Firmware", "Hardware"),
    *("Headless", "headless", "Host", "Hosts", "KVM", "Kernel", "Pool", "Pools", "Super", "USB", "UserPortal"),
    *("Watchdog", "WebAdmin"),
}
ALIKE: Final = {
    "de": {
        *(
            "CPUs",
            "Cluster",
            "Controller",
            "Desktop",
            "Element",
            "Hypervisor",
            "in MiB",
            "Name",
            "OK",
            "Server",
            "Smartcard",
        ),
        *("Status", "System", "Tag", "Tags", "Text", "Version", "Video"),
    },
    "es": {
        *("Ctrl+Alt+F", "Error:", "firmware", "General", "host", "hosts", "kernel", "Manual", "No", "pool %(name)s"),
        "watchdog",
    },
}
# What a translation has to keep: what is filled in, and marks of HTML.
PLACEHOLDER: Final = re.compile(r"%\(\w+\)\w|%[sd%]|\{\w*\}|</?\w+[^>]*>")


@pytest.fixture(scope="module")
def languages() -> dict[str, Catalog]:
    return {path.parent.parent.name: catalogues.read(path) for path in catalogues.paths()}


@pytest.fixture(scope="module")
def marked() -> Catalog:
    return catalogues.marked()


def texts(catalogue: Catalog) -> dict[tuple[str | None, tuple[str, ...]], Message]:
    return {(message.context, catalogues.strings(message.id)): message for message in catalogue if message.id}


def test_every_offered_language_has_a_catalogue(languages: dict[str, Catalog]) -> None:
    assert {"en", *languages} == {code for code, _ in settings.LANGUAGES}


def test_every_catalogue_has_every_text_and_no_other(languages: dict[str, Catalog], marked: Catalog) -> None:
    for language, catalogue in languages.items():
        assert texts(catalogue).keys() ^ texts(marked).keys() == set(), f"{language}: run `make messages`"
        assert not catalogue.obsolete


def test_every_text_is_translated(languages: dict[str, Catalog]) -> None:
    for language, catalogue in languages.items():
        for (_, english), message in texts(catalogue).items():
            said = catalogues.strings(message.string)
            assert len(said) == (catalogue.num_plurals if message.pluralizable else 1), (language, english)
            assert all(said), (language, english)
            assert not message.fuzzy, (language, english)


def test_only_the_listed_words_are_the_same_as_in_english(languages: dict[str, Catalog]) -> None:
    for language, catalogue in languages.items():
        same = {english[0] for (_, english), message in texts(catalogue).items() if message.string == english[0]}
        assert same == SAME | ALIKE[language], language


def test_every_translation_keeps_the_placeholders_and_the_blanks_at_its_ends(languages: dict[str, Catalog]) -> None:
    for language, catalogue in languages.items():
        for (_, english), message in texts(catalogue).items():
            for said in catalogues.strings(message.string):
                assert kept(said) == kept(english[0]), (language, said)


def kept(text: str) -> tuple[list[str], bool, bool]:
    return sorted(PLACEHOLDER.findall(text)), text.startswith(" "), text.endswith(" ")


def test_what_set_up_compiled_is_what_the_catalogues_say(languages: dict[str, Catalog]) -> None:
    for path in catalogues.paths():
        write_mo(expected := BytesIO(), languages[path.parent.parent.name])
        assert path.with_suffix(".mo").read_bytes() == expected.getvalue(), "run `make setup`"


@pytest.mark.django_db
def test_pages_speak_the_browser_s_language_or_the_chosen_one(admin: User, headless_vm: VM, client: Client) -> None:
    client.force_login(admin)
    spoken = {"en": "Virtual Machines", "de": "Virtuelle Maschinen", "es": "Máquinas virtuales"}
    for language, title in spoken.items():
        page = client.get("/vms/", headers={"accept-language": language}).content.decode()
        assert f'lang="{language}"' in page
        assert [text for text in spoken.values() if text in page] == [title]
        assert all(f">{name}<" in page for name in ("English", "Deutsch", "Español"))
    client.post("/i18n/setlang/", {"language": "es", "next": "/vms/"})
    page = client.get(f"/vms/{headless_vm.pk}/", headers={"accept-language": "de"}).content.decode()
    assert "Esta máquina virtual es headless: no tiene consola gráfica." in page
    assert "Ejecutar una vez…" in page
