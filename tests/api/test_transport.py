"""How requests may be put, and what answers carry besides: sessions, expectations, versions, and who is asking."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.actions.runs import claimed, down, up
from tests.api.caller import BASE, Caller, basic, bearer
from vms.actions import jobs, logins
from vms.api.auth import SESSION
from vms.domain.errors import Refusal
from vms.models import VM, Host, Token, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

ADMIN = basic("admin@internal", "admin-password")
SSO = "/ovirt-engine/sso/oauth"
PERSISTENT = {"Prefer": "persistent-auth"}


# -- sessions of oVirt's kind


def begun(client: Client, **headers: str) -> str:
    """Begin a session; the client keeps its cookie."""
    assert client.get(BASE, headers={**ADMIN, **PERSISTENT, **headers}).status_code == 200
    return client.cookies[SESSION].value


def test_a_session_takes_the_place_of_the_password(client: Client, admin: User) -> None:
    begun(client)
    cookie = client.cookies[SESSION]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/ovirt-engine/api", True, "Strict")
    assert client.get(f"{BASE}/vms", headers=PERSISTENT).status_code == 200
    assert Token.objects.count() == 1


def test_the_cookie_alone_opens_nothing_for_other_sites_can_send_it(client: Client, admin: User) -> None:
    begun(client)
    assert client.get(f"{BASE}/vms").status_code == 401
    assert client.get(f"{BASE}/vms", headers={"Prefer": "csrf-protection"}).status_code == 401


def test_a_guarded_session_takes_the_cookie_twice(client: Client, admin: User) -> None:
    secret = begun(client, Prefer="persistent-auth, csrf-protection")
    assert client.get(f"{BASE}/vms", headers=PERSISTENT).status_code == 403
    assert client.get(f"{BASE}/vms", headers={**PERSISTENT, SESSION: "other"}).status_code == 403
    assert client.get(f"{BASE}/vms", headers={**PERSISTENT, SESSION: secret}).status_code == 200


def test_a_session_is_one_however_often_the_password_is_shown(client: Client, admin: User) -> None:
    first = begun(client)
    assert begun(client) == first
    assert begun(client, Prefer="persistent-auth, new-auth") != first


def test_a_session_ends_with_the_request_that_wants_none(client: Client, admin: User) -> None:
    begun(client)
    assert client.get(BASE, headers=ADMIN).status_code == 200
    assert not Token.objects.exists()
    assert client.get(BASE, headers=PERSISTENT).status_code == 401


def test_nobody_ends_the_session_of_another(client: Client, admin: User, carol: User) -> None:
    begun(client)
    assert client.get(BASE, headers=basic("carol", "carol-password")).status_code == 200
    assert Token.objects.get().user == admin


def test_idleness_ends_a_session_and_use_prolongs_it(client: Client, admin: User) -> None:
    client.get(BASE, headers={**ADMIN, **PERSISTENT, "Session-TTL": "10"})
    token = Token.objects.get()
    assert abs(token.expires_at - timezone.now() - timedelta(minutes=10)) < timedelta(seconds=30)
    Token.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    client.get(BASE, headers=PERSISTENT)
    assert Token.objects.get().expires_at > timezone.now() + timedelta(minutes=9)
    Token.objects.update(expires_at=timezone.now())
    assert client.get(BASE, headers=PERSISTENT).status_code == 401


def test_wrong_credentials_begin_no_session(client: Client, admin: User) -> None:
    client.get(BASE, headers={**basic("admin", "wrong"), **PERSISTENT})
    assert (SESSION in client.cookies, Token.objects.exists()) == (False, False)


# -- the rest of the single sign-on


def test_name_and_password_in_a_header_get_a_token_too(client: Client, admin: User) -> None:
    told = client.post(f"{SSO}/token-http-auth?grant_type=urn:ovirt:params:oauth:grant-type:http", headers=ADMIN).json()
    assert client.get(BASE, headers=bearer(told["access_token"])).status_code == 200
    for wrong in ({}, basic("admin", "wrong"), {"Authorization": "Basic ???"}, {"Authorization": "Negotiate x"}):
        answer = client.post(f"{SSO}/token-http-auth", headers=wrong)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Basic realm="RESTAPI"')
        assert answer.json()["error_code"] == "access_denied"


def test_the_parameters_of_the_sign_on_may_stand_in_the_address(client: Client, admin: User) -> None:
    query = "grant_type=password&scope=ovirt-app-api&username=admin%40internal&password=admin-password"
    assert client.post(f"{SSO}/token?{query}").json()["token_type"] == "bearer"
    assert client.get(f"{SSO}/token?{query}").status_code == 405


def test_whoever_has_a_token_may_ask_whose_it_is(client: Client, admin: User) -> None:
    secret, _token = logins.log_in(admin)
    told = client.post(f"{SSO}/token-info", {"token": secret}).json()
    assert (told["active"], told["user_id"], told["principal_id"]) == (True, "admin@internal", str(admin.pk))
    refused = client.post(f"{SSO}/token-info", {"token": "x", "scope": "ovirt-app-api"})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "invalid_grant")


def test_load_balancers_are_answered_in_ovirt_s_words(client: Client) -> None:
    answer = client.get("/ovirt-engine/services/health")
    assert (answer.status_code, answer.content) == (200, b"DB Up!Welcome to Health Status!")


# -- what is expected, and which version was seen


def test_a_client_that_will_not_wait_looks_for_the_end_itself(xml: Caller, vm: VM, host: Host, admin: User) -> None:
    answer = xml.post(f"/vms/{vm.pk}/start", "action", {"async": True})
    assert (answer.status, answer.at("status"), answer.response["Location"]) == (202, "pending", answer.at("href"))
    assert xml.get(answer.at("href")).at("status") == "pending"
    job = claimed(host)
    assert xml.get(answer.at("href")).at("status") == "in_progress"
    jobs.fail(job, Refusal("HOST_NOT_RESPONDING", None, host="local"))
    told = xml.get(answer.at("href"))
    assert (told.at("status"), told.at("fault/detail")) == ("failed", "[Host local does not respond.]")
    assert xml.get(f"/vms/{vm.pk}/stop/{job.pk}").status == 200
    down(up(vm, host, by=admin), host)
    begun = xml.post(f"/vms/{vm.pk}/start", Expect="202-accepted")
    assert begun.status == 202
    assert xml.get(f"/vms/{vm.pk}/start/{'0' * 8}-0000-0000-0000-{'0' * 12}").status == 404


def test_what_is_made_may_be_expected_otherwise(xml: Caller, host: Host) -> None:
    place = {"cluster": {"name": "Default"}, "template": {"name": "Blank"}}
    made = xml.post("/vms", "vm", {"name": "one", **place}, X_Ovirt_Expect="202-accepted")
    assert (made.status, bool(made.at("id"))) == (202, True)
    assert xml.post("/vms", "vm", {"name": "two", **place}, Expect="201-created").status == 201


def test_an_edit_of_what_somebody_else_has_changed_is_a_412_for_who_says_what_was_seen(xml: Caller, vm: VM) -> None:
    path = f"/vms/{vm.pk}"
    tag = xml.get(path).response["ETag"]
    assert xml.put(path, "vm", {"comment": "first"}, If_Match=tag).status == 200
    refused = xml.put(path, "vm", {"comment": "second"}, If_Match=tag)
    assert (refused.status, "changed by somebody else" in refused.fault[1]) == (412, True)
    assert xml.delete(path, If_Match=tag).status == 412
    assert xml.put(path, "vm", {"comment": "third"}, If_Match='"nonsense"').status == 412
    assert (xml.get(path).at("comment"), xml.put(path, "vm", {"comment": "fourth"}, If_Match="*").status) == (
        "first",
        200,
    )
    assert xml.delete(path, If_Match=xml.get(path).response["ETag"]).status == 200


# -- who is asking


def test_what_is_not_filtered_is_for_administrators(xml: Caller, vm: VM, alice: User) -> None:
    hers: Any = Caller(alice)
    for path in ("/vms", "/", f"/vms/{vm.pk}", "/events"):
        assert hers.get(path, Filter="false").status == 403
        assert hers.get(path, Filter="true").status == hers.get(path).status == 200
        assert xml.get(path, Filter="false").status == 200
    assert hers.get("/vms?filter=false").status == 403
    # What somebody does is not looked at through a filter.
    assert hers.put(f"/vms/{vm.pk}", "vm", {"comment": "hers"}, Filter="false").status == 200


def test_empty_parameters_are_as_good_as_none(xml: Caller, vm: VM) -> None:
    told = xml.get("/vms?search=&follow=&max=&case_sensitive=&detail=", All_Content="False", Filter="True")
    assert (told.status, len(told.all("vm"))) == (200, 1)
    assert xml.get("/vms;max=0?search=").all("vm") == []
