"""Who gets in at the door and how, what they see, and how they are sent away."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from tests.actions.runs import up
from tests.api.caller import BASE, VNC_ID, Caller, basic, bearer
from tests.factories import machine, person
from vms.actions import create, power
from vms.actions.logins import log_in
from vms.api.urls import urlpatterns
from vms.models import VM, ActionGroup, AuditEvent, Cluster, Host, Job, Role, RolePermit, Token, User
from vms.routes import Access, access_of, routes

pytestmark = pytest.mark.django_db

TOKEN = "/ovirt-engine/sso/oauth/token"
LOG_OUT = "/ovirt-engine/services/sso-logout"
GRANT = {"grant_type": "password", "scope": "ovirt-app-api"}


def granted(client: Client, name: str = "admin@internal", **more: str) -> Any:
    return client.post(TOKEN, {**GRANT, "username": name, "password": "admin-password", **more})


# -- the token


def test_a_password_is_exchanged_for_a_token(client: Client, admin: User) -> None:
    answer = granted(client)
    told = answer.json()
    assert (answer.status_code, told["token_type"], told["scope"]) == (200, "bearer", "ovirt-app-api")
    assert client.get(f"{BASE}/vms", headers=bearer(told["access_token"])).status_code == 200


def test_the_profile_may_be_left_out(client: Client, admin: User) -> None:
    assert granted(client, "admin").status_code == 200


def test_a_token_is_long_random_and_not_kept(client: Client, admin: User) -> None:
    one, other = (granted(client).json()["access_token"] for _ in range(2))
    assert one != other
    assert len(base64.urlsafe_b64decode(one + "=")) == 32
    assert one not in str(list(Token.objects.values()))


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"password": "wrong"}, "access_denied"),
        ({"username": "nobody@internal"}, "access_denied"),
        ({"username": "admin@elsewhere"}, "access_denied"),
        ({"username": "ad\0min"}, "access_denied"),
        ({"username": ""}, "invalid_request"),
        ({"password": ""}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
)
def test_a_refused_token_is_a_400_that_clients_can_read(
    client: Client, admin: User, told: dict[str, str], code: str
) -> None:
    answer = client.post(TOKEN, {**GRANT, "username": "admin@internal", "password": "admin-password", **told})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert answer.json()["error_code"] == code
    assert answer.json()["error"]
    assert not Token.objects.exists()


def test_another_scope_reads_the_error_otherwise(client: Client, admin: User) -> None:
    told = granted(client, scope="openid").json()
    assert (told["error"], bool(told["error_description"])) == ("invalid_scope", True)


def test_who_is_not_active_gets_no_token_and_loses_it(client: Client, admin: User) -> None:
    token = granted(client).json()["access_token"]
    User.objects.update(is_active=False)
    assert granted(client).status_code == 400
    assert client.get(BASE, headers=bearer(token)).status_code == 401


def test_a_token_ends_with_its_time(client: Client, admin: User) -> None:
    token, row = log_in(admin)
    assert client.get(BASE, headers=bearer(token)).status_code == 200
    Token.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(BASE, headers=bearer(token)).status_code == 401
    log_in(admin)
    assert not Token.objects.filter(pk=row.pk).exists()


def test_a_token_ends_with_the_password_it_was_given_for(client: Client, admin: User) -> None:
    token, _row = log_in(admin)
    admin.set_password("another")
    admin.save()
    assert client.get(BASE, headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("address", [LOG_OUT, "/ovirt-engine/sso/oauth/revoke"])
def test_logging_out_ends_the_token_and_says_nothing_more(client: Client, admin: User, address: str) -> None:
    token, _row = log_in(admin)
    for _ in range(2):
        answer = client.post(address, {"scope": "ovirt-app-api", "token": token})
        assert (answer.status_code, answer.json()) == (200, {})
    assert client.get(BASE, headers=bearer(token)).status_code == 401


def test_logging_in_and_out_is_in_the_audit_trail(client: Client, admin: User) -> None:
    token = granted(client).json()["access_token"]
    client.post(LOG_OUT, {"token": token})
    codes = AuditEvent.objects.order_by("id").values_list("code", "actor_name")
    assert list(codes)[-2:] == [("USER_VDC_LOGIN", "admin"), ("USER_VDC_LOGOUT", "admin")]


def test_kerberos_is_declined_in_words_that_clients_read(client: Client) -> None:
    answer = client.post("/ovirt-engine/sso/oauth/token-http-auth", {})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "access_denied")


# -- at the door


def test_name_and_password_will_do(client: Client, admin: User) -> None:
    told = {**basic("admin@internal", "admin-password"), "Prefer": "persistent-auth", "Filter": "true"}
    assert client.get(f"{BASE}/vms", headers=told).status_code == 200


@pytest.mark.parametrize(
    "told",
    [
        {},
        basic("admin@internal", "wrong"),
        basic("nobody", "admin-password"),
        basic("ad\0min", "x"),
        {"Authorization": "Basic ???"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Negotiate abc"},
    ],
)
def test_without_credentials_it_is_a_401_and_never_a_redirect(
    client: Client, admin: User, told: dict[str, str]
) -> None:
    for path in ("", "/", "/vms", "/v4/vms", "/nowhere"):
        answer = client.get(f"{BASE}{path}", headers=told)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Basic realm="RESTAPI"')
        assert b"<fault>" in answer.content


def test_the_session_of_a_browser_reads_but_writes_only_with_its_csrf_token(admin: User, headless_vm: VM) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin)
    assert browser.get(f"{BASE}/vms").status_code == 200
    start = f"{BASE}/vms/{headless_vm.pk}/start"
    forged = browser.post(start, "<action/>", content_type="application/xml")
    assert (forged.status_code, Job.objects.count()) == (403, 0)
    assert b"<fault>" in forged.content
    browser.cookies["csrftoken"] = "a" * 32
    sent = browser.post(start, "<action/>", content_type="application/xml", headers={"X-CSRFToken": "a" * 32})
    assert sent.status_code == 200


def test_credentials_need_no_csrf_token_and_a_cookie_beside_them_changes_nothing(admin: User, headless_vm: VM) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("carol"))
    answer = client.post(
        f"{BASE}/vms/{headless_vm.pk}/start",
        "<action/>",
        content_type="application/xml",
        headers=basic("admin@internal", "admin-password"),
    )
    assert (answer.status_code, Job.objects.get().created_by) == (200, admin)


def test_every_address_declares_that_it_asks_for_credentials_itself() -> None:
    ours = [(path, view) for path, view in routes(urlpatterns)]
    assert len(ours) > 40
    others = {path: access_of(view) for path, view in ours if access_of(view) != Access.CLIENT}
    public = ("services/health$", r"api(?:/v4)?/openapi\.json$", "apidoc/$", "apidoc/(?P<tag>[a-z]+)/$")
    assert others == {f"^ovirt-engine/{path}": Access.PUBLIC for path in public}
    assert get_resolver().resolve(f"{BASE}/vms").func.cls.__name__ == "Collection"  # type: ignore[attr-defined]


# -- what people see


def test_the_root_says_what_this_is(api: Caller, vm: VM, host: Host) -> None:
    told = api.get("")
    version = told.at("product_info/version")
    assert (version["major"], int(version["minor"]) >= 4, int(version["build"]) > 0) == ("4", True, True)
    assert told.at("special_objects/blank_template/id") == "00000000-0000-0000-0000-000000000000"
    assert (told.at("summary/vms/total"), told.at("summary/hosts/active")) == ("1", "1")
    assert told.at("authenticated_user/id") == str(api.user.pk)
    links = {link["rel"]: link["href"] for link in told.at("link")}
    for rel in ("vms", "templates", "instancetypes", "vmpools", "clusters", "datacenters", "hosts", "jobs", "events"):
        assert api.get(links[rel]).status == 200


def test_only_administrators_are_told_how_many_there_are(language: str, alice: User) -> None:
    assert Caller(alice, language).get("").at("summary") is None


def test_people_see_what_they_have_a_role_on(
    language: str, vm: VM, headless_vm: VM, alice: User, bob: User, carol: User
) -> None:
    for user, seen in ((alice, ["web"]), (bob, ["web"]), (carol, [])):
        assert [told["name"] for told in Caller(user, language).get("/vms").all("vm")] == seen


READ = ("", "/graphicsconsoles", f"/graphicsconsoles/{VNC_ID}", "/nics", "/snapshots", "/diskattachments")
ACT = ("/start", "/stop", "/ticket", "/clone", "/detach", f"/graphicsconsoles/{VNC_ID}/remoteviewerconnectionfile")


@pytest.mark.parametrize("path", READ)
def test_a_stranger_s_machine_is_not_there_to_be_read(vm: VM, carol: User, path: str) -> None:
    assert Caller(carol).get(f"/vms/{vm.pk}{path}").status == 404


@pytest.mark.parametrize("path", ACT)
def test_a_stranger_s_machine_is_not_there_to_be_used(vm: VM, carol: User, path: str) -> None:
    assert Caller(carol).post(f"/vms/{vm.pk}{path}").status == 404
    assert not Job.objects.exists()


def test_a_stranger_s_machine_is_not_there_to_be_changed(vm: VM, carol: User) -> None:
    caller = Caller(carol)
    assert caller.put(f"/vms/{vm.pk}", "vm", {"name": "mine"}).status == 404
    assert caller.delete(f"/vms/{vm.pk}").status == 404
    assert caller.delete(f"/vms/{vm.pk}/graphicsconsoles/{VNC_ID}").status == 404
    assert VM.objects.get(pk=vm.pk).spec == vm.spec


def test_alice_changes_her_machine_and_bob_may_only_use_it(language: str, vm: VM, alice: User, bob: User) -> None:
    hers, his = Caller(alice, language), Caller(bob, language)
    refused = his.delete(f"/vms/{vm.pk}/graphicsconsoles/{VNC_ID}")
    assert (refused.status, refused.fault[0]) == (403, "Operation Failed")
    assert his.put(f"/vms/{vm.pk}", "vm", {"comment": "his"}).status == 403
    assert his.delete(f"/vms/{vm.pk}").status == 403
    assert hers.delete(f"/vms/{vm.pk}/graphicsconsoles/{VNC_ID}").status == 200
    assert his.post(f"/vms/{vm.pk}/start").status == 200


def test_who_may_not_make_a_machine_is_told_so_and_nothing_is_made(language: str, vm: VM) -> None:
    bob = person("bob", role="UserRole", cluster=vm.cluster)
    body = {"name": "his", "cluster": {"name": "Default"}, "template": {"name": "Blank"}}
    assert Caller(bob, language).post("/vms", "vm", body).status == 403
    assert VM.objects.count() == 1


@pytest.mark.parametrize("kind", ["vms", "templates", "instancetypes", "vmpools"])
def test_making_something_takes_a_right(carol: User, cluster: Cluster, vm: VM, kind: str) -> None:
    root = {"vms": "vm", "templates": "template", "instancetypes": "instance_type", "vmpools": "vm_pool"}[kind]
    body = {
        "name": "hers",
        "cluster": {"id": str(cluster.pk)},
        "template": {"name": "Blank"},
        "vm": {"id": str(vm.pk)},
    }
    answer = Caller(carol).post(f"/{kind}", root, body)
    # What she cannot see is not there for her to name; a size needs nothing that she cannot see.
    assert answer.status == (403 if kind == "instancetypes" else 400)


def test_the_host_of_a_machine_is_no_affair_of_its_user(
    language: str, vm: VM, host: Host, admin: User, alice: User
) -> None:
    up(vm, host, by=admin)
    assert Caller(alice, language).get(f"/vms/{vm.pk}").at("host") is None
    assert Caller(admin, language).get(f"/vms/{vm.pk}?filter=true").at("host") is None
    assert Caller(admin, language).get(f"/vms/{vm.pk}", Filter="True").at("host") is None
    assert Caller(admin, language).get(f"/vms/{vm.pk}", Filter="nonsense").at("host/id") == str(host.pk)


def test_hosts_jobs_and_events_of_others_are_not_shown(
    vm: VM, headless_vm: VM, admin: User, alice: User, carol: User
) -> None:
    power.start(vm, by=admin)
    power.start(headless_vm, by=admin)
    hers, stranger = Caller(alice), Caller(carol)
    assert [job["description"] for job in hers.get("/jobs").all("job")] == ["Run: web"]
    assert stranger.get("/jobs").all("job") == []
    assert {event["vm"]["id"] for event in hers.get("/events").all("event") if "vm" in event} == {str(vm.pk)}
    assert [event["name"] for event in stranger.get("/events").all("event")] == ["USER_VDC_LOGIN"]
    assert hers.get("/hosts").all("host") == []
    foreign = Job.objects.get(machine=headless_vm.pk)
    assert hers.get(f"/jobs/{foreign.pk}").status == 404
    event = AuditEvent.objects.filter(entity_id=headless_vm.pk).first()
    assert event is not None
    assert hers.get(f"/events/{event.pk}").status == 404


def test_blank_and_sizes_are_everybody_s(carol: User) -> None:
    caller = Caller(carol)
    assert [told["name"] for told in caller.get("/templates").all("template")] == ["Blank"]
    assert len(caller.get("/instancetypes").all("instance_type")) == 5


def test_json_numbers_and_switches_are_what_the_portal_expects(admin: User, vm: VM, host: Host) -> None:
    text = Caller(admin, "json").get(f"/vms/{vm.pk}").text
    told = json.loads(text)
    assert (told["memory"], told["delete_protected"]) == (1024 * 1024 * 1024, "false")
    assert told["cpu"]["topology"]["cores"] == "1"
    assert abs(told["creation_time"] / 1000 - vm.created_at.timestamp()) < 1
    assert json.loads(Caller(admin, "json").get("/vmpools").text) == {}


def test_a_machine_that_somebody_makes_is_hers(language: str, cluster: Cluster, host: Host, admin: User) -> None:
    dora = Caller(person("dora", role="PowerUserRole", cluster=cluster), language)
    body = {"name": "hers", "cluster": {"id": str(cluster.pk)}, "template": {"name": "Blank"}, "graphics_consoles": {}}
    answer = dora.post("/vms", "vm", body)
    assert (answer.status, answer.at("display")) == (201, None)
    assert dora.delete(f"/vms/{answer.at('id')}").status == 200


def test_a_template_of_others_cannot_be_named(cluster: Cluster, admin: User, vm: VM, carol: User) -> None:
    hidden = create.template("hidden", vm=machine("other", by=admin), by=admin)
    body = {"name": "hers", "cluster": {"id": str(cluster.pk)}, "template": {"id": str(hidden.pk)}}
    answer = Caller(carol).post("/vms", "vm", body)
    assert answer.status == 400
    assert "Entity not found" in answer.fault[1]


def test_who_may_edit_but_not_connect_gets_no_way_into_a_console(vm: VM, host: Host, admin: User) -> None:
    role = Role.objects.create(name="Editor")
    RolePermit.objects.create(role=role, action_group=ActionGroup.EDIT_VM_PROPERTIES)
    editor = Caller(person("edna", role="Editor", vm=vm))
    console = f"/vms/{vm.pk}/graphicsconsoles/{VNC_ID}"
    for running in (False, True):
        if running:
            up(vm, host, by=admin)
        assert editor.get(console).status == 200
        assert editor.get(console, Accept="application/x-virt-viewer").status == 403
        for verb in ("ticket", "proxyticket", "remoteviewerconnectionfile"):
            assert editor.post(f"{console}/{verb}").status == 403
