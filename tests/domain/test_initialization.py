"""The first boot: what cloud-init is told, word by word, and what is refused with its word."""

import json
from email import message_from_bytes
from typing import Any
from uuid import UUID

import pytest

from vms.domain.errors import Refusal
from vms.domain.headless_guest import Task, script
from vms.domain.initialization import Initialization
from vms.domain.networks import Nic
from vms.domain.secret import Secret

ID = UUID("0d6f2c1e-9a55-4b5e-8f43-0c3a3e0d5a11")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh alice@example.org"
CARDS = (Nic(mac="56:6f:00:00:00:01", name="nic1"), Nic(mac="56:6f:00:00:00:02", name="nic2"))


def of(password: str = "", **words: Any) -> Initialization:
    return Initialization.of({f"initialization/{word}": value for word, value in words.items()}, Secret(password))


def files(initialization: Initialization) -> dict[str, Any]:
    """The seed's files, read as cloud-init does (JSON is YAML)."""
    made = initialization.files(ID, "web", CARDS)
    return {name: json.loads(content.decode().removeprefix("#cloud-config\n")) for name, content in made.items()}


def test_a_machine_without_anything_to_tell_says_its_name() -> None:
    assert of().empty
    told = files(of())
    assert told["user-data"] == {"hostname": "web"}
    assert told["meta-data"]["local-hostname"] == "web"
    assert "network-config" not in told


def test_a_user_gets_the_password_and_the_keys() -> None:
    told = files(of("s3cret: #", user_name="alice", authorized_ssh_keys=f"{KEY}\n\n{KEY}"))["user-data"]
    assert told["user"] == "alice"
    assert (told["password"], told["chpasswd"], told["ssh_pwauth"]) == ("s3cret: #", {"expire": False}, True)
    assert told["ssh_authorized_keys"] == [KEY, KEY]


def test_root_is_let_in_only_when_it_is_asked_for() -> None:
    told = files(of("s3cret", user_name="root", authorized_ssh_keys=KEY))["user-data"]
    assert told["disable_root"] is False
    assert "password" not in told
    assert told["chpasswd"] == {"expire": False, "list": "root:s3cret"}


def test_names_and_time() -> None:
    told = files(of(host_name="web.example.org", timezone="Europe/Berlin"))
    assert (told["user-data"]["hostname"], told["user-data"]["fqdn"]) == ("web", "web.example.org")
    assert told["user-data"]["timezone"] == "Europe/Berlin"
    assert told["meta-data"]["local-hostname"] == "web.example.org"


def test_cards_are_known_by_their_addresses_and_others_by_their_names() -> None:
    static = {"address": "192.0.2.10", "netmask": "255.255.255.0", "gateway": "192.0.2.1"}
    setups = [
        {"name": "nic1", "boot_protocol": "static", "ip": static},
        {"name": "eth7", "boot_protocol": "dhcp"},
        {"name": "nic2", "ipv6_boot_protocol": "static", "ipv6": {"address": "2001:db8::5", "netmask": "64"}},
        {"name": "nic3", "boot_protocol": "none"},
    ]
    told = files(of(nic_configurations=setups, dns_servers="192.0.2.53 2001:db8::53", dns_search="example.org"))
    servers = {"addresses": ["192.0.2.53", "2001:db8::53"], "search": ["example.org"]}
    assert told["network-config"] == {
        "version": 2,
        "ethernets": {
            "nic1": {
                "match": {"macaddress": "56:6f:00:00:00:01"},
                "dhcp4": False,
                "addresses": ["192.0.2.10/24"],
                "gateway4": "192.0.2.1",
                "nameservers": servers,
            },
            "eth7": {"dhcp4": True, "nameservers": servers},
            "nic2": {
                "match": {"macaddress": "56:6f:00:00:00:02"},
                "dhcp4": True,
                "addresses": ["2001:db8::5/64"],
                "nameservers": servers,
            },
        },
    }


def test_dns_alone_is_told_for_every_card() -> None:
    told = files(of(dns_servers="192.0.2.53"))["network-config"]["ethernets"]
    assert set(told) == {"nic1", "nic2"}
    assert told["nic1"]["dhcp4"] is True


@pytest.mark.parametrize(
    ("script", "kind"), [("#!/bin/sh\necho ü >/ran\n", "x-shellscript"), ("packages: [nginx]\n", "cloud-config")]
)
def test_a_script_comes_with_what_the_fields_say(script: str, kind: str) -> None:
    parts: Any = message_from_bytes(of(host_name="web", custom_script=script).files(ID, "web", ())["user-data"])
    fields, ours = parts.get_payload()
    assert fields.get_content_subtype() == "cloud-config"
    assert ours.get_content_subtype() == kind
    assert ours.get_payload(decode=True).decode() == script


def test_a_new_guest_is_prepared_for_headless_after_all_else() -> None:
    alone: Any = message_from_bytes(of(prepare_headless=True).files(ID, "web", ())["user-data"])
    both: Any = message_from_bytes(
        of(prepare_headless=True, custom_script="packages: [x]").files(ID, "web", ())["user-data"]
    )
    for parts, count in ((alone, 2), (both, 3)):
        told = parts.get_payload()
        assert (len(told), told[-1].get_content_subtype()) == (count, "x-shellscript")
        assert told[-1].get_payload(decode=True).decode() == "#!/bin/sh\n" + script(Task.CHANGE)
    assert not of(prepare_headless=True).empty


def test_what_is_said_anew_is_another_instance_and_the_same_is_the_same() -> None:
    first, same, other = (files(of(host_name=name))["meta-data"]["instance-id"] for name in ("web", "web", "db"))
    assert first == same != other
    assert first.startswith(str(ID))


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"user_name": "Alice B"}, "user_name"),
        ({"user_name": "a\nb"}, "user_name"),
        ({"authorized_ssh_keys": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "authorized_ssh_keys"),
        ({"host_name": "web_1"}, "host_name"),
        ({"host_name": "web\x07"}, "host_name"),
        ({"timezone": "Mars/Phobos"}, "timezone"),
        ({"dns_servers": "one.one.one.one"}, "dns_servers"),
        ({"dns_search": "exa mple,-org"}, "dns_search"),
        ({"custom_script": "x" * 16_385}, "custom_script"),
        ({"nic_configurations": [{"name": "nic1", "boot_protocol": "static"}]}, "nic_configurations"),
        ({"nic_configurations": [{"name": "n ic"}]}, "nic_configurations"),
        (
            {
                "nic_configurations": [
                    {"name": "a", "boot_protocol": "static", "ip": {"address": "192.0.2.1", "gateway": "x"}}
                ]
            },
            "nic_configurations",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_word(words: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as no:
        of(**words)
    assert no.value.field == f"initialization_{field}"


def test_a_password_shows_nowhere() -> None:
    assert "s3cret" not in repr(of("s3cret"))
