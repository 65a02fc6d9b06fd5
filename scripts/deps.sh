#!/usr/bin/env bash
# Finds what the build lacks, and installs it where that can be done.
#
# usage: scripts/deps.sh [run|test|net]     (test, the default, needs more than run; net is run and tools for networks)
#
# Debian and its children: packages come by apt-get, as root or through sudo. Elsewhere the script names the packages
# and fails. Rust parts come by rustup, Cargo tools by `cargo install`. Silent and quick when nothing is missing.
# DEPS_DRY_RUN=1 says what would be installed, installs nothing, and fails if anything is missing.
# DEPS_SYSTEM=debian|fedora|suse|arch|alpine|macos|other: take this for the system instead of looking.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

goal="${1:-test}"
case "$goal" in
    run | test | net) ;;
    *) echo "usage: scripts/deps.sh [run|test|net]" >&2; exit 2 ;;
esac

# Any installed version will do; these are the versions that get installed.
readonly NEXTEST_VERSION=0.9.128
readonly DENY_VERSION=0.20.2
readonly WASM=wasm32-unknown-unknown

say() { echo "deps: $*"; }
die() { echo "deps: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
dry() { [ "${DEPS_DRY_RUN:-0}" = 1 ]; }

missing=()   # what the system lacks: cmake, c++, boost, clang, python, pip, ip, nft, miniupnpd
pending=0    # parts that a dry run left out

# --- what is missing -------------------------------------------------------------------------------------------------

# Homebrew's headers are not on the compiler's own path; CMake finds them by itself.
brew_include() {
    case "$(uname -s)" in Darwin) echo "-I/opt/homebrew/include -I/usr/local/include" ;; esac
}

compiler_speaks_cxx20() {
    echo 'static_assert(__cplusplus >= 202002L);' \
        | "${CXX:-c++}" -std=c++20 -fsyntax-only -x c++ - >/dev/null 2>&1
}

boost_is_recent() {
    # shellcheck disable=SC2046 # two words on purpose
    printf '#include <boost/version.hpp>\n#if BOOST_VERSION < 107400\n#error too old\n#endif\n' \
        | "${CXX:-c++}" $(brew_include) -E -x c++ - >/dev/null 2>&1
}

# Apple's clang has no WebAssembly target, so having a clang is not enough.
clang_has_wasm() {
    "${CC_wasm32_unknown_unknown:-clang}" --print-targets 2>/dev/null | grep -q wasm32
}

# Tools of administrators need not be on the PATH of others.
has_admin() { has "$1" || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

find_missing() {
    missing=()
    has cmake || missing+=(cmake)
    compiler_speaks_cxx20 || missing+=(c++)
    boost_is_recent || missing+=(boost)
    if [ "$goal" = test ]; then
        clang_has_wasm || missing+=(clang)
        # For a client of Bitcoin Core that is tried out; pip fetches it.
        has python3 || missing+=(python)
        python3 -m pip --version >/dev/null 2>&1 || missing+=(pip)
    fi
    if [ "$goal" = net ]; then
        has_admin ip || missing+=(ip)
        has_admin nft || missing+=(nft)
        has_admin miniupnpd || missing+=(miniupnpd)
    fi
}

# --- system packages -------------------------------------------------------------------------------------------------

# The package that holds one missing part: package_of SYSTEM PART
package_of() {
    case "$1/$2" in
        */cmake) echo cmake ;;
        debian/c++) echo g++ ;;
        debian/boost) echo libboost-dev ;;
        fedora/c++) echo gcc-c++ ;;
        fedora/boost | suse/boost) echo boost-devel ;;
        suse/c++) echo gcc-c++ ;;
        arch/c++) echo gcc ;;
        arch/boost) echo boost ;;
        alpine/c++) echo g++ ;;
        alpine/boost) echo boost-dev ;;
        macos/c++) echo llvm ;;
        macos/boost) echo boost ;;
        macos/clang) echo llvm ;;
        */clang) echo clang ;;
        arch/python | macos/python | macos/pip) echo python ;;
        */python) echo python3 ;;
        arch/pip) echo python-pip ;;
        alpine/pip) echo py3-pip ;;
        */pip) echo python3-pip ;;
        fedora/ip) echo iproute ;;
        */ip) echo iproute2 ;;
        */nft) echo nftables ;;
        debian/miniupnpd | alpine/miniupnpd) echo miniupnpd-nftables ;;
        *) echo "$2" ;;
    esac
}

system() {
    local like=""
    if [ -n "${DEPS_SYSTEM:-}" ]; then echo "$DEPS_SYSTEM"; return; fi
    case "$(uname -s)" in
        Darwin) echo macos; return ;;
        Linux) ;;
        *) echo other; return ;;
    esac
    # shellcheck source=/dev/null
    if [ -r /etc/os-release ]; then like="$(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}")"; fi
    case " $like " in
        *" debian "* | *" ubuntu "*) echo debian ;;
        *" fedora "* | *" rhel "*) echo fedora ;;
        *" arch "*) echo arch ;;
        *" alpine "*) echo alpine ;;
        *suse*) echo suse ;;
        *) echo other ;;
    esac
}

install_command() {
    case "$1" in
        fedora) echo "dnf install" ;;
        suse) echo "zypper install" ;;
        arch) echo "pacman -S" ;;
        alpine) echo "apk add" ;;
        macos) echo "brew install" ;;
    esac
}

apt() {
    local -a sudo=()
    if [ "$(id -u)" != 0 ]; then
        has sudo || die "not root and no sudo here; as root run: apt-get install $*"
        sudo=(sudo)
        # Nobody can type a password where there is no terminal.
        [ -t 0 ] || sudo=(sudo -n)
    fi
    # Without a terminal, a question from a package would wait for ever.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null \
        || say "apt-get update failed; going on with the package lists that are here"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null \
        || die "apt-get could not install: $*"
}

install_packages() {
    local here part
    local -a packages=()
    here="$(system)"
    for part in "${missing[@]}"; do packages+=("$(package_of "$here" "$part")"); done
    say "missing: ${missing[*]}"
    case "$here" in
        debian)
            if dry; then say "would run: apt-get install ${packages[*]}"; pending=1; return; fi
            has apt-get || die "no apt-get here; install these yourself: ${packages[*]}"
            say "installing with apt-get: ${packages[*]}"
            apt "${packages[@]}"
            ;;
        macos)
            [ "$goal" != net ] || die "networks are made of Linux's namespaces: run make test-net on Linux"
            ;;&
        other)
            die "this system is not known here; install CMake >= 3.22, a C++20 compiler, Boost headers >= 1.74" \
                "and (for tests) clang with its wasm32 target and Python 3 with pip"
            ;;
        *)
            [ "$here" != macos ] || [[ " ${missing[*]} " != *" clang "* ]] \
                || say "after installing llvm, set CC_wasm32_unknown_unknown=\"\$(brew --prefix llvm)/bin/clang\""
            die "install them and try again: $(install_command "$here") ${packages[*]}"
            ;;
    esac
    find_missing
    [ ${#missing[@]} = 0 ] || die "still missing after installing ${packages[*]}: ${missing[*]}" \
        "(too old? needed: CMake >= 3.22, C++20, Boost >= 1.74)"
}

# --- Rust ------------------------------------------------------------------------------------------------------------

# Fails if version $1 is below version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

check_rust() {
    local have want
    has cargo || die "cargo is missing; install Rust from https://rustup.rs"
    want="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"
    have="$(rustc --version | cut -d ' ' -f 2)" || die "rustc does not run; install Rust from https://rustup.rs"
    at_least "${have%%-*}" "$want" || die "Rust $want or later is needed, this is $have; see https://rustup.rs"
}

# Adds a part of the Rust toolchain: rustup_add component|target NAME
rustup_add() {
    say "missing: Rust $1 $2"
    if dry; then say "would run: rustup $1 add $2"; pending=1; return; fi
    has rustup || die "no rustup here; install the $1 $2 of your Rust toolchain yourself"
    rustup "$1" add "$2"
}

# Builds a Cargo tool: cargo_tool NAME VERSION [cargo install options]
cargo_tool() {
    if has "$1"; then return; fi
    say "missing: $1"
    if dry; then say "would run: cargo install --locked $1 --version $2 ${*:3}"; pending=1; return; fi
    say "building $1 $2 with cargo install; this takes some minutes, once"
    cargo install --locked "$1" --version "$2" "${@:3}" || die "could not build $1, and the gate does not run without it"
    # Cargo finds its own tools there even when PATH lacks the folder; this script looks at PATH alone.
    has "$1" || [ -x "${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin/$1" ] || die "$1 was built but is not found"
}

# A disk that fills up shows as a linker that was killed. Gigabytes that a first build takes, and some to spare.
check_disk() {
    local target="${CARGO_TARGET_DIR:-target}" profile=release needed=3 free
    if [ "$goal" != run ]; then profile=debug needed=8; fi
    if dry || [ -d "$target/$profile" ]; then return; fi
    mkdir -p "$target"
    free="$(df -Pk "$target" | awk 'NR == 2 { print int($4 / 1048576) }')"
    [ "$free" -ge "$needed" ] || say "$free GB are free where $target is, and this build takes up to $needed;" \
        "make room, or set CARGO_TARGET_DIR to a folder on another disk"
}

add_test_tools() {
    local toolchain
    # Rustup puts proxies on PATH for parts that are not there, so look in the toolchain itself.
    toolchain="$(rustc --print sysroot)"
    [ -x "$toolchain/bin/rustfmt" ] || rustup_add component rustfmt
    [ -x "$toolchain/bin/cargo-clippy" ] || rustup_add component clippy
    [ -d "$toolchain/lib/rustlib/$WASM" ] || rustup_add target "$WASM"
    # Without the part that updates the tool itself: less to build.
    cargo_tool cargo-nextest "$NEXTEST_VERSION" --no-default-features --features default-no-update
    cargo_tool cargo-deny "$DENY_VERSION"
}

# The folder where `cargo install` puts tools need not be on PATH.
PATH="$PATH:${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin"

check_rust
check_disk
find_missing
[ ${#missing[@]} = 0 ] || install_packages
if [ "$goal" = test ]; then add_test_tools; fi
if [ "$pending" = 1 ]; then die "dry run: parts are missing, nothing was installed"; fi
