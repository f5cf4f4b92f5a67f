"""What lists and pages tell of affinity: groups, labels, and who runs against them, as data."""

from collections.abc import Iterable
from typing import Any, Final

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _

from vms import messages
from vms.actions import rights
from vms.actions.affinity import MEMBERS, affinity_of, has_affinity, refusal_of
from vms.domain.affinity import Affinity, Breach, Polarity
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.models import VM, ActionGroup, AffinityGroup, AffinityLabel, Cluster, Host
from vms.models.affinity import POLARITIES

from . import reasons
from .tables import Cell, Fact, Table

_NOTHING: Final = "–"
SHOWN: Final = 50
_BROKEN: Final = "known_to_be_broken"
_POLARITIES: Final = dict(POLARITIES)

Groups = list[tuple[str, list[Fact]]]


# -- groups


def counted(rows: Any) -> Any:
    """Groups with how many machines and hosts each names, for their list; those of a cluster share it, and so what is
    known of it."""
    counts = {f"{name}_count": Count(name, distinct=True) for name in MEMBERS}
    return rows.prefetch_related("cluster__data_center").annotate(**counts)


def group_cells(row: Any) -> tuple[Cell, ...]:
    return (
        *(_to("affinity_group", row), Cell(_state(row)), _to("cluster", row.cluster), Cell(f"{row.priority:g}")),
        *(Cell(_rule(row.vms_rule), _strength(row, "vms")), _counted(row, "vms")),
        *(Cell(_rule(row.hosts_rule), _strength(row, "hosts")), _counted(row, "hosts")),
    )


def group(row: AffinityGroup) -> Groups:
    facts = [
        Fact(_("Cluster"), row.cluster.name),
        Fact(messages.FIELDS["vms_rule"], _rule(row.vms_rule), _tags(row, "vms")),
        Fact(messages.FIELDS["hosts_rule"], _rule(row.hosts_rule), _tags(row, "hosts")),
        Fact(messages.FIELDS["priority"], f"{row.priority:g}"),
        Fact(messages.FIELDS["description"], row.description or _NOTHING),
        Fact(_("Affinity Group ID"), str(row.pk)),
    ]
    return [(_("Affinity group"), facts)]


def group_tables(row: AffinityGroup) -> list[Table]:
    affinity = affinity_of(row.cluster)
    machines = VM.objects.filter(affinity_groups=row) | VM.objects.filter(affinity_labels__vm_groups=row)
    hosts = Host.objects.filter(affinity_groups=row) | Host.objects.filter(affinity_labels__host_groups=row)
    labels = [(label, _("Virtual Machines")) for label in row.vm_labels.all()]
    labels += [(label, _("Hosts")) for label in row.host_labels.all()]
    there = machines.filter(cluster=row.cluster).distinct().select_related("host").order_by("name")[:SHOWN]
    return [
        Table(
            _("Virtual Machines"),
            (_("Name"), _("Status"), _("Host"), _("Against the rules")),
            [_machine(vm, [each for each in _breaches(vm, affinity) if each.group.name == row.name]) for vm in there],
            _("It has no virtual machine yet."),
        ),
        _host_table(hosts.filter(cluster=row.cluster).distinct().order_by("name")[:SHOWN]),
        Table(
            _("Affinity Labels"),
            (_("Name"), _("Stands for")),
            [(_to("affinity_label", label), Cell(what)) for label, what in labels],
            _("It names no label."),
        ),
    ]


def status(row: AffinityGroup, _held: rights.Rights) -> dict[str, Any]:
    """Whether anybody runs against a group, for the head of its page."""
    against = _against(row)
    return {
        "status": _state(row),
        "icon": "warning-triangle-o" if against else "ok",
        "tone": "warning" if against else "success",
    }


def on_cluster(row: Cluster, held: rights.Rights) -> dict[str, Any]:
    """What is done about affinity on the page of a cluster."""
    new = f"{reverse('affinity_group_new')}?cluster={row.pk}"
    why_not = reasons.lacking(ActionGroup.MANIPULATE_AFFINITY_GROUPS, held)
    return {"openers": [_opener("new-affinity-group", _("New Affinity Group"), "fa-magnet", new, why_not)]}


def cluster_tables(row: Cluster) -> list[Table]:
    """The affinity groups of a cluster, and the labels of what is in it."""
    groups = counted(row.affinity_groups.order_by("name"))[:SHOWN]
    labels = AffinityLabel.objects.filter(hosts__cluster=row) | AffinityLabel.objects.filter(vms__cluster=row)
    return [
        Table(
            _("Affinity Groups"),
            (
                *(_("Name"), _("Status"), _("Priority"), _("VM Affinity Rule"), _("Virtual Machines")),
                *(_("Host Affinity Rule"), _("Hosts")),
            ),
            [(*cells[:2], *cells[3:]) for cells in map(group_cells, groups)],
            _("It has no affinity group: its machines run where most memory is left."),
        ),
        Table(
            _("Affinity Labels"),
            (_("Name"), _("Implicit Affinity Group"), _("Virtual Machines"), _("Hosts")),
            [label_cells(label) for label in labels.distinct().prefetch_related("vms", "hosts").order_by("name")],
            _("Nothing in it has a label."),
        ),
    ]


# -- labels


def label_cells(row: AffinityLabel) -> tuple[Cell, ...]:
    return (
        *(_to("affinity_label", row), Cell(_("Yes") if row.implicit else _("No"))),
        *(Cell(_names(row.vms.all()) or _NOTHING), Cell(_names(row.hosts.all()) or _NOTHING)),
    )


def label(row: AffinityLabel) -> Groups:
    facts = [
        Fact(messages.FIELDS["implicit"], _("Yes") if row.implicit else _("No")),
        Fact(_("Affinity Label ID"), str(row.pk)),
    ]
    return [(_("Affinity label"), facts)]


def label_tables(row: AffinityLabel) -> list[Table]:
    groups = AffinityGroup.objects.filter(vm_labels=row) | AffinityGroup.objects.filter(host_labels=row)
    return [
        Table(
            _("Virtual Machines"),
            (_("Name"), _("Status"), _("Host")),
            [_machine(vm, [])[:3] for vm in row.vms.select_related("host").order_by("name")[:SHOWN]],
            _("No virtual machine has it."),
        ),
        _host_table(row.hosts.order_by("name")[:SHOWN]),
        Table(
            _("Affinity Groups"),
            (_("Name"), _("Cluster")),
            [
                (_to("affinity_group", each), _to("cluster", each.cluster))
                for each in groups.distinct().select_related("cluster")
            ],
            _("No affinity group names it."),
        ),
    ]


def label_table(row: VM | Host) -> Table:
    """The labels of a machine or host."""
    return Table(
        _("Affinity Labels"),
        (_("Name"), _("Implicit Affinity Group")),
        [
            (_to("affinity_label", each), Cell(_("Yes") if each.implicit else _("No")))
            for each in row.affinity_labels.order_by("name")
        ],
        _("It has no label."),
    )


def openers_of(host: Host, held: rights.Rights) -> list[dict[str, Any]]:
    """What is done about affinity on the page of a host."""
    why_not = reasons.lacking(ActionGroup.MANIPULATE_AFFINITY_GROUPS, held)
    return [_opener("affinity", _("Affinity…"), "fa-magnet", reverse("host_affinity_edit", args=[host.pk]), why_not)]


# -- machines


def machine_table(vm: VM) -> Table:
    """The affinity groups that a machine is in, by itself or by a label."""
    rows = vm.cluster.affinity_groups.filter(vms=vm) | vm.cluster.affinity_groups.filter(vm_labels__vms=vm)
    return Table(
        _("Affinity Groups"),
        (_("Name"), _("Priority"), _("VM Affinity Rule"), _("Host Affinity Rule")),
        [
            (
                *(_to("affinity_group", row), Cell(f"{row.priority:g}")),
                Cell(_rule(row.vms_rule), _strength(row, "vms")),
                Cell(_rule(row.hosts_rule), _strength(row, "hosts")),
            )
            for row in rows.distinct().order_by("name")
        ],
        _("It is in no affinity group."),
    )


def breaches_of(vm: VM) -> list[str]:
    """What a running machine breaks where it is, in sentences."""
    if Status(vm.observed) in NOT_RUNNING or vm.host is None or not has_affinity(vm.cluster):
        return []
    affinity = affinity_of(vm.cluster)
    return [_told(vm, breach) for breach in _breaches(vm, affinity)]


def against(vm: VM) -> str:
    """That a machine runs against its affinity, for its header; empty where it does not."""
    if not breaches_of(vm):
        return ""
    return _("It runs where its affinity does not want it; see the tab Affinity.")


def _breaches(vm: VM, affinity: Affinity) -> list[Breach]:
    return affinity.breaches(vm.pk, host) if (host := affinity.where.get(vm.pk)) else []


def _told(vm: VM, breach: Breach) -> str:
    assert vm.host is not None
    return messages.refusal(refusal_of(breach, vm.host))


def _machine(vm: VM, breaches: Iterable[Breach]) -> tuple[Cell, ...]:
    running = Status(vm.observed) not in NOT_RUNNING and vm.host is not None
    told = " ".join(_told(vm, breach) for breach in breaches) if running else ""
    return (
        *(_to("vm", vm), Cell(str(messages.STATUSES[vm.status]))),
        _to("host", vm.host) if running else Cell(_NOTHING),
        Cell(told or _NOTHING),
    )


def _host_table(hosts: Iterable[Host]) -> Table:
    return Table(
        _("Hosts"),
        (_("Name"), _("Status")),
        [(_to("host", host), Cell(host.shown_status.label)) for host in hosts],
        _("It has no host yet."),
    )


def _against(row: AffinityGroup) -> bool:
    """Whether anybody runs against a group; asked once of a cluster, however many groups it has."""
    known = vars(row.cluster)
    if _BROKEN not in known:
        found = [each.group for breaches in affinity_of(row.cluster).broken().values() for each in breaches]
        known[_BROKEN] = {group.name for group in found if not group.label}
    return row.name in known[_BROKEN]


def _state(row: AffinityGroup) -> str:
    return _("Broken") if _against(row) else _("Kept")


def _rule(polarity: str) -> str:
    return str(_POLARITIES[polarity])


def _strength(row: AffinityGroup, which: str) -> str:
    if getattr(row, f"{which}_rule") == Polarity.DISABLED:
        return ""
    return _("enforcing") if getattr(row, f"{which}_enforcing") else _("where possible")


def _tags(row: AffinityGroup, which: str) -> tuple[str, ...]:
    return tuple(filter(None, (_strength(row, which),)))


def _counted(row: Any, which: str) -> Cell:
    count, labels = getattr(row, f"{which}_count"), getattr(row, f"{which[:-1]}_labels_count")
    if labels and not count:
        return Cell(_("by labels"))
    return Cell(str(count), _("and by labels") if labels else "")


def _opener(name: str, label_: str, icon: str, url: str, reason: str) -> dict[str, Any]:
    return {"name": name, "label": label_, "icon": icon, "url": url, "reason": reason}


def _to(name: str, row: Any) -> Cell:
    return Cell(row.name, url=reverse(f"{name}_detail", args=[row.pk]))


def _names(rows: Any) -> str:
    names = sorted(row.name for row in rows)
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
