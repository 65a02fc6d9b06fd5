#!/usr/bin/env bash
# Builds yap and starts a node: zero configuration, stopped by Ctrl-C, and the next start goes on where it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "run: building yap (the first build takes some minutes: it includes Bitcoin Core's script engine)"
cargo build --release --locked -p yap-node --bin yap
# The program itself takes the place of this script, so that Ctrl-C and its exit code are the program's.
exec "${CARGO_TARGET_DIR:-target}/release/yap" up
