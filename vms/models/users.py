"""Who may do what: people, roles, and roles held on objects."""

import hashlib
import hmac
from typing import Any, Self
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ActionGroup(models.TextChoices):
    """oVirt's action groups that a role may grant."""

    CREATE_VM = "create_vm"
    CREATE_INSTANCE = "create_instance"
    DELETE_VM = "delete_vm"
    EDIT_VM_PROPERTIES = "edit_vm_properties"
    EDIT_ADMIN_VM_PROPERTIES = "edit_admin_vm_properties"
    CHANGE_VM_CUSTOM_PROPERTIES = "change_vm_custom_properties"
    RUN_VM = "run_vm"
    STOP_VM = "stop_vm"
    SHUT_DOWN_VM = "shut_down_vm"
    REBOOT_VM = "reboot_vm"
    RESET_VM = "reset_vm"
    HIBERNATE_VM = "hibernate_vm"
    MIGRATE_VM = "migrate_vm"
    CONNECT_TO_VM = "connect_to_vm"
    RECONNECT_TO_VM = "reconnect_to_vm"
    CONNECT_TO_SERIAL_CONSOLE = "connect_to_serial_console"
    CREATE_TEMPLATE = "create_template"
    EDIT_TEMPLATE_PROPERTIES = "edit_template_properties"
    DELETE_TEMPLATE = "delete_template"
    CREATE_VM_POOL = "create_vm_pool"
    EDIT_VM_POOL_CONFIGURATION = "edit_vm_pool_configuration"
    DELETE_VM_POOL = "delete_vm_pool"
    VM_POOL_BASIC_OPERATIONS = "vm_pool_basic_operations"
    CREATE_STORAGE_POOL = "create_storage_pool"  # oVirt's word for a data center
    EDIT_STORAGE_POOL_CONFIGURATION = "edit_storage_pool_configuration"
    DELETE_STORAGE_POOL = "delete_storage_pool"
    CREATE_CLUSTER = "create_cluster"
    EDIT_CLUSTER_CONFIGURATION = "edit_cluster_configuration"
    DELETE_CLUSTER = "delete_cluster"
    MANIPULATE_AFFINITY_GROUPS = "manipulate_affinity_groups"
    CREATE_STORAGE_DOMAIN = "create_storage_domain"
    EDIT_STORAGE_DOMAIN_CONFIGURATION = "edit_storage_domain_configuration"
    DELETE_STORAGE_DOMAIN = "delete_storage_domain"
    MANIPULATE_STORAGE_DOMAIN = "manipulate_storage_domain"
    CREATE_DISK = "create_disk"
    ATTACH_DISK = "attach_disk"
    EDIT_DISK_PROPERTIES = "edit_disk_properties"
    DELETE_DISK = "delete_disk"
    CONFIGURE_VM_STORAGE = "configure_vm_storage"
    MANIPULATE_VM_SNAPSHOTS = "manipulate_vm_snapshots"
    CREATE_HOST = "create_host"
    EDIT_HOST_CONFIGURATION = "edit_host_configuration"
    DELETE_HOST = "delete_host"
    MANIPULATE_HOST = "manipulate_host"
    CONFIGURE_VM_NETWORK = "configure_vm_network"
    CONFIGURE_TEMPLATE_NETWORK = "configure_template_network"
    CREATE_STORAGE_POOL_NETWORK = "create_storage_pool_network"
    CONFIGURE_STORAGE_POOL_NETWORK = "configure_storage_pool_network"
    DELETE_STORAGE_POOL_NETWORK = "delete_storage_pool_network"
    ASSIGN_CLUSTER_NETWORK = "assign_cluster_network"
    CREATE_NETWORK_VNIC_PROFILE = "create_network_vnic_profile"
    CONFIGURE_NETWORK_VNIC_PROFILE = "configure_network_vnic_profile"
    DELETE_NETWORK_VNIC_PROFILE = "delete_network_vnic_profile"
    CREATE_MAC_POOL = "create_mac_pool"
    EDIT_MAC_POOL = "edit_mac_pool"
    DELETE_MAC_POOL = "delete_mac_pool"
    MANIPULATE_PERMISSIONS = "manipulate_permissions"
    MANIPULATE_USERS = "manipulate_users"
    INJECT_EXTERNAL_EVENTS = "inject_external_events"
    INJECT_EXTERNAL_TASKS = "inject_external_tasks"
    TAG_MANAGEMENT = "tag_management"
    BOOKMARK_MANAGEMENT = "bookmark_management"
    LOGIN = "login"


class User(AbstractUser):
    """A person; rights come from the permissions that the person holds, `is_superuser` from `createsuperuser` stands
    for SuperUser on the system."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # What the person has chosen of the pages: columns by kind, density; written by `vms.actions.preferences`.
    preferences = models.JSONField(default=dict, blank=True, editable=False)


class Role(models.Model):
    """A named set of action groups; an administrative one opens WebAdmin.

    One that does not allow viewing children makes nothing visible below what it is held on: who may make machines in a
    cluster does not see other people's there.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=126, unique=True)
    description = models.CharField(max_length=4000, blank=True)
    administrative = models.BooleanField(default=False)
    allows_viewing_children = models.BooleanField(default=True)
    mutable = models.BooleanField(default=True)  # oVirt's own are not

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def grants(self) -> frozenset[ActionGroup]:
        """What it allows; what an older version knew and this one does not is left out."""
        known = set(ActionGroup.values)
        groups = self.permits.values_list("action_group", flat=True)
        return frozenset(ActionGroup(group) for group in groups if group in known)


class RolePermit(models.Model):
    """One action group that a role grants."""

    role = models.ForeignKey(Role, models.CASCADE, related_name="permits")
    action_group = models.CharField(max_length=64, choices=ActionGroup)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("role", "action_group"), name="permit_once_per_role"),)

    def __str__(self) -> str:
        return self.action_group


# The objects a role can be held on; none of them means the whole system.
OBJECTS = (
    *("vm", "template", "pool", "instance_type", "cluster", "data_center"),
    *("storage_domain", "disk", "network", "vnic_profile"),
)


class Permission(models.Model):
    """A role that somebody holds on one object and everything below it, or on the system."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="permissions")
    role = models.ForeignKey(Role, models.PROTECT, related_name="permissions")
    vm = models.ForeignKey("VM", models.CASCADE, null=True, blank=True, related_name="permissions")
    template = models.ForeignKey("Template", models.CASCADE, null=True, blank=True, related_name="permissions")
    pool = models.ForeignKey("Pool", models.CASCADE, null=True, blank=True, related_name="permissions")
    instance_type = models.ForeignKey("InstanceType", models.CASCADE, null=True, blank=True, related_name="permissions")
    cluster = models.ForeignKey("Cluster", models.CASCADE, null=True, blank=True, related_name="permissions")
    data_center = models.ForeignKey("DataCenter", models.CASCADE, null=True, blank=True, related_name="permissions")
    storage_domain = models.ForeignKey(
        "StorageDomain", models.CASCADE, null=True, blank=True, related_name="permissions"
    )
    disk = models.ForeignKey("Disk", models.CASCADE, null=True, blank=True, related_name="permissions")
    network = models.ForeignKey("Network", models.CASCADE, null=True, blank=True, related_name="permissions")
    vnic_profile = models.ForeignKey("VnicProfile", models.CASCADE, null=True, blank=True, related_name="permissions")

    class Meta:
        verbose_name = _("permission")
        constraints = (
            models.CheckConstraint(
                name="permission_on_one_object",
                condition=Q(**{f"{name}__isnull": True for name in OBJECTS})
                | Q(
                    *[Q(**{f"{name}__isnull": name != chosen for name in OBJECTS}) for chosen in OBJECTS],
                    _connector=Q.OR,
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.role} · {self.user}"


SYSTEM_WIDE = {f"{name}__isnull": True for name in OBJECTS}


def permitted(rows: models.QuerySet[Any], user: User, *action_groups: str) -> models.QuerySet[Any]:
    """The rows on which, or above which, the user holds a role that grants one of the action groups; without any, the
    rows that the user sees.

    The model's `HELD_ON` names the objects: path from the row → column of `Permission`.
    """
    if not user.is_active:
        return rows.none()
    if user.is_superuser:
        return rows
    held = Permission.objects.filter(user=user)
    if action_groups:
        held = held.filter(role__permits__action_group__in=action_groups)
    # What somebody may do below an object does not depend on seeing it; seeing it does.
    reaching = held if action_groups else held.filter(role__allows_viewing_children=True)
    found = Q(Exists(reaching.filter(**SYSTEM_WIDE)))
    for path, column in rows.model.HELD_ON.items():
        found |= Q(Exists((held if path == "pk" else reaching).filter(**{column: OuterRef(path)})))
    return rows.filter(found)


class HeldQuerySet(models.QuerySet[Any]):
    """Rows that roles are held on."""

    def visible_to(self, user: User, *action_groups: str) -> Self:
        return permitted(self, user, *action_groups)  # type: ignore[return-value]


class TokenQuerySet(models.QuerySet["Token"]):
    """Words to speak about tokens with."""

    def of(self, text: str) -> Self:
        """The token that a program shows, valid or not."""
        return self.filter(digest=Token.digest_of(text))

    def valid(self, text: str) -> "Token | None":
        """The token if it may still be used: it has not expired, and its user and the password are the same."""
        token = self.of(text).filter(expires_at__gt=timezone.now()).select_related("user").first()
        if token is None or not token.user.is_active:
            return None
        return token if hmac.compare_digest(token.password_mark, token.user.get_session_auth_hash()) else None


class Token(models.Model):
    """A program's log-in: what it shows is a secret that is not kept here, only its digest.

    `password_mark` is Django's mark of the password that it was given for: a new password ends it. One that is `idle`
    for so many seconds ends, too; a `guarded` one is a cookie that its holder repeats in a header.
    """

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    password_mark = models.CharField(max_length=128, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    idle = models.PositiveIntegerField(null=True, editable=False)
    guarded = models.BooleanField(default=False, editable=False)

    objects = TokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user}, until {self.expires_at:%Y-%m-%d %H:%M}"

    @staticmethod
    def digest_of(text: str) -> str:
        """A plain hash is enough: the secret is random and long."""
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()
