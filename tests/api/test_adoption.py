"""What a host has that nobody manages, adopted and settled by programs."""

from uuid import UUID, uuid5

import pytest

from tests.api.caller import BASE, Caller
from tests.factories import person
from tests.libvirtxml.foreign import SHAPES, SPACE, xml_of
from vms.actions import adoption, domains
from vms.domain.hosts import Observation
from vms.domain.lifecycle import Status
from vms.models import VM, Domain, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def seen(host: Host, name: str, definition: str | None = None) -> UUID:
    key = uuid5(SPACE, name)
    text = xml_of(name) if definition is None else definition
    domains.seen(host, Observation(id=key, name=name, status=Status.DOWN, definition=text))
    return key


@pytest.fixture
def shapes(host: Host) -> None:
    for name in SHAPES:
        seen(host, name)


@pytest.fixture
def two_cards(host: Host, admin: User) -> VM:
    key = seen(host, "two-cards")
    return adoption.take_over(Domain.objects.get(machine=key), by=admin)


def test_what_nobody_manages_is_listed_as_the_machines_that_it_would_be(api: Caller, host: Host, shapes: None) -> None:
    at = f"/hosts/{host.pk}/unmanagedvms"
    found = {each["name"]: each for each in api.get(at).all("vm")}
    assert set(found) == set(SHAPES)
    alone = found["card-alone"]
    assert (alone["status"], alone["origin"], alone["memory"]) == ("down", "external", str(96 << 20))
    assert "display" not in alone, "headless, as every other machine is told"
    assert "video_without_graphics" in str(alone["peculiarities"])
    assert alone["id"] == str(uuid5(SPACE, "card-alone"))
    assert api.get(f"{at}/{alone['id']}").at("name") == "card-alone"


def test_one_is_adopted_and_then_the_rest(api: Caller, host: Host, shapes: None) -> None:
    at = f"/hosts/{host.pk}/adopt"
    one = api.post(at, tree={"vm": {"name": "two-cards"}})
    assert (one.status, one.at("vm/name"), str(one.at("vm/adopted")).lower()) == (200, "two-cards", "true")
    assert one.at("vm/id") == str(uuid5(SPACE, "two-cards")), "the id that it had on its host"
    again = api.post(at, tree={"vm": {"id": str(uuid5(SPACE, "two-cards"))}})
    assert again.status == 404
    rest = api.post(at)
    assert rest.status == 200, rest.text
    assert len(rest.tree["vms"]["vm"]) == len(SHAPES) - 1
    assert api.get(f"/hosts/{host.pk}/unmanagedvms").all("vm") == []
    assert api.post(at).status == 409
    assert {vm["adopted"].lower() for vm in api.get("/vms").all("vm")} == {"true"}


def test_ovirts_import_adopts_on_the_host_that_is_named_or_has_the_address(
    api: Caller, host: Host, shapes: None
) -> None:
    told = {"provider": "kvm", "sparse": "true", "username": "root", "password": "secret"}
    said = {"name": "two-cards", "vm": {"name": "taken"}, "host": {"id": str(host.pk)}, **told}
    made = api.post("/externalvmimports", "external_vm_import", said)
    assert made.status == 201, made.text
    vm = VM.objects.get()
    assert (vm.name, made.at("vm/id"), made.at("vm/href")) == ("taken", str(vm.pk), f"{BASE}/vms/{vm.pk}")
    assert made.response["Location"] == f"{BASE}/vms/{vm.pk}"
    assert "secret" not in made.text
    Host.objects.filter(pk=host.pk).update(uri="qemu+tcp://far.example.org/system")
    said = {"name": "card-alone", "url": "qemu+tcp://far.example.org/system?no_verify=1", **told}
    assert api.post("/externalvmimports", "external_vm_import", said).status == 201
    waited = api.get(f"/events?search=type%3D1152+and+vm.id%3D{vm.pk}").all("event")
    assert [each["name"] for each in waited] == ["USER_ADOPT_VM"], "as Ansible waits for it"


def test_an_import_that_cannot_be_says_why(xml: Caller, host: Host, shapes: None) -> None:
    here = {"host": {"id": str(host.pk)}}
    for said, words in (
        ({}, "name"),
        ({"name": "two-cards"}, "host.id|name"),
        ({"name": "two-cards", "url": "qemu+tcp://nowhere/system"}, "Add the host first"),
        ({"name": "no-such", **here}, "no-such"),
        ({"name": "two-cards", "provider": "vmware", **here}, "kvm"),
        ({"name": "two-cards", "storage_domain": {"name": "data"}, **here}, "storage_domain"),
        ({"name": "two-cards", "vm": {"name": "a b"}, **here}, "name"),
        ({"name": "two-cards", "cluster": {"name": "other"}, **here}, "cluster"),
    ):
        answer = xml.post("/externalvmimports", "external_vm_import", said)
        assert answer.status == 400, (said, answer.text)
        assert words in answer.text, said
    assert not VM.objects.exists()


def test_what_somebody_changed_is_told_and_settled(api: Caller, two_cards: VM, host: Host) -> None:
    at = f"/vms/{two_cards.pk}"
    assert api.get(at).at("changed_outside") is None
    assert api.post(f"{at}/acceptdefinition").status == 409
    changed = xml_of("two-cards").replace("Not to be touched", "Touched")
    seen(host, "two-cards", changed)
    assert str(api.get(at).at("changed_outside")).lower() == "true"
    assert [each["id"] for each in api.get("/vms?search=changed_outside%3Dtrue").all("vm")] == [str(two_cards.pk)]
    restored = api.post(f"{at}/restoredefinition", tree={"async": "true"})
    assert restored.status == 202, restored.text
    assert api.get(restored.at("href")).at("status") == "pending"
    Job.objects.all().delete()
    assert api.post(f"{at}/acceptdefinition").status == 200
    assert Domain.objects.get().accepted == changed
    assert api.post(f"{at}/normalise").status == 200
    assert Job.objects.get().verb == "normalise"


def test_who_may_make_no_machine_adopts_none(host: Host, shapes: None, two_cards: VM) -> None:
    seer = Caller(person("seer", role="ReadOnlyAdmin"))
    assert len(seer.get(f"/hosts/{host.pk}/unmanagedvms").all("vm")) == len(SHAPES) - 1
    assert seer.post(f"/hosts/{host.pk}/adopt").status == 403
    said = {"name": "card-alone", "host": {"id": str(host.pk)}}
    assert seer.post("/externalvmimports", "external_vm_import", said).status == 403
    assert seer.post(f"/vms/{two_cards.pk}/normalise").status == 403
    assert VM.objects.count() == 1
