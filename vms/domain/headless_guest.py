"""The script that a Linux guest is prepared for headless with, and what it answers.

It runs in the guest, by its agent or on its disks while it is off, with a shell and nothing else: what it recognises
it changes, what it does not it leaves alone and says so. `ROOT` lets it work on files elsewhere.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .errors import Refusal
from .guest import text

SPEED: Final = 115200
KERNEL: Final = f"console=tty0 console=ttyS0,{SPEED}"
SERIAL: Final = f"serial --unit=0 --speed={SPEED}"
KEPT: Final = "/var/lib/headless-webadmin"
SAID: Final = 64 * 1024  # bytes of an answer; a longer one is no answer
SHOWN: Final = 24 * 1024  # of them, of the difference


class Task(StrEnum):
    """What the script is to do: show what it would change, change it, or put everything back."""

    LOOK = "look"
    CHANGE = "change"
    UNDO = "undo"


class Loader(StrEnum):
    """How the guest boots."""

    DEBIAN = "debian"  # GRUB 2 with update-grub and /etc/default/grub.d
    REDHAT = "redhat"  # GRUB 2 with grub2-mkconfig, and grubby where it is there
    GRUB = "grub"  # any other GRUB 2
    LEGACY = "legacy"  # GRUB before it: menu.lst, grub.conf


_REFUSED: Final = {
    "not_linux": "PREPARE_NOT_LINUX",
    "no_grub": "PREPARE_NO_GRUB",
    "read_only": "PREPARE_READ_ONLY",
    "generator": "PREPARE_GENERATOR_FAILED",
    "nothing_kept": "PREPARE_NOTHING_KEPT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the script found and did: `changes` the difference as people read it, `changed` whether there is any.

    `kept`: there is a copy of what was before, so that it can be undone. `encrypted`: with each boot the guest asks for
    the passphrase of a disk. `yours`: files that somebody has edited since; they are left as they are.
    """

    loader: Loader | None = None
    changed: bool = False
    changes: str = ""
    kept: bool = False
    encrypted: bool = False
    yours: tuple[str, ...] = ()


def script(task: Task, *, offline: bool = False) -> str:
    """The script for a task; running it twice does no more than running it once.

    One that is changed `offline` labels its files anew with its next boot where it has SELinux.
    """
    return f"TASK={task.value} OFFLINE={'yes' if offline else ''}\n{_SCRIPT}"


def read(said: str) -> Answer:
    """What the script said, as a value; raises its refusal, or that of an answer which makes no sense."""
    head, marked, rest = said.partition("::changes\n")
    changes, ended, _after = rest.rpartition("::end")
    told = [line[2:].partition("=") for line in head.splitlines() if line.startswith("::")]
    words = {key: value for key, _is, value in told}
    if "refused" in words:
        code = _REFUSED.get(words["refused"], "GUEST_AGENT_ANSWER_ILLEGAL")
        raise Refusal(code, None, message=text(words.get("reason", "")))
    if not marked or not ended or words.get("loader", "") not in {"", *Loader}:
        raise Refusal("GUEST_AGENT_ANSWER_ILLEGAL", None, message=text(said[-200:]))
    return Answer(
        loader=Loader(words["loader"]) if words.get("loader") else None,
        changed=bool(changes.strip()),
        changes=_printable(changes[:SHOWN]),
        kept=words.get("kept") == "yes",
        encrypted=words.get("encrypted") == "yes",
        yours=tuple(text(value) for key, _is, value in told if key == "yours"),
    )


def _printable(lines: str) -> str:
    shown = ("".join(each if each.isprintable() else " " for each in line) for line in lines.splitlines())
    return "\n".join(line.rstrip() for line in shown).strip("\n")


_SCRIPT: Final = rf"""
set -u
umask 022
LC_ALL=C PATH=${{PATH:-/usr/bin:/bin}}:/usr/sbin:/sbin:/usr/bin:/bin
export LC_ALL PATH
ROOT=${{ROOT:-}}
KEPT=$ROOT{KEPT}
KERNEL='{KERNEL}'
SERIAL='{SERIAL}'

have() {{ command -v "$1" >/dev/null 2>&1; }}
say() {{ printf '::%s\n' "$*"; }}
refuse() {{
    say "refused=$1"
    say "reason=$(printf '%s' "${{2:-}}" | tr '\n' ' ' | tail -c 250)"
    exit 0
}}

[ "$(uname -s)" = Linux ] || refuse not_linux "$(uname -s)"
for place in "${{TMPDIR:-/tmp}}" /run /dev/shm; do
    WORK=$(mktemp -d "$place/headless.XXXXXX" 2>/dev/null) && break
done
[ -n "$WORK" ] || refuse read_only "no directory for temporary files"
trap 'rm -rf "$WORK"' EXIT
: >"$WORK/files"; : >"$WORK/changes"

# ---- what is to be

difference() {{ # FILE, what it is to be (or nothing: it goes)
    old=/dev/null new=/dev/null
    [ -e "$ROOT$1" ] && old=$ROOT$1
    [ -n "$2" ] && new=$2
    if have diff; then
        diff -u "$old" "$new" | sed -e "1s|.*|--- $1|" -e "2s|.*|+++ $1|" >>"$WORK/changes"
    else
        {{ echo "+++ $1"; sed 's/^/+/' "$new"; }} >>"$WORK/changes"
    fi
}}
propose() {{ # FILE, and its new content on the standard input
    mkdir -p "$WORK/new${{1%/*}}"
    cat >"$WORK/new$1"
    if [ ! -e "$ROOT$1" ] || ! cmp -s "$ROOT$1" "$WORK/new$1"; then
        echo "$1" >>"$WORK/files"
        difference "$1" "$WORK/new$1"
    fi
}}
settings() {{
    echo '# Written by Headless WebAdmin: the menu and the kernel speak on the serial line, too.'
    echo 'GRUB_TERMINAL="serial console"'
    echo "GRUB_SERIAL_COMMAND=\"$SERIAL\""
    echo 'case " $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT " in'
    echo '*" console=ttyS0"*) ;;'
    echo "*) GRUB_CMDLINE_LINUX=\"\$GRUB_CMDLINE_LINUX $KERNEL\" ;;"
    echo 'esac'
}}
appended() {{ # FILE: its lines, and the settings once at their end
    sed '/^# Headless WebAdmin: begin/,/^# Headless WebAdmin: end/d' "$ROOT$1"
    echo '# Headless WebAdmin: begin'
    settings
    echo '# Headless WebAdmin: end'
}}
menu() {{ # FILE of GRUB before version 2
    awk -v kernel="$KERNEL" -v serial="$SERIAL" '
        function told() {{ if (!done) {{ print serial; print "terminal --timeout=5 serial console"; done = 1 }} }}
        function speaks(line) {{ return line ~ /console=ttyS0/ }}
        /^[ \t]*(splashimage|gfxmenu)([ \t=]|$)/ {{ print "#" $0; next }}
        $0 == serial || $0 == "terminal --timeout=5 serial console" {{ told(); next }}
        /^[ \t]*(serial|terminal)[ \t]/ {{ print "#" $0; next }}
        /^[ \t]*title([ \t]|$)/ {{ told() }}
        /^[ \t]*kernel[ \t]/ && $0 !~ /(xen|hypervisor)[^ \t]*\.gz/ && !speaks($0) {{ print $0 " " kernel; next }}
        /^[ \t]*module[ \t].*vmlinuz/ && !speaks($0) {{ print $0 " " kernel; next }}
        /^# kopt=/ && !speaks($0) {{ print $0 " " kernel; next }}
        {{ print }}
        END {{ told() }}
    ' "$ROOT$1"
}}
line_of() {{ # FILE, a pattern, a line that is added where no line has the pattern
    if [ -f "$ROOT$1" ] && ! grep -Eq "$2" "$ROOT$1"; then
        {{ cat "$ROOT$1"; echo "$3"; }} | propose "$1"
    fi
}}
configuration() {{ # the file that GRUB 2 reads on a Red Hat
    cfg=/boot/grub2/grub.cfg
    for each in "$ROOT"/boot/efi/EFI/*/grub.cfg; do
        # Where it only leads to the other one it must stay as it is.
        if [ -f "$each" ] && ! grep -q '^configfile' "$each"; then cfg=${{each#"$ROOT"}}; fi
    done
    echo "$cfg"
}}

LOADER= MENU= CFG= BLS=
recognise() {{
    if [ -f "$ROOT/etc/default/grub" ]; then
        if [ -d "$ROOT/boot/grub2" ] && have grub2-mkconfig; then LOADER=redhat CFG=$(configuration)
        elif have update-grub; then LOADER=debian CFG=/boot/grub/grub.cfg
        elif have grub-mkconfig; then LOADER=grub CFG=/boot/grub/grub.cfg
        fi
        if [ "$LOADER" = redhat ] && have grubby && [ -d "$ROOT/boot/loader/entries" ]; then BLS=yes; fi
    fi
    if [ -z "$LOADER" ]; then
        for each in /boot/grub/menu.lst /boot/grub/grub.conf; do
            if [ -f "$ROOT$each" ] && [ ! -L "$ROOT$each" ]; then LOADER=legacy MENU=$each; fi
        done
    fi
    [ -n "$LOADER" ] || refuse no_grub
}}
plan() {{
    case $LOADER in
    debian) settings | propose /etc/default/grub.d/90-headless.cfg ;;
    redhat | grub) appended /etc/default/grub | propose /etc/default/grub ;;
    legacy) menu "$MENU" | propose "$MENU" ;;
    esac
    entries= getty=
    if [ -n "$BLS" ] && ! grubby --info=ALL 2>/dev/null | grep -q 'console=ttyS0'; then
        entries=yes
        echo "# grubby --update-kernel=ALL --args=\"$KERNEL\"" >>"$WORK/changes"
    fi
    if [ -d "$ROOT/etc/systemd" ] && have systemctl; then
        if ! systemctl is-enabled serial-getty@ttyS0.service >/dev/null 2>&1; then
            getty=yes
            echo '# systemctl enable serial-getty@ttyS0.service' >>"$WORK/changes"
        fi
    else
        line_of /etc/inittab '^[^#]*ttyS0' "S0:2345:respawn:/sbin/agetty -L ttyS0 {SPEED} vt100"
    fi
    line_of /etc/securetty '^ttyS0$' ttyS0
}}
may_write() {{ # a directory, or the first one above it that is there
    at=$ROOT$1
    while [ ! -e "$at" ]; do at=${{at%/*}}; done
    [ -d "$at" ] || refuse read_only "$1 is no directory"
    [ -w "$at" ] || refuse read_only "$1 cannot be written to"
}}
writable() {{
    while read -r file; do may_write "${{file%/*}}"; done <"$WORK/files"
    if [ -n "$CFG" ]; then may_write "${{CFG%/*}}"; fi
    may_write {KEPT}
}}

# ---- doing it

keep() {{ # FILE, before it is changed for the first time
    grep -qsx "[a-z]* $1" "$KEPT/list" && return
    mkdir -p "$KEPT/before${{1%/*}}" || return
    if [ -e "$ROOT$1" ]; then
        cp -p "$ROOT$1" "$KEPT/before$1" && echo "changed $1" >>"$KEPT/list"
    else
        echo "added $1" >>"$KEPT/list"
    fi
}}
put() {{ # FILE, from where: all of it or nothing
    mkdir -p "$ROOT${{1%/*}}" || return
    at=$(readlink -f "$ROOT$1" 2>/dev/null || echo "$ROOT$1")
    if [ -e "$at" ]; then cp -p "$at" "$at.headless-new" || return; fi
    cat "$2" >"$at.headless-new" && mv "$at.headless-new" "$at"
}}
generate() {{
    case ${{LOADER:-none}} in
    debian) update-grub ;;
    redhat) grub2-mkconfig -o "$ROOT$CFG" ;;
    grub) grub-mkconfig -o "$ROOT$CFG" ;;
    esac >"$WORK/words" 2>&1
}}
put_back() {{ # what was kept, where nobody has changed it since
    while read -r kind file; do
        case $kind in
        changed)
            if cmp -s "$ROOT$file" "$KEPT/before$file"; then continue; fi
            if ! cmp -s "$ROOT$file" "$KEPT/after$file"; then say "yours=$file"; continue; fi
            difference "$file" "$KEPT/before$file"
            put "$file" "$KEPT/before$file" || return ;;
        added)
            if [ ! -e "$ROOT$file" ]; then continue; fi
            if ! cmp -s "$ROOT$file" "$KEPT/after$file"; then say "yours=$file"; continue; fi
            difference "$file" ''
            rm -f "$ROOT$file" || return ;;
        getty)
            systemctl disable serial-getty@ttyS0.service >/dev/null 2>&1
            echo '# systemctl disable serial-getty@ttyS0.service' >>"$WORK/changes" ;;
        entries)
            grubby --update-kernel=ALL --remove-args="$KERNEL" >/dev/null 2>&1
            echo "# grubby --update-kernel=ALL --remove-args=\"$KERNEL\"" >>"$WORK/changes" ;;
        esac
    done <"$KEPT/list" 2>"$WORK/why"
}}
give_up() {{ # the refusal and its words: everything as it was, the generated configuration too
    why=$(tail -c 250 "$WORK/$2" 2>/dev/null)
    : >"$WORK/changes"
    put_back >/dev/null
    if [ -n "$CFG" ] && [ -f "$KEPT/generated" ]; then put "$CFG" "$KEPT/generated" 2>/dev/null; fi
    rm -rf "$KEPT" 2>/dev/null
    refuse "$1" "$why"
}}
relabel() {{ # no kernel of the guest's own was there to label what is new
    if [ -n "$OFFLINE" ] && grep -Eqs '^SELINUX=(enforcing|permissive)' "$ROOT/etc/selinux/config"; then
        : >"$ROOT/.autorelabel"
    fi
}}
change() {{
    mkdir -p "$KEPT" 2>"$WORK/why" || refuse read_only "$(cat "$WORK/why")"
    : >>"$KEPT/list"
    if [ -n "$CFG" ] && [ -f "$ROOT$CFG" ] && [ ! -f "$KEPT/generated" ]; then cp -p "$ROOT$CFG" "$KEPT/generated"; fi
    while read -r file; do
        {{
            keep "$file" && mkdir -p "$KEPT/after${{file%/*}}" && cp "$WORK/new$file" "$KEPT/after$file" &&
                put "$file" "$WORK/new$file"
        }} 2>"$WORK/why" || give_up read_only why
    done <"$WORK/files"
    if [ -n "$entries" ]; then
        grep -qsx entries "$KEPT/list" || echo entries >>"$KEPT/list"
        grubby --update-kernel=ALL --args="$KERNEL" >"$WORK/words" 2>&1 || give_up generator words
    fi
    generate || give_up generator words
    if [ -n "$getty" ]; then
        grep -qsx getty "$KEPT/list" || echo getty >>"$KEPT/list"
        systemctl enable serial-getty@ttyS0.service >/dev/null 2>&1
    fi
    relabel
    sync
    : >"$KEPT/done"
}}
undo() {{
    [ -f "$KEPT/list" ] || refuse nothing_kept
    put_back || refuse read_only "$(tail -c 250 "$WORK/why")"
    generate || refuse generator "$(tail -c 250 "$WORK/words")"
    rm -rf "$KEPT"
    relabel
    sync
}}

recognise
say "loader=$LOADER"
if grep -Eqsv '^[[:space:]]*(#|$)|/dev/u?random' "$ROOT/etc/crypttab"; then say encrypted=yes; fi
if [ "$TASK" = undo ]; then
    undo
else
    plan
    if [ -s "$WORK/changes" ]; then writable; fi
    # What was begun and cut off is ended, though the files are as they should be.
    if [ -s "$WORK/changes" ] || {{ [ -d "$KEPT" ] && [ ! -f "$KEPT/done" ]; }}; then
        if [ "$TASK" = change ]; then change; fi
    fi
fi
if [ -f "$KEPT/list" ]; then say kept=yes; fi
say changes
head -c {SHOWN} "$WORK/changes"
echo
say end
"""
