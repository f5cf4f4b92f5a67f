"""The account page: the keys that somebody comes to serial consoles with."""

import pytest
from django.test import Client

from vms.actions import keys
from vms.models import AuditEvent, PublicKey, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqLMVn2qdc1ytyfJPMn0PChH6zTLMbzAqL7sYbYqAMj"


def test_a_key_is_added_listed_and_removed(carol: User, client: Client) -> None:
    client.force_login(carol)
    assert "No key yet." in client.get("/account/").content.decode()
    answer = client.post("/account/", {"line": f"{KEY} carol@desk <b>"}, follow=True)
    html = answer.content.decode()
    kept = PublicKey.objects.get()
    assert (kept.user, kept.line) == (carol, KEY)
    assert kept.fingerprint in html
    assert "carol@desk &lt;b&gt;" in html
    client.post(f"/account/keys/{kept.pk}/remove")
    assert not PublicKey.objects.exists()
    codes = AuditEvent.objects.order_by("id").values_list("code", flat=True)
    assert list(codes) == ["USER_ADD_SSH_KEY", "USER_REMOVE_SSH_KEY"]


def test_what_is_no_key_is_an_error_of_the_field(carol: User, client: Client) -> None:
    client.force_login(carol)
    for wrong in ("", "hello", KEY[:-8], f"command=x {KEY}", "-----BEGIN OPENSSH PRIVATE KEY-----"):
        answer = client.post("/account/", {"line": wrong})
        assert answer.status_code == 422
        assert not wrong or "one line of an OpenSSH .pub file" in answer.content.decode()
    assert not PublicKey.objects.exists()


def test_nobody_removes_or_takes_the_key_of_another(carol: User, admin: User, client: Client) -> None:
    key = keys.add(KEY, by=carol)
    client.force_login(admin)
    assert client.post(f"/account/keys/{key.pk}/remove").status_code == 404
    assert "This key stands for somebody already." in client.post("/account/", {"line": KEY}).content.decode()
    assert PublicKey.objects.get().user == carol
