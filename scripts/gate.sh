#!/usr/bin/env bash
# The gate: every check that a change must pass, cheap ones first. Stops at the first that fails.
#
# usage: scripts/gate.sh [STEP…]        without steps: all of them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly STEPS=(format pages graph licences wasm clippy tests doctests docs)
# Steps that compile natively share one feature set, so that nothing is built twice.
readonly WORKSPACE=(--workspace --all-features --locked)
PATH="$PATH:${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin"

about() {
    case "$1" in
        format) echo "source is formatted" ;;
        pages) echo "links and test names in the pages hold" ;;
        graph) echo "dependencies point down, pure crates stay pure" ;;
        licences) echo "licences, sources and duplicates of dependencies" ;;
        wasm) echo "pure crates build for wasm32-unknown-unknown" ;;
        clippy) echo "no warning from clippy" ;;
        tests) echo "unit, vector, property and end-to-end tests" ;;
        doctests) echo "examples in the documentation" ;;
        docs) echo "documentation builds without warnings" ;;
        *) return 1 ;;
    esac
}

pure_packages() {
    local manifest
    for manifest in crates/*/Cargo.toml; do
        if grep -q '^description = "PURE:' "$manifest"; then sed -n 's/^name = "\(yap-.*\)"/-p \1/p' "$manifest"; fi
    done
}

step_format() { cargo fmt --all --check; }
step_pages() { scripts/check-pages.sh; }
step_graph() { scripts/check-graph.sh; }
step_licences() { cargo deny --workspace --all-features --locked check --hide-inclusion-graph bans licenses sources; }
step_wasm() {
    # libsecp256k1 is C: the host's own compiler cannot make WebAssembly, clang can.
    # shellcheck disable=SC2046 # each word is an argument
    CC_wasm32_unknown_unknown="${CC_wasm32_unknown_unknown:-clang}" \
        cargo check --locked --target wasm32-unknown-unknown $(pure_packages)
}
step_clippy() { cargo clippy "${WORKSPACE[@]}" --all-targets -- -D warnings; }
step_tests() { cargo nextest run "${WORKSPACE[@]}" --profile "${NEXTEST_PROFILE:-ci}"; }
step_doctests() { cargo test "${WORKSPACE[@]}" --doc; }
step_docs() { RUSTDOCFLAGS=-Dwarnings cargo doc "${WORKSPACE[@]}" --no-deps; }

steps=("$@")
[ $# -gt 0 ] || steps=("${STEPS[@]}")
for step in "${steps[@]}"; do
    about "$step" >/dev/null || { echo "gate: no step named '$step'; steps: ${STEPS[*]}" >&2; exit 2; }
done

if [ -z "${YAP_TEST_DATA:-}" ] && [[ " ${steps[*]} " == *" tests "* ]]; then
    echo "gate: YAP_TEST_DATA is not set; tests that need larger chains will say so and pass over"
fi

number=0
for step in "${steps[@]}"; do
    number=$((number + 1))
    echo "== $number/${#steps[@]} $step: $(about "$step")"
    begun=$SECONDS
    # Not in a condition: there `set -e` would not hold inside the step.
    trap 'echo "== $step FAILED after $((SECONDS - begun)) s" >&2' EXIT
    "step_$step"
    trap - EXIT
    echo "== $step passed in $((SECONDS - begun)) s"
done
echo "== all passed in $SECONDS s"
