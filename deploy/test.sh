#!/usr/bin/env bash
# The parts of `make test`: all run, whatever fails, and the end says how each of them went.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=0
summary=()

# part NAME GROUPS COMMAND...: run a command if the system packages in GROUPS are there. On a developer's machine a
# part without its programs is left out aloud; where CI=true it fails, since there nobody reads along.
part() {
    local name=$1 groups=$2 began=$SECONDS outcome
    shift 2
    printf '\n==== %s\n' "$name"
    # shellcheck disable=SC2086 # the groups are words
    if [ -n "$groups" ] && ! .venv/bin/python -I deploy/system.py check $groups; then
        outcome="left out: system packages are missing"
        [ "${CI:-}" = true ] && failed=1
    elif "$@"; then
        outcome=passed
    else
        outcome=FAILED
        failed=1
    fi
    summary+=("$(printf '%-22s %-10s %4d s' "$name" "$outcome" $((SECONDS - began)))")
}

export TWICE=1

# Each worker has a database of its own; whoever is done takes over tests of the others.
all=(-n auto --dist worksteal)

part "everything on SQLite" "" env -u DATABASE_URL deploy/pytest.sh "${all[@]}" \
    -m "not sql_server and not hypervisor and not browser and not clients and not guests and not stress"
part "SQL on PostgreSQL" "database" .venv/bin/python deploy/with_postgres.py deploy/pytest.sh "${all[@]}" \
    -m "(sql or sql_server) and not hypervisor and not browser and not guests and not stress"

# Guests come one after the other, and so do browsers; each of the two takes a core, so they go side by side. Both note
# what failed, each in a cache of its own.
beside=$(mktemp -d)
(
    failed=0 summary=()
    part "a real hypervisor" "hypervisor binding guest" env -u DATABASE_URL deploy/pytest.sh -p no:xdist \
        -o cache_dir=.pytest_cache/beside -m "hypervisor and not guests and not stress"
    printf '%s\n' "${summary[@]}" >"$beside/summary"
    exit "$failed"
) >"$beside/said" 2>&1 &
metal=$!
trap 'kill "$metal"' INT TERM
part "a real browser" "browser" env -u DATABASE_URL deploy/pytest.sh -p no:xdist \
    -m "browser and not hypervisor and not guests and not stress"
part "other people's clients" "sdk" env -u DATABASE_URL deploy/pytest.sh -p no:xdist -m "clients"
wait "$metal" || failed=1
cat "$beside/said"
mapfile -t -O "${#summary[@]}" summary <"$beside/summary"
rm -rf "$beside"

printf '\n==== summary\n'
printf '%s\n' "${summary[@]}"
exit "$failed"
