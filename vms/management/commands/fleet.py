"""`manage.py fleet`: makes many machines headless, gives them screens, or undoes a run, from a terminal."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from vms import messages
from vms.actions import fleet, many
from vms.domain.errors import Refusal
from vms.domain.search import parse
from vms.messages.access import RATINGS
from vms.models import VM, Job, Pool, Template, User
from vms.search.find import find
from vms.search.languages import VMS
from vms.search.visible import visible

_SHOWN = 10_000


class Command(BaseCommand):
    help = "Makes machines headless or graphical in one run, which the engine carries out; `undo RUN` takes it back."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("what", choices=("headless", "graphical", "undo"))
        parser.add_argument("run", nargs="?", help="with undo: the id of the run")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--search", help="machines that match, as in WebAdmin: 'cluster = Default and status = up'")
        which.add_argument("--pool", help="a pool by name, with its machines")
        which.add_argument("--template", help="the machines of a template by name")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each, and do nothing")
        parser.add_argument("--restart", action="store_true", help="restart those that run; else at their next start")
        parser.add_argument("--prepare", action="store_true", help="prepare each guest first, through its agent")
        parser.add_argument("--may-power-off", action="store_true", help="to prepare them, those that do not answer")
        parser.add_argument("--no-serial", action="store_true", help="give none a serial console")
        parser.add_argument("--accept-lockout", action="store_true", help="those, too, that nobody could reach")
        parser.add_argument("--by", default="admin", help="in whose name and with whose rights (admin)")

    def handle(self, *args: Any, **options: Any) -> None:
        by = User.objects.filter(username=options["by"], is_active=True).first()
        if by is None:
            raise CommandError(f"There is nobody called {options['by']}; name somebody with --by.")
        try:
            job = self._undo(options, by) if options["what"] == "undo" else self._convert(options, by)
        except Refusal as no:
            raise CommandError(messages.refusal(no)) from no
        if job is not None:
            self.stdout.write(f"Run {job.pk} was recorded for {job.machine_name} machines; the engine carries it out.")

    def _undo(self, options: Any, by: User) -> Job:
        try:
            job = visible(Job, by).filter(pk=UUID(options["run"] or "")).first()
        except ValueError as error:
            raise CommandError("Undo takes the id of a run.") from error
        if job is None:
            raise CommandError("There is no such run.")
        return many.undo(job, by=by, restart=options["restart"])

    def _convert(self, options: Any, by: User) -> Job | None:
        machines, pool = self._chosen(options, by)
        params = {
            "serial": not options["no_serial"],
            **{name: options[name] for name in ("restart", "prepare", "may_power_off", "accept_lockout")},
        }
        if options["dry_run"]:
            for vm in machines.order_by("folded", "name")[:_SHOWN]:
                self.stdout.write(_told(fleet.forecast(options["what"], vm, params, pooled=pool is not None)))
            return None
        return many.ask(options["what"], machines, by=by, pool=pool, **params)

    def _chosen(self, options: Any, by: User) -> tuple[QuerySet[VM], Pool | None]:
        rows = visible(VM, by)
        if name := options["pool"]:
            pool = Pool.objects.visible_to(by).filter(name=name).first()
            if pool is None:
                raise CommandError(f"There is no pool {name}.")
            return rows.filter(pool=pool), pool
        if name := options["template"]:
            if not Template.objects.visible_to(by).filter(name=name).exists():
                raise CommandError(f"There is no template {name}.")
            return rows.filter(template__name=name), None
        if options["search"] is None:
            raise CommandError("Which machines? Name them by --search, --pool or --template.")
        return find(rows, VMS, parse(options["search"]), by=by), None


def _told(each: fleet.Forecast) -> str:
    after = str(RATINGS[each.after.rating]) if each.after else "–"
    if each.no is not None:
        note = f"refused: {messages.refusal(each.no)}"
    elif not each.changes and not each.restart:
        note = "is so already"
    else:
        note = "takes effect with a restart" if each.restart else "is changed"
    return f"{each.vm.name:32} {RATINGS[each.now.rating]!s:32} → {after:32} {note}"
