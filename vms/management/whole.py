"""P1: all machines as XML, against rows of the same query written by hand, and against what the REST framework's
serializers make of the same table."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from xml.sax.saxutils import escape

from django.test import Client
from django.utils.timezone import localtime
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer

from vms.actions import logins
from vms.api.mapping import vm
from vms.models import VM, User

from .measuring import Result, administrator, alternately

BASE: Final = "/ovirt-engine/api"


def lists() -> list[Result]:
    """The whole list of machines as XML and as JSON against the bound, and against a serializer of the framework."""
    admin = administrator()
    asked = {"Authorization": f"Bearer {logins.log_in(admin)[0]}", "Host": "localhost"}
    hand = partial(by_hand, admin)
    xml, json = (partial(request, {**asked, "Accept": f"application/{kind}"}) for kind in ("xml", "json"))
    results = []
    for kind, whole in (("XML", xml), ("JSON", json)):
        took, bound = alternately(whole, hand)
        results.append(Result(f"P1 GET vms, {kind}: against rows of the query, written by hand", took, bound, 1.5))
    took, theirs = alternately(json, partial(serialized, admin))
    results.append(Result("P1 GET vms, JSON: against ModelSerializer, which has no links", took, theirs, 0.35))
    return results


def request(headers: dict[str, str]) -> bytes:
    """The whole way: middleware, authentication, rights, one query, the last byte."""
    answer: Any = Client().get(f"{BASE}/vms", headers=headers)
    assert answer.status_code == 200
    return answer.getvalue()  # type: ignore[no-any-return]


class _Serializer(ModelSerializer):
    class Meta:
        model = VM
        exclude = ("tags",)


def serialized(user: User) -> bytes:
    """What the REST framework makes of the same table by itself."""
    made: bytes = JSONRenderer().render(_Serializer(VM.objects.visible_to(user), many=True).data)
    return made


def by_hand(user: User) -> bytes:
    """The same elements, as somebody would write them who cared for nothing else."""
    light: Any = vm.ENTITY.light
    assert vm.ENTITY.rows is not None
    found = vm.ENTITY.rows(user).select_related(None).values_list(*light._fields)
    return "".join(_all(map(light._make, found.iterator(chunk_size=500)))).encode()


def _all(rows: Iterator[Any]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<vms>'
    yield from map(_row, rows)
    yield "</vms>"


_ACTIONS: Final = vm.ENTITY.actions
_RELS: Final = tuple(link.rel for link in vm.ENTITY.links)


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _reference(name: str, collection: str, key: object) -> str:
    return f'<{name} href="{BASE}/{collection}/{key}" id="{key}"/>' if key else ""


def _row(it: Any) -> str:
    href = f"{BASE}/vms/{it.id}"
    actions = "".join([f'<link href="{href}/{verb}" rel="{verb}"/>' for verb in _ACTIONS])
    links = "".join([f'<link href="{href}/{rel}" rel="{rel}"/>' for rel in _RELS])
    memory = it.memory << 20
    return (
        f'<vm href="{href}" id="{it.id}"><actions>{actions}</actions><name>{escape(it.name)}</name>'
        f"<description>{escape(it.description)}</description><comment>{escape(it.comment)}</comment>"
        f"<creation_time>{localtime(it.created_at).isoformat(timespec='milliseconds')}</creation_time>"
        f"<delete_protected>{_yes(it.delete_protected)}</delete_protected>"
        f"<placement_policy><affinity>{it.migration}</affinity></placement_policy><status>{it.status}</status>"
        f"<run_once>{_yes(it.run_once)}</run_once>"
        f"<next_run_configuration_exists>{_yes(it.pending)}</next_run_configuration_exists>"
        f"<stateless>{_yes(it.stateless)}</stateless>"
        f"<use_latest_template_version>{_yes(it.use_latest_version)}</use_latest_template_version>"
        f"{_reference('cluster', 'clusters', it.cluster_id)}{_reference('template', 'templates', it.template_id)}"
        f"{_reference('original_template', 'templates', it.template_id)}"
        f"{_reference('instance_type', 'instancetypes', it.instance_type_id)}{_run(it)}<memory>{memory}</memory>"
        f"<memory_policy><ballooning>{_yes(it.ballooning)}</ballooning>"
        f"<guaranteed>{(it.guaranteed_memory or it.memory) << 20}</guaranteed>"
        f"<max>{(it.maximum_memory or it.memory) << 20}</max></memory_policy><cpu><architecture>x86_64</architecture>"
        f"<topology><cores>{it.cores}</cores><sockets>{it.sockets}</sockets><threads>{it.threads}</threads></topology>"
        f"</cpu><cpu_shares>{it.cpu_shares}</cpu_shares><io><threads>{it.io_threads}</threads></io>"
        f"<type>{it.vm_type}</type><bios><type>{'q35_ovmf' if it.firmware == 'uefi' else 'q35_sea_bios'}</type>"
        f"<boot_menu><enabled>{_yes(it.boot_menu)}</enabled></boot_menu></bios><os><type>{it.os}</type><boot><devices>"
        f"<device>{it.boot_devices}</device></devices></boot></os>"
        f"<serial_number><policy>{it.serial_policy}</policy></serial_number>"
        f"<high_availability><enabled>{_yes(it.high_availability)}</enabled><priority>{it.priority}</priority>"
        f"</high_availability><rng_device><source>{it.rng_source}</source><rate/></rng_device>"
        f"<start_paused>{_yes(it.start_paused)}</start_paused>"
        f"<console><enabled>{_yes(it.serial_console)}</enabled></console>{_console(it)}{links}</vm>"
    )


def _run(it: Any) -> str:
    if it.started_at is None:
        return ""
    return (
        f"<start_time>{localtime(it.started_at).isoformat(timespec='milliseconds')}</start_time>"
        f"{_reference('host', 'hosts', it.host_id)}<fqdn>{escape(it.fqdn)}</fqdn>"
    )


def _listening(it: Any) -> str:
    for each in it.endpoints:
        if each["protocol"] == ("spice" if it.spice else "vnc"):
            return f"<address>{each['address']}</address><port>{each['port']}</port>"
    return ""


def _console(it: Any) -> str:
    shown = it.vnc or it.spice
    usb = it.usb and (it.serial_console or shown)
    methods = f'<methods><method id="{it.sso}"/></methods>' if it.sso == "guest_agent" else "<methods/>"
    before = (
        f"<usb><enabled>{_yes(usb)}</enabled></usb><soundcard_enabled>{_yes(it.sound and shown)}</soundcard_enabled>"
        f"<sso>{methods}</sso>"
    )
    if not shown:
        return before
    return (
        f"{before}<display><type>{'spice' if it.spice else 'vnc'}</type><video_type>{it.display_type}</video_type>"
        f"{_listening(it)}<monitors>{it.monitors}</monitors><disconnect_action>{it.disconnect_action.upper()}</disconnect_action>"
        f"<disconnect_action_delay>{it.disconnect_delay}</disconnect_action_delay>"
        f"<allow_override>{_yes(it.allow_reconnect)}</allow_override>"
        f"<smartcard_enabled>{_yes(it.smartcard)}</smartcard_enabled>"
        f"<file_transfer_enabled>{_yes(it.file_transfer)}</file_transfer_enabled>"
        f"<copy_paste_enabled>{_yes(it.copy_paste)}</copy_paste_enabled></display>"
    )
