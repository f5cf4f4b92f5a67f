"""Django admin: the same checks and actions as every other door."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from vms.domain.console import Protocol
from vms.models import (
    VM,
    AffinityGroup,
    AuditEvent,
    Cluster,
    DataCenter,
    Hardware,
    Host,
    InstanceType,
    Permission,
    Pool,
    Role,
    Template,
    User,
)

pytestmark = pytest.mark.django_db

KINDS = [VM, Template, Pool, InstanceType]


@pytest.fixture
def root(client: Client, host: Any) -> Client:
    """An administrator who may open Django admin."""
    client.force_login(User.objects.create_superuser("root"))
    return client


def url(kind: type[Hardware], page: str, *args: Any) -> str:
    return reverse(f"admin:vms_{kind._meta.model_name}_{page}", args=args)


def form_of(client: Client, address: str) -> dict[str, Any]:
    """What a browser would post from the page: the values of the form that are not greyed out."""
    form = client.get(address).context["adminform"].form
    shown = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items() if not field.disabled}
    data = {name: value for name, value in shown.items() if value is not None and value is not False}
    return {name: "on" if value is True else value for name, value in data.items()}


def made(client: Client, kind: type[Hardware], name: str = "made", **values: Any) -> Any:
    data = {**form_of(client, url(kind, "add")), "name": name, **values}
    return client.post(url(kind, "add"), data)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_headless_by_the_box(root: Client, kind: type[Hardware]) -> None:
    made(root, kind, headless="on", accept_lockout="on")
    assert kind._default_manager.get(name="made").console.headless


@pytest.mark.parametrize("kind", KINDS)
def test_unticking_the_box_brings_back_what_was_shown(root: Client, kind: type[Hardware]) -> None:
    made(root, kind, protocol="spice", video_type="qxl")
    row = kind._default_manager.get(name="made")
    change = url(kind, "change", row.pk)
    root.post(change, {**form_of(root, change), "headless": "on", "accept_lockout": "on"})
    headless = form_of(root, change)
    headless.pop("headless")
    root.post(change, headless)
    assert kind._default_manager.get(pk=row.pk).console.graphics == {Protocol.SPICE}


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_in_use_is_an_error_at_the_name(root: Client, kind: type[Hardware]) -> None:
    made(root, kind)
    answer = made(root, kind)
    assert (answer.status_code, list(answer.context["adminform"].form.errors)) == (200, ["name"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory", "abc"),
        ("memory", "1" * 400),
        ("protocol", "rdp"),
        ("video_type", "none"),
        ("name", "<script>"),
        ("name", "nul\x00"),
        ("keyboard", "klingon"),
        ("version", "-1"),
    ],
)
def test_nonsense_is_an_error_and_changes_nothing(root: Client, vm: VM, field: str, value: str) -> None:
    change = url(VM, "change", vm.pk)
    answer = root.post(change, {**form_of(root, change), field: value})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert VM.objects.get(pk=vm.pk).version == vm.version


def test_a_form_that_somebody_overtook_is_refused(root: Client, vm: VM) -> None:
    change = url(VM, "change", vm.pk)
    mine, theirs = form_of(root, change), form_of(root, change)
    root.post(change, {**theirs, "description": "theirs"})
    answer = root.post(change, {**mine, "description": "mine"})
    assert answer.status_code == 200
    assert VM.objects.get(pk=vm.pk).description == "theirs"


def test_a_protected_machine_is_not_removed_and_the_reason_is_told(root: Client, vm: VM) -> None:
    VM.objects.filter(pk=vm.pk).update(delete_protected=True)
    answer = root.post(url(VM, "delete", vm.pk), {"post": "yes"}, follow=True)
    assert "protected against deletion" in answer.content.decode()
    assert VM.objects.filter(pk=vm.pk).exists()


def test_removing_goes_through_the_action(root: Client, vm: VM) -> None:
    root.post(url(VM, "delete", vm.pk), {"post": "yes"})
    assert not VM.objects.filter(pk=vm.pk).exists()
    assert AuditEvent.objects.filter(code="USER_REMOVE_VM_FINISHED", entity_id=vm.pk).count() == 1


def test_a_template_in_use_stays(root: Client) -> None:
    made(root, Template, name="golden")
    made(root, VM, name="copy", template=Template.objects.get(name="golden").pk)
    root.post(url(Template, "delete", Template.objects.get(name="golden").pk), {"post": "yes"})
    assert Template.objects.filter(name="golden").exists()


def test_a_pool_brings_its_machines(root: Client) -> None:
    made(root, Pool, name="farm", size="3", headless="on", serial="on")
    assert VM.objects.headless().filter(pool__name="farm").count() == 3


def test_there_is_no_bulk_delete(root: Client, vm: VM) -> None:
    root.post(url(VM, "changelist"), {"action": "delete_selected", "_selected_action": [vm.pk], "post": "yes"})
    assert VM.objects.filter(pk=vm.pk).exists()


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_the_list_is_filtered_by_headless(root: Client, vm: VM, headless_vm: VM, answer: str) -> None:
    page = root.get(url(VM, "changelist"), {"headless": answer})
    assert [row.name for row in page.context["cl"].result_list] == {"yes": ["db"], "no": ["web"]}[answer]


def test_devices_can_only_be_looked_at(root: Client, vm: VM) -> None:
    device = vm.devices.all()[0]
    assert root.get(reverse("admin:vms_device_change", args=[device.pk])).status_code == 200
    assert root.get(reverse("admin:vms_device_add")).status_code == 403


def test_staff_without_a_role_sees_and_changes_nothing(client: Client, vm: VM) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert list(client.get(url(VM, "changelist")).context["cl"].result_list) == []
    assert client.post(url(VM, "change", vm.pk), {"name": "taken"}).status_code in {302, 403}
    assert VM.objects.get(pk=vm.pk).name == "web"


@pytest.mark.parametrize(
    "model",
    [
        *("affinitygroup", "affinitylabel", "auditevent", "cluster", "datacenter", "host", "job", "permission"),
        *("role", "user"),
    ],
)
def test_every_list_opens(root: Client, vm: VM, model: str) -> None:
    assert root.get(reverse(f"admin:vms_{model}_changelist")).status_code == 200


@pytest.mark.parametrize(("observed", "gone"), [("up", False), ("unknown", False), ("down", True)])
def test_a_host_is_removed_only_when_nothing_runs_on_it(
    root: Client, vm: VM, host: Host, observed: str, gone: bool
) -> None:
    VM.objects.filter(pk=vm.pk).update(host=host, observed=observed, status=observed)
    root.post(reverse("admin:vms_host_delete", args=[host.pk]), {"post": "yes"})
    assert Host.objects.filter(pk=host.pk).exists() is not gone


def test_places_are_made_changed_and_removed_by_their_actions(root: Client) -> None:
    place = {"description": "", "comment": ""}
    root.post(reverse("admin:vms_datacenter_add"), {"name": "Berlin", **place})
    center = DataCenter.objects.get(name="Berlin")
    root.post(reverse("admin:vms_cluster_add"), {"name": "shop", "data_center": center.pk, "level": "4.4", **place})
    cluster = Cluster.objects.get(name="shop")
    change = reverse("admin:vms_cluster_change", args=[cluster.pk])
    root.post(change, {"name": "store", "level": "4.5", **place})
    root.post(
        reverse("admin:vms_host_add"),
        {"name": "far", "cluster": cluster.pk, "uri": "qemu+ssh://far/system", "comment": ""},
    )
    refused = root.post(reverse("admin:vms_cluster_delete", args=[cluster.pk]), {"post": "yes"}, follow=True)
    assert "still in use by: far" in refused.content.decode()
    root.post(reverse("admin:vms_host_delete", args=[Host.objects.get(name="far").pk]), {"post": "yes"})
    root.post(reverse("admin:vms_cluster_delete", args=[cluster.pk]), {"post": "yes"})
    codes = AuditEvent.objects.order_by("id").values_list("code", flat=True)
    assert list(codes)[-6:] == [
        *("USER_ADD_STORAGE_POOL", "USER_ADD_CLUSTER", "USER_UPDATE_CLUSTER", "USER_ADD_VDS", "USER_REMOVE_VDS"),
        "USER_REMOVE_CLUSTER",
    ]


@pytest.mark.parametrize(
    ("page", "said", "sentence"),
    [
        ("cluster", {"name": "Default", "level": "4.8"}, "in use already"),
        ("datacenter", {"name": "a/b"}, "begins with a letter"),
        ("host", {"name": "far", "uri": "qemu+ext://x/system"}, "is not possible here"),
    ],
)
def test_what_an_action_refuses_of_a_place_is_an_error_of_the_form(
    root: Client, page: str, said: dict[str, Any], sentence: str
) -> None:
    cluster = Cluster.objects.get()
    data = {"description": "", "comment": "", "cluster": cluster.pk, "data_center": cluster.data_center.pk, **said}
    answer = root.post(reverse(f"admin:vms_{page}_add"), data)
    assert (answer.status_code, sentence in answer.content.decode()) == (200, True)


def test_permissions_are_given_and_taken_by_their_actions(root: Client, vm: VM, carol: User) -> None:
    role = Role.objects.get(name="UserRole")
    root.post(reverse("admin:vms_permission_add"), {"user": carol.pk, "role": role.pk, "vm": vm.pk})
    held = Permission.objects.get(user=carol)
    assert held.vm == vm
    both = {"user": carol.pk, "role": role.pk, "vm": vm.pk, "cluster": vm.cluster.pk}
    assert "one object at most" in root.post(reverse("admin:vms_permission_add"), both).content.decode()
    root.post(reverse("admin:vms_permission_delete", args=[held.pk]), {"post": "yes"})
    assert not Permission.objects.filter(user=carol).exists()
    assert AuditEvent.objects.filter(code__contains="PERMISSION").count() == 2


def test_somebody_is_removed_by_the_action(root: Client, carol: User) -> None:
    root.post(reverse("admin:vms_user_delete", args=[carol.pk]), {"post": "yes"})
    assert AuditEvent.objects.filter(code="USER_REMOVE_ADUSER", entity_name="carol").exists()


def test_affinity_is_made_changed_and_removed_by_its_actions(root: Client, vm: VM, headless_vm: VM) -> None:
    rules = {"vms_rule": "positive", "hosts_rule": "disabled", "vms_enforcing": "on", "priority": "1"}
    both = {"cluster": vm.cluster.pk, "vms": [vm.pk, headless_vm.pk], **rules}
    root.post(reverse("admin:vms_affinitygroup_add"), {"name": "pair", **both})
    group = AffinityGroup.objects.get()
    assert set(group.vms.all()) == {vm, headless_vm}
    answer = root.post(reverse("admin:vms_affinitygroup_add"), {"name": "rivals", **both, "vms_rule": "negative"})
    assert "contradict each other" in answer.content.decode()
    change = reverse("admin:vms_affinitygroup_change", args=[group.pk])
    root.post(change, {"name": "pair", **both, "vms": [vm.pk]})
    assert list(group.vms.all()) == [vm]
    root.post(reverse("admin:vms_affinitylabel_add"), {"name": "blue", "vms": [vm.pk], "implicit": "on"})
    assert vm.affinity_labels.get().implicit
    root.post(reverse("admin:vms_affinitygroup_delete", args=[group.pk]), {"post": "yes"})
    assert not AffinityGroup.objects.exists()
    assert {"USER_ADDED_AFFINITY_GROUP", "USER_REMOVED_AFFINITY_GROUP", "AFFINITY_LABEL_ADDED"} <= {
        event.code for event in AuditEvent.objects.all()
    }
