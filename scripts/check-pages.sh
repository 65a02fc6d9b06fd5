#!/usr/bin/env bash
# Holds the pages to what they say: links lead somewhere, decision records are in their index, and a capability that is
# said to exist names a test that exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=0
fail() { echo "pages: $*" >&2; failed=1; }

pages=()
while IFS= read -r page; do pages+=("$page"); done < <(find . -name '*.md' -not -path './target/*' -not -path './.git/*' | sort)

# Targets of the links in a page, without anchors; addresses on the web are left alone. The template's are examples.
for page in "${pages[@]}"; do
    [ "$page" != ./docs/adr/0000-template.md ] || continue
    while IFS= read -r target; do
        [ -e "$(dirname "$page")/$target" ] || fail "$page links to $target, which is not there"
    done < <(grep -oE '\]\([^)]+\)' "$page" | sed -E 's/^\]\(//; s/\)$//; s/#.*//' | grep -vE '^(https?:|mailto:|$)' || true)
done

for record in docs/adr/[0-9]*.md; do
    name="${record##*/}"
    [ "$name" = 0000-template.md ] || grep -q "($name)" docs/adr/README.md || fail "docs/adr/README.md does not list $name"
done

# The pages tell people to type `make …`.
while IFS= read -r script; do
    [ -x "$script" ] || fail "the Makefile runs $script, which can't be executed"
done < <(grep -oE 'scripts/[a-z-]+\.sh' Makefile | sort -u)

# Rows are: | id | capability | state | command | test |
while IFS='|' read -r _ id _ state command test _; do
    id="${id// /}"
    case "$state" in
        *"not yet"*) continue ;;
        *yes* | *partly*) ;;
        *) fail "capability $id has no state" ;;
    esac
    grep -q '`' <<<"$command" || fail "capability $id names no command"
    names="$(grep -o '`[^`]*`' <<<"$test" | tr -d '`' || true)"
    [ -n "$names" ] || fail "capability $id names no test"
    for name in $names; do
        # Test functions have an underscore in their names; steps of the gate have none.
        case "$name" in
            *_*) grep -rqE "fn ${name##*::}\b" crates --include='*.rs' || fail "capability $id names the test $name, which is not there" ;;
        esac
    done
done < <(grep -E '^\| [A-Z][0-9]+ \|' docs/capabilities.md)

[ "$failed" = 0 ] || exit 1
echo "pages: ${#pages[@]} pages, links and names hold"
