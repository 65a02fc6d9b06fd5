#!/usr/bin/env bash
# Imports a chain that Bitcoin Core made and validated, and compares the coins that are left with what Core found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BLOCKS=vectors/regtest-160.blk
readonly EXPECTED=vectors/regtest-160.json
data_dir="${CARGO_TARGET_DIR:-target}/import"

yap() { cargo run --quiet --release --locked -p yap-node --bin yap -- --chain regtest --data-dir "$data_dir" "$@"; }

echo "import: building yap (the first build takes some minutes: it includes Bitcoin Core's script engine)"
cargo build --release --locked -p yap-node --bin yap

# Each run begins with an empty ledger.
rm -rf -- "$data_dir"
mkdir -p -- "$data_dir"
echo "import: yap --chain regtest --data-dir $data_dir import $BLOCKS"
yap import "$BLOCKS"
echo "import: yap --chain regtest --data-dir $data_dir utxo --muhash"
found="$(yap utxo --muhash)"
echo "$found"

# The file also holds the hash at earlier heights; the first of this name is the tip's.
expected="$(grep -o '"muhash": "[0-9a-f]\{64\}"' "$EXPECTED" | head -n 1 | grep -o '[0-9a-f]\{64\}')"
if grep -q "$expected" <<<"$found"; then
    echo "import: the same coins as Bitcoin Core ($EXPECTED)"
else
    echo "import: Bitcoin Core found other coins: MuHash $expected" >&2
    exit 1
fi
