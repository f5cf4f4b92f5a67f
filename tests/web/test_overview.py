"""The dashboard, the pages of events and tasks, bookmarks, tags, chosen columns, and the report of many."""

import re

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.factories import headless, machine, person
from tests.web.kinds import html_of, text_of
from vms.actions import edit, jobs, many
from vms.domain.changes import Changes
from vms.models import VM, Bookmark, Host, Job, Tag, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def test_the_dashboard_counts_and_leads_to_what_it_counts(
    web: Client, vm: VM, headless_vm: VM, host: Host, admin: User
) -> None:
    edit.edit(up(vm, host, by=admin), Changes(machine={"memory": 2048}), by=admin)
    text = text_of(web, "/")
    for told in ("All virtual machines 2", "Up 1", "Down 1", "Headless without a way in 1", "Restart pending 1"):
        assert told in text
    assert "Headless 1 VNC 1 SPICE 0 SPICE + VNC 0" in text
    assert "Hosts Up 1" in text
    assert "Nobody could reach these: db" in text
    (found,) = re.findall(r'href="(/vms/\?q=pending[^"]*)"', html_of(web.get("/")))
    assert ">web</a>" in html_of(web.get(found))


def test_events_are_told_in_sentences_found_and_paged(web: Client, vm: VM, admin: User) -> None:
    assert "web was created by admin." in text_of(web, "/events/")
    assert "web was created" in text_of(web, "/events/?q=usrname+%3D+admin")
    assert "web was created" not in text_of(web, "/events/?q=severity+>+warning")
    assert "cannot stand there" in text_of(web, "/events/?q=%3D")
    for number in range(60):
        machine(f"m{number}", by=admin)
    (following,) = re.findall(r'href="(/events/\?after=[^"]+)"', html_of(web.get("/events/")))
    assert "web was created" in text_of(web, following)


def test_who_sees_few_machines_is_told_of_few(client: Client, vm: VM, headless_vm: VM) -> None:
    dora = person("dora", role="SuperUser", vm=vm)
    client.force_login(dora)
    text = text_of(client, "/")
    assert "All virtual machines 1" in text
    assert "db" not in re.findall(r"\w+", text)
    assert "db" not in re.findall(r"\w+", text_of(client, "/events/"))


def test_many_are_asked_back_recorded_and_reported(web: Client, vm: VM, headless_vm: VM) -> None:
    asked = html_of(web.get(f"/vms/many?verb=headless&vm={vm.pk}&vm={headless_vm.pk}&vm=nonsense"))
    assert "for 2 virtual machines:" in asked
    given = {"verb": "headless", "vm": [str(vm.pk), str(headless_vm.pk)], "expected": "2", "serial": "1"}
    answer = web.post("/vms/many", given)
    job = Job.objects.get(verb="many_headless")
    assert answer["Location"] == f"/tasks/{job.pk}/"
    taken = jobs.claim_many("engine")
    assert taken is not None
    while many.carry_on(taken):
        pass
    text = text_of(web, f"/tasks/{job.pk}/")
    assert "2 done, 0 refused, of 2" in text
    assert "Make headless: 2" in text_of(web, "/tasks/")
    assert VM.objects.get(pk=vm.pk).console.headless


def test_all_that_match_are_meant_and_no_others(web: Client, vm: VM, headless_vm: VM, admin: User) -> None:
    assert "for 1 virtual machine: db" in text_of(web, "/vms/many?verb=start&all=1&q=headless+%3D+true")
    machine("db2", by=admin, console=headless)
    given = {"verb": "start", "all": "1", "q": "headless = true", "expected": "1"}
    answer = web.post("/vms/many", given)
    assert answer.status_code == 409
    assert "Meanwhile 2 virtual machines match instead of 1." in html_of(answer)
    assert not Job.objects.exists()
    assert web.post("/vms/many", {**given, "expected": "2"}).status_code == 302


@pytest.mark.parametrize("query", ["", "verb=start", "verb=nonsense", "verb=start&all=1&q=%3D", "verb=start&vm=%00"])
def test_many_of_nothing_is_told(query: str, web: Client, vm: VM) -> None:
    answer = web.get(f"/vms/many?{query}")
    assert answer.status_code in {200, 422}
    assert "pf-m-danger" in html_of(answer)


def test_what_is_left_can_be_cancelled(web: Client, vm: VM, admin: User) -> None:
    job = many.ask("start", VM.objects.all(), by=admin)
    assert "Cancel what is left" in text_of(web, f"/tasks/{job.pk}/")
    web.post(f"/tasks/{job.pk}/cancel")
    assert Job.objects.get(pk=job.pk).state == "aborted"


def test_a_search_is_kept_and_leads_back(web: Client, vm: VM) -> None:
    web.post("/bookmarks", {"name": "mine", "value": "Vms: name = web"})
    (found,) = re.findall(r'href="(/vms/\?q=[^"]+)">mine', html_of(web.get("/bookmarks")))
    assert ">web</a>" in html_of(web.get(found))
    assert web.post("/bookmarks", {"name": "", "value": "="}).status_code == 422
    web.post("/bookmarks", {"remove": str(Bookmark.objects.get().pk)})
    assert not Bookmark.objects.exists()


def test_tags_are_made_below_each_other(web: Client, vm: VM) -> None:
    web.post("/tags", {"name": "site"})
    web.post("/tags", {"name": "hall", "parent": str(Tag.objects.get().pk)})
    assert "— hall" in text_of(web, "/tags")
    assert web.post("/tags", {"name": "site"}).status_code == 409
    web.post("/tags", {"remove": str(Tag.objects.get(name="site").pk)})
    assert not Tag.objects.exists()


def test_columns_and_density_are_kept_for_the_person(web: Client, vm: VM, admin: User) -> None:
    assert 'data-label="Operating System"' not in html_of(web.get("/vms/"))
    web.post("/columns/vm", {"column": ["os", "nonsense"], "density": "roomy", "next": "/vms/?q=web"})
    html = html_of(web.get("/vms/"))
    assert 'data-label="Operating System"' in html
    assert 'data-label="Memory"' not in html
    assert "pf-m-compact pf-m-grid-xl" not in html
    assert web.post("/columns/vm", {"next": "https://elsewhere.example/", "reset": "1"})["Location"] == "/vms/"
    assert 'data-label="Memory"' in html_of(web.get("/vms/"))


def test_completions_are_words_and_names(web: Client, vm: VM) -> None:
    def offered(text: str) -> list[str]:
        return [each["text"] for each in web.get("/search/suggest/vm", {"q": text}).json()["offered"]]

    assert offered("sta") == ["stateless", "status"]
    assert offered("cluster = D") == ["Default"]
    assert offered("status = power") == ["powering_up", "powering_down"]
    assert web.get("/search/suggest/nonsense").status_code == 404


def linked(web: Client, path: str, rel: str) -> list[str]:
    """The pages that follow each other from a page on, in one direction."""
    found = re.search(rf'href="([^"]+)" rel="{rel}"', html_of(web.get(path)))
    if found is None:
        return []
    following = found.group(1).replace("&amp;", "&")
    return [following, *linked(web, following, rel)]


def machines_of(web: Client, path: str) -> str:
    """The names of the machines on a page, in their order."""
    return "".join(re.findall(r'<a href="/vms/[0-9a-f-]+/">(m\d)</a>', html_of(web.get(path))))


def test_a_list_is_sorted_and_paged_in_any_order(
    web: Client, admin: User, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vms.web.listing.PAGE", 2)
    for number, memory in enumerate((512, 512, 1024, 2048, 2048)):
        machine(f"m{number}", by=admin, memory=memory)
    for order, names in (("memory desc", "m4m3m2m1m0"), ("status asc", "m0m1m2m3m4"), ("uptime asc", "m0m1m2m3m4")):
        first = f"/vms/?q=sortby+{order.replace(' ', '+')}"
        pages = [first, *linked(web, first, "next")]
        assert "".join(machines_of(web, page) for page in pages) == names, order
        assert machines_of(web, linked(web, pages[-1], "prev")[0]) == names[4:8]
        assert "does not belong to this order" in text_of(web, f"/vms/?q=sortby+name&{pages[1].partition('&')[2]}")
    assert "does not belong to this order" in text_of(web, "/vms/?after=nonsense")
