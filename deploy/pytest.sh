#!/usr/bin/env bash
# Run pytest, and take a selection without any test for what it is: nothing to do yet, not a failure. With TWICE set,
# what failed is tried once more, by itself: on a busy machine an engine, a guest or a browser may miss a moment.
# Whatever fails twice has failed, and what failed once can be read above.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

# Compiled modules are kept: without them every worker, and every server that a test starts, compiles everything anew.
unset PYTHONDONTWRITEBYTECODE
.venv/bin/python -m pytest "$@"
status=$?
if [ "$status" -eq 1 ] && [ -n "${TWICE:-}" ]; then
    printf '\n---- what failed, once more\n'
    .venv/bin/python -m pytest "$@" --last-failed
    status=$?
fi
if [ "$status" -eq 5 ]; then
    echo "No test of this kind exists yet ($*)."
    exit 0
fi
exit "$status"
