"""Adoption in WebAdmin: the domains of a host that nobody manages, an adopted machine, and what somebody changed."""

from uuid import UUID, uuid5

import pytest
from django.test import Client

from tests.factories import person
from tests.libvirtxml.foreign import SHAPES, SPACE, xml_of
from tests.web.kinds import html_of, text_of
from vms.actions import adoption, domains
from vms.domain.hosts import Observation
from vms.domain.lifecycle import Status
from vms.models import VM, Domain, Host, Job, User

pytestmark = pytest.mark.django_db


def seen(host: Host, name: str, definition: str | None = None) -> UUID:
    key = uuid5(SPACE, name)
    text = xml_of(name) if definition is None else definition
    domains.seen(host, Observation(id=key, name=name, status=Status.DOWN, definition=text))
    return key


@pytest.fixture
def two_cards(host: Host, admin: User) -> VM:
    key = seen(host, "two-cards")
    return adoption.take_over(Domain.objects.get(machine=key), by=admin)


def test_the_page_of_a_host_offers_what_nobody_manages(web: Client, host: Host) -> None:
    assert "Domains that are not managed" not in text_of(web, f"/hosts/{host.pk}/")
    for name in SHAPES:
        seen(host, name)
    told = text_of(web, f"/hosts/{host.pk}/")
    assert "card-alone Down None (headless) 96 MiB a video card without graphics" in told
    one = Domain.objects.get(name="two-cards")
    assert web.post(f"/hosts/{host.pk}/adopt/{one.pk}").status_code == 302
    assert VM.objects.get().name == "two-cards"
    web.post(f"/hosts/{host.pk}/adopt/{one.pk}", follow=True)
    assert web.post(f"/hosts/{host.pk}/adopt").status_code == 302
    assert VM.objects.filter(adopted=True).count() == len(SHAPES)
    assert "Domains that are not managed" not in text_of(web, f"/hosts/{host.pk}/")
    assert "has no domain that is not managed" in html_of(web.post(f"/hosts/{host.pk}/adopt", follow=True))


def test_an_adopted_machine_is_shown_as_it_is(web: Client, two_cards: VM) -> None:
    told = text_of(web, f"/vms/{two_cards.pk}/devices")
    assert "Adopted from host local: its definition is kept as it was" in told
    assert "more than one video card" in told
    assert told.count("video qxl") == 2
    assert web.post(f"/vms/{two_cards.pk}/definition/normalise").status_code == 302
    assert Job.objects.get().verb == "normalise"


def test_what_somebody_changed_is_shown_and_settled(web: Client, two_cards: VM, host: Host) -> None:
    seen(host, "two-cards", xml_of("two-cards").replace("Not to be touched", "Touched"))
    assert "see the tab Devices" in text_of(web, f"/vms/{two_cards.pk}/")
    page = text_of(web, f"/vms/{two_cards.pk}/devices")
    assert "Somebody changed the definition on host local." in page
    assert "Touched" in page
    answer = web.post(f"/vms/{two_cards.pk}/actions/start", follow=True)
    assert "Accept that, or have the former one written again" in html_of(answer)
    assert web.post(f"/vms/{two_cards.pk}/definition/accept").status_code == 302
    assert "Somebody changed" not in text_of(web, f"/vms/{two_cards.pk}/devices")
    domains.gone(host, two_cards.pk)
    assert "Somebody removed the definition on host local." in text_of(web, f"/vms/{two_cards.pk}/devices")
    assert web.post(f"/vms/{two_cards.pk}/definition/restore").status_code == 302
    assert "Touched" in Job.objects.get(verb="define").params["own"]


def test_what_a_job_of_ours_writes_is_no_change_of_somebody_elses(two_cards: VM, host: Host) -> None:
    def told() -> bool:
        return VM.objects.get(pk=two_cards.pk).drift

    domains.written(two_cards.pk)
    seen(host, "two-cards", xml_of("two-cards").replace("Not to be touched", "By a snapshot"))
    assert not told()
    seen(host, "two-cards")
    assert told()
    domains.written(two_cards.pk)
    assert told(), "what somebody changed is still to be settled"


def test_who_may_not_make_machines_adopts_none(client: Client, host: Host) -> None:
    key = seen(host, "plain")
    client.force_login(person("dave", role="ReadOnlyAdmin"))
    client.post(f"/hosts/{host.pk}/adopt/{Domain.objects.get(machine=key).pk}")
    client.post(f"/hosts/{host.pk}/adopt")
    assert not VM.objects.exists()
    assert "Your roles do not allow you to create virtual machines here" in text_of(client, f"/hosts/{host.pk}/")
