"""What every test may ask for: people with their rights, machines, and a host that is up."""

import gc
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.template import Context, Template
from django.template.context import RequestContext
from django.test.signals import template_rendered
from django.utils import translation
from pytest_django.plugin import DjangoDbBlocker

from tests.cast import Cast
from tests.databases import SERVER, begun_with, copy_to, database_in, keep, migrated_state
from tests.examples import register_profiles
from tests.factories import headless, machine, person
from tests.needs import need_program
from vms.actions import reports
from vms.domain.hosts import Capabilities
from vms.models import VM, Cluster, Host, User

register_profiles()

# The programs that tests start put no bridge on this machine; those that need one have a network of their own.
os.environ.setdefault("NETWORKS", "user")


def pytest_collection_finish() -> None:
    """The collector need not look at modules and tests again: they stay until the end. Saves a tenth."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        need_program(mark.args[0])


@pytest.fixture(scope="session", autouse=True)
def _quick(django_test_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What an installation spends time on and no test looks at; the tests of it use the real thing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "STATIC_ROOT", tmp_path_factory.mktemp("static"))
        plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        patch.setattr(settings, "STORAGES", {**settings.STORAGES, "staticfiles": plain})
        quick = "django.contrib.auth.hashers.MD5PasswordHasher"
        patch.setattr(settings, "PASSWORD_HASHERS", [quick, *settings.PASSWORD_HASHERS])
        patch.setattr(Template, "_render", _render)
        yield


def _render(template: Template, context: Context) -> Any:
    """Tell Django's client of pages alone, whose contexts tests look into; it copies each, and a form has a hundred."""
    if isinstance(context, RequestContext) and context.template is template:
        template_rendered.send(sender=template, template=template, context=context)
    return template.nodelist.render(context)


_numbers = count()


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test touches the state of an installation or of another test, nor wakes an engine."""
    home = tmp_path_factory.getbasetemp() / f"state{next(_numbers)}"
    settings.RUN_DIR, settings.BOOT_DIR, settings.UPLOAD_DIR = home / "run", home / "boot", home / "uploads"
    for directory in (home, settings.RUN_DIR, settings.BOOT_DIR):
        directory.mkdir()
    translation.activate(settings.LANGUAGE_CODE)  # a page that spoke another leaves it to its thread


@pytest.fixture(scope="session")
def django_db_setup(_begun: Path | None, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Migrating takes seconds, so what it made is kept until a migration changes."""
    if _begun and not _begun.exists():
        with django_db_blocker.unblock():
            keep(_begun)


@pytest.fixture(scope="session")
def _begun(pytestconfig: pytest.Config) -> Iterator[Path | None]:
    if SERVER or pytestconfig.cache is None:
        yield None
        return
    path = Path(pytestconfig.cache.mkdir("migrated")) / f"{migrated_state()}.sqlite3"
    with begun_with(path):
        yield path


@pytest.fixture(scope="session")
def cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Cast:
    """The rows below, which are written for each test rather than made anew."""
    with django_db_blocker.unblock():
        return Cast(
            {
                "admin": lambda: person("admin", role="SuperUser"),
                "host": _make_host,
                "vm": lambda admin, host: machine("web", by=admin),
                "headless_vm": lambda admin, host: machine("db", by=admin, console=headless),
                "alice": lambda vm: person("alice", role="UserVmManager", vm=vm),
                "bob": lambda vm: person("bob", role="UserRole", vm=vm),
                "carol": lambda: person("carol"),
            }
        )


@pytest.fixture(scope="session")
def migrated_file(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Path:
    """An SQLite file with what every installation begins with, to be copied."""
    path = tmp_path_factory.mktemp("database") / "migrated.sqlite3"
    if SERVER:
        return path
    with django_db_blocker.unblock():
        if "memory" in str(connections["default"].settings_dict["NAME"]):
            copy_to(path)
        else:  # pytest-django makes no database where no test of the run asks for its own: this one is somebody's
            with database_in(path):
                call_command("migrate", verbosity=0)
                connections["default"].cursor().execute("PRAGMA journal_mode=DELETE")  # all in one file, to be copied
    return path


def _make_host() -> Host:
    made = Host.objects.create(name="local", cluster=Cluster.objects.get(name="Default"))
    reports.host_seen(made, Capabilities(tpm=True))
    return made


@pytest.fixture
def cluster(db: None) -> Cluster:
    return Cluster.objects.get(name="Default")


@pytest.fixture
def host(db: None, cast: Cast) -> Host:
    """A host that is up and offers everything."""
    there: Host = cast.enter("host")
    return there


@pytest.fixture
def admin(db: None, cast: Cast) -> User:
    """Runs the data centre."""
    there: User = cast.enter("admin")
    return there


@pytest.fixture
def vm(admin: User, host: Host, cast: Cast) -> VM:
    """A machine with a screen: VNC and VGA, as Blank hands down."""
    there: VM = cast.enter("vm", admin, host)
    return there


@pytest.fixture
def headless_vm(admin: User, host: Host, cast: Cast) -> VM:
    """A machine without a screen."""
    there: VM = cast.enter("headless_vm", admin, host)
    return there


@pytest.fixture
def alice(vm: VM, cast: Cast) -> User:
    """Owns `vm`."""
    there: User = cast.enter("alice", vm)
    return there


@pytest.fixture
def bob(vm: VM, cast: Cast) -> User:
    """May use `vm`."""
    there: User = cast.enter("bob", vm)
    return there


@pytest.fixture
def carol(db: None, cast: Cast) -> User:
    """Has no right at all and must be refused."""
    there: User = cast.enter("carol")
    return there
