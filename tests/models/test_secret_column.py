"""What is encrypted stays so: in the table, on the screen and in a dump."""

import io
import json
import logging

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.forms import modelform_factory
from django.forms.models import model_to_dict
from pytest_django import Settings

from vms.domain.secret import Secret
from vms.models import Cluster, Host

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

TEXT = "correct horse battery staple"


@pytest.fixture
def locked_host(cluster: Cluster) -> Host:
    return Host.objects.create(name="locked", cluster=cluster, password=Secret(TEXT))


def column() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM vms_host")
        (stored,) = cursor.fetchone()
    return str(stored)


def test_the_table_holds_no_clear_text_and_the_row_gives_a_secret(locked_host: Host) -> None:
    assert TEXT not in column()
    assert Host.objects.get().password == Secret(TEXT)


def test_the_same_text_is_never_stored_alike_twice(locked_host: Host) -> None:
    before = column()
    locked_host.save(update_fields=["password"])
    assert column() != before


def test_no_secret_is_stored_as_nothing(cluster: Cluster) -> None:
    Host.objects.create(name="open", cluster=cluster)
    assert (column(), Host.objects.get().password) == ("", Secret(""))


def test_a_text_that_is_no_secret_is_not_taken(cluster: Cluster) -> None:
    with pytest.raises(TypeError, match="password takes a Secret, not a str"):
        Host.objects.create(name="careless", cluster=cluster, password=TEXT)


def test_a_new_key_in_front_writes_and_the_old_one_still_reads(locked_host: Host, settings: Settings) -> None:
    old, new = settings.FIELD_KEYS, Fernet.generate_key().decode()
    settings.FIELD_KEYS = [new, *old]
    host = Host.objects.get()
    assert host.password == Secret(TEXT)
    host.save(update_fields=["password"])
    settings.FIELD_KEYS = [new]
    assert Host.objects.get().password == Secret(TEXT)


def test_a_lost_key_is_told_by_the_name_of_the_setting(locked_host: Host, settings: Settings) -> None:
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(ImproperlyConfigured, match=r"vms\.Host\.password .* FIELD_KEYS"):
        Host.objects.get()


def test_nothing_that_prints_a_host_prints_its_secret(locked_host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host = Host.objects.get()
    with caplog.at_level(logging.INFO):
        logging.getLogger("vms").info("%s %r %s", host, host, vars(host))
    shown = (caplog.text, repr(model_to_dict(host)), repr(list(Host.objects.values())))
    assert not any(TEXT in text for text in shown)


def test_no_form_made_from_the_model_shows_the_secret() -> None:
    assert "password" not in modelform_factory(Host, fields="__all__").base_fields


@pytest.mark.parametrize("form", ["json", "jsonl", "xml"])
def test_a_dump_holds_no_secret(locked_host: Host, form: str) -> None:
    dump = io.StringIO()
    call_command("dumpdata", "vms.host", format=form, stdout=dump)
    assert "locked" in dump.getvalue()
    assert TEXT not in dump.getvalue()
    assert column() not in dump.getvalue()


def test_a_dump_can_be_loaded_again(locked_host: Host, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("dump") / "hosts.json"
    call_command("dumpdata", "vms.host", output=str(path), verbosity=0)
    locked_host.delete()
    call_command("loaddata", str(path), verbosity=0)
    assert json.loads(path.read_text())[0]["fields"]["name"] == Host.objects.get().name
