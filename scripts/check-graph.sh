#!/usr/bin/env bash
# Holds the crate graph to ARCHITECTURE.md: every crate has a kind, pure crates link nothing that can reach a disk, a
# socket, a thread or a clock, test code is not shipped, and dependencies point down only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A crate may depend on crates of a lower rank. Two of one rank do not know each other.
# `sim` and `lab` are no part of the ranks: they are for tests, may use any crate, and no other crate links them.
rank_of() {
    case "$1" in
        yap-chain) echo 0 ;;
        yap-protocol | yap-wallet) echo 1 ;;
        yap-script | yap-store | yap-net | yap-api) echo 2 ;;
        yap-node) echo 3 ;;
        yap-sim) echo 9 ;;
        yap-lab) echo 10 ;;
        *) echo none ;;
    esac
}

# What no pure crate may link, whatever the target and features.
readonly IMPURE='async-std|axum|bitcoinkernel|crossbeam(-.*)?|fjall|getrandom|hyper|libp2p(-.*)?|lsm-tree|mio|rand|rayon|redb|reqwest|rusqlite|smol|socket2|tokio(-.*)?'
# Exceptions, each for one crate. The wallet links the randomness of `bitcoin`, which `bdk_wallet` asks for with the feature
# `std`, without which it does not build. Nobody calls it: keys, salts and nonces are made of what comes in as an argument.
allowed_in() {
    case "$1" in
        yap-wallet) echo 'getrandom|rand' ;;
        *) echo none ;;
    esac
}
# What the shipped binary may not link.
readonly TEST_ONLY='criterion|proptest|yap-lab|yap-sim'

failed=0
fail() { echo "graph: $*" >&2; failed=1; }

# Names of what a crate links, itself included: linked PACKAGE [cargo tree options]
linked() {
    local package="$1"; shift
    cargo tree --locked -p "$package" -e normal --prefix none --format '{p}' "$@" | cut -d ' ' -f 1 | sort -u
}

# Those of the crates on standard input that match $1.
among() { grep -xE "$1" | tr '\n' ' ' || true; }

field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" "$2" | head -n 1; }

pure=0
for manifest in crates/*/Cargo.toml; do
    name="$(field name "$manifest")"
    kind="$(field description "$manifest")"; kind="${kind%%:*}"
    rank="$(rank_of "$name")"
    case "$kind" in
        PURE | FFI | IO | DEV) ;;
        *) fail "$manifest: the description must begin with PURE:, FFI:, IO: or DEV:" ;;
    esac
    if [ "$rank" = none ]; then fail "$name has no rank: give it one in scripts/check-graph.sh"; continue; fi
    grep -A 1 '^\[lints\]' "$manifest" | grep -q '^workspace = true' || fail "$manifest: [lints] workspace = true is missing"

    if [ "$kind" = PURE ]; then
        pure=$((pure + 1))
        tree="$(linked "$name" --target all --all-features)"
        found="$(grep -vxE "$(allowed_in "$name")" <<<"$tree" | among "$IMPURE")"
        [ -z "$found" ] || fail "$name is pure, yet it links: $found"
        [ -f "${manifest%Cargo.toml}clippy.toml" ] || fail "$name is pure, yet it has no clippy.toml to hold it to that"
    fi

    # One kind of edge is enough to look at: what is linked. Tests may use sim and crates above.
    tree="$(linked "$name" --target all --all-features --depth 1)"
    while read -r below; do
        [ "$below" != "$name" ] || continue
        lower="$(rank_of "$below")"
        if [ "$lower" = none ] || [ "$lower" -ge "$rank" ]; then fail "$name must not depend on $below"; fi
    done < <(grep '^yap-' <<<"$tree" || true)
done
[ "$pure" -gt 0 ] || fail "no crate is labelled PURE"

tree="$(linked yap-node --target all)"
found="$(among "$TEST_ONLY" <<<"$tree")"
[ -z "$found" ] || fail "yap-node links what is for tests only: $found"

[ "$failed" = 0 ] || exit 1
echo "graph: $pure pure, dependencies point down, no test code in yap-node"
