#!/usr/bin/env bash
# Runs whole peers in networks out of namespaces and prints what they showed, as Markdown too.
#
# usage: scripts/test-net.sh [SCENARIO…]     without scenarios: all of them
#
# RUNS=N: each scenario so often. Needs root: goes through sudo if called by somebody else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target="$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"
readonly lab="$target/debug/yap-lab"
[ -x "$lab" ] || { echo "test-net: $lab is missing: run cargo build -p yap-lab --bins" >&2; exit 1; }

sudo=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "test-net: networks can be made by root alone, and there is no sudo here" >&2; exit 1; }
    sudo=(sudo)
    # Nobody can type a password where there is no terminal.
    [ -t 0 ] || sudo=(sudo -n)
fi

runs=()
[ -z "${RUNS:-}" ] || runs=(--runs "$RUNS")
exec "${sudo[@]}" "$lab" run --markdown "${runs[@]}" "$@"
