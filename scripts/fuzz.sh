#!/usr/bin/env bash
# Runs every libFuzzer program in fuzz/ for FUZZ_SECONDS each (60), from valid inputs on.
#
# usage: scripts/fuzz.sh [TARGET…]      without targets: all of them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "fuzz: $*" >&2; exit 1; }

PATH="$PATH:${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin"
command -v cargo-fuzz >/dev/null || die "cargo-fuzz is missing; run: cargo install --locked cargo-fuzz"
cargo +nightly --version >/dev/null 2>&1 || die "libFuzzer needs a nightly toolchain; run: rustup toolchain install nightly"

targets=("$@")
if [ $# = 0 ]; then
    for program in fuzz/fuzz_targets/*.rs; do name="${program##*/}"; targets+=("${name%.rs}"); done
fi

cargo run --locked -p yap-sim --example corpus -- fuzz/corpus
for target in "${targets[@]}"; do
    echo "== $target for ${FUZZ_SECONDS:-60} s"
    cargo +nightly fuzz run "$target" -- -max_total_time="${FUZZ_SECONDS:-60}"
done
