"""P1: all machines as XML, against rows of the same query written by hand, and against what the REST framework's
serializers make of the same table."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from xml.sax.saxutils import escape

from django.test import Client
from django.utils.timezone import get_default_timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer, SerializerMethodField

from vms.actions import logins
from vms.api.mapping import vm
from vms.api.mapping.columns import read
from vms.api.mapping.fixed import ICON_ID
from vms.models import VM, User

from .measuring import Result, administrator, alternately

BASE: Final = "/ovirt-engine/api"
ZONE: Final = get_default_timezone()


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
    results.append(Result("P1 GET vms, JSON: against ModelSerializer of the same columns and links", took, theirs, 0.1))
    return results


def request(headers: dict[str, str]) -> bytes:
    """The whole way: middleware, authentication, rights, one query, the last byte."""
    answer: Any = Client().get(f"{BASE}/vms", headers=headers)
    assert answer.status_code == 200
    return answer.getvalue()  # type: ignore[no-any-return]


# What ours is told of, and nothing else; a reference by its id.
_LIGHT: Final[Any] = vm.ENTITY.light
_COLUMNS: Final = tuple(name.removesuffix("_id") for name in _LIGHT._fields)


class _Serializer(ModelSerializer):
    """The same columns with the same address, actions and links, as the framework tells them."""

    href = SerializerMethodField()
    actions = SerializerMethodField()
    link = SerializerMethodField()

    class Meta:
        model = VM
        fields = (*_COLUMNS, "href", "actions", "link")

    def get_href(self, it: VM) -> str:
        return f"{BASE}/vms/{it.pk}"

    def get_actions(self, it: VM) -> dict[str, Any]:
        return {"link": [{"href": f"{BASE}/vms/{it.pk}/{verb}", "rel": verb} for verb in _ACTIONS]}

    def get_link(self, it: VM) -> list[dict[str, str]]:
        return [{"href": f"{BASE}/vms/{it.pk}/{rel}", "rel": rel} for rel in _RELS]


def serialized(user: User) -> bytes:
    """What the REST framework makes of the same table by itself."""
    made: bytes = JSONRenderer().render(_Serializer(VM.objects.visible_to(user), many=True).data)
    return made


def by_hand(user: User) -> bytes:
    """The same elements, as somebody would write them who cared for nothing else."""
    assert vm.ENTITY.rows is not None
    return "".join(_all(read(_LIGHT, vm.ENTITY.rows(user)))).encode()


def _all(rows: Iterator[Any]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<vms>'
    yield from map(_row, rows)
    yield "</vms>"


_ACTIONS: Final = vm.ENTITY.actions
_BIOS: Final = {"bios": "q35_sea_bios", "uefi": "q35_ovmf", "secure": "q35_secure_boot", "i440fx": "i440fx_sea_bios"}
_RELS: Final = tuple(link.rel for link in vm.ENTITY.links)


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _reference(name: str, collection: str, key: object) -> str:
    return f'<{name} href="{BASE}/{collection}/{key}" id="{key}"/>' if key else ""


_ICONS: Final = "".join(_reference(f"{size}_icon", "icons", ICON_ID) for size in ("large", "small"))


def _row(it: Any) -> str:
    href = f"{BASE}/vms/{it.id}"
    actions = "".join([f'<link href="{href}/{verb}" rel="{verb}"/>' for verb in _ACTIONS])
    links = "".join([f'<link href="{href}/{rel}" rel="{rel}"/>' for rel in _RELS])
    memory = it.memory << 20
    return (
        f'<vm href="{href}" id="{it.id}"><actions>{actions}</actions><name>{escape(it.name)}</name>'
        f"<description>{escape(it.description)}</description><comment>{escape(it.comment)}</comment>"
        f"<creation_time>{it.created_at.astimezone(ZONE).isoformat(timespec='milliseconds')}</creation_time>"
        f"<access>{it.access}</access><delete_protected>{_yes(it.delete_protected)}</delete_protected>"
        f"<placement_policy><affinity>{it.migration}</affinity></placement_policy><status>{it.status}</status>"
        f"<run_once>{_yes(it.run_once)}</run_once>"
        f"<next_run_configuration_exists>{_yes(it.pending)}</next_run_configuration_exists>"
        f"<stateless>{_yes(it.stateless)}</stateless>"
        f"<use_latest_template_version>{_yes(it.use_latest_version)}</use_latest_template_version>"
        f"{_reference('cluster', 'clusters', it.cluster_id)}{_reference('template', 'templates', it.template_id)}"
        f"{_reference('original_template', 'templates', it.template_id)}"
        f"{_reference('instance_type', 'instancetypes', it.instance_type_id)}{_ICONS}{_run(it)}"
        f"<memory>{memory}</memory>"
        f"<memory_policy><ballooning>{_yes(it.ballooning)}</ballooning>"
        f"<guaranteed>{(it.guaranteed_memory or it.memory) << 20}</guaranteed>"
        f"<max>{(it.maximum_memory or it.memory) << 20}</max></memory_policy><cpu><architecture>x86_64</architecture>"
        f"<topology><cores>{it.cores}</cores><sockets>{it.sockets}</sockets><threads>{it.threads}</threads></topology>"
        f"</cpu><cpu_shares>{it.cpu_shares}</cpu_shares><io><threads>{it.io_threads}</threads></io>"
        f"<type>{it.vm_type}</type><bios><type>{_BIOS[it.firmware]}</type>"
        f"<boot_menu><enabled>{_yes(it.boot_menu)}</enabled></boot_menu></bios><os><type>{it.os}</type><boot><devices>"
        f"<device>{it.boot_devices}</device></devices></boot></os>"
        f"<serial_number><policy>{it.serial_policy}</policy></serial_number>"
        f"<high_availability><enabled>{_yes(it.high_availability)}</enabled><priority>{it.priority}</priority>"
        f"</high_availability><rng_device><source>{it.rng_source}</source><rate/></rng_device>"
        f"<start_paused>{_yes(it.start_paused)}</start_paused><tpm_enabled>{_yes(it.tpm)}</tpm_enabled>"
        f"<console><enabled>{_yes(it.serial_console)}</enabled></console>{_console(it)}{links}</vm>"
    )


def _run(it: Any) -> str:
    if it.started_at is None:
        return ""
    return (
        f"<start_time>{it.started_at.astimezone(ZONE).isoformat(timespec='milliseconds')}</start_time>"
        f"{_reference('host', 'hosts', it.host_id)}{_fqdn(it.fqdn)}"
    )


def _fqdn(name: str) -> str:
    return f"<fqdn>{escape(name)}</fqdn>" if name else ""


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
