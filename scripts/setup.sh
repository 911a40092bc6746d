#!/usr/bin/env bash
# Sees to it that everything the build needs is here; silent and fast when nothing is missing.
#
# As root, or with sudo, missing Debian packages are installed. Otherwise the exact command is printed and the script fails.
# Python is only for the checks in `make test`: without it the build goes on, and scripts/python.sh says what is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# RocksDB's bindings are made from its C header while it is built: the library and the compiler's own headers are needed.
have_libclang() {
    local dir
    for dir in ${LIBCLANG_PATH:-} /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib64 /usr/lib /usr/local/lib; do
        compgen -G "$dir/libclang.so*" >/dev/null || compgen -G "$dir/libclang-*.so*" >/dev/null || continue
        return 0
    done
    return 1
}
have_clang_headers() {
    compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null ||
        compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null ||
        { [ -n "${LIBCLANG_PATH:-}" ] && compgen -G "$LIBCLANG_PATH/clang/*/include/stddef.h" >/dev/null; }
}
# A compiler without the C++ library or the C headers is found on machines too, so it has to compile something.
have_cxx() { have "${CXX:-c++}" && have cc && "${CXX:-c++}" -x c++ -fsyntax-only - <<<'#include <string>' 2>/dev/null; }
have_venv() { have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; }

missing=()
have_cxx || missing+=(g++)
have make || missing+=(make)
have git || missing+=(git)
{ have_libclang && have_clang_headers; } || missing+=(libclang-dev)
required=${#missing[@]}
have_venv || missing+=(python3 python3-venv)

as_root=()
can_install=no
if have apt-get; then
    if [ "$(id -u)" -eq 0 ]; then
        can_install=yes
    elif have sudo; then
        # Without a terminal nobody can type a password: then sudo must work without one.
        if [ -t 0 ]; then as_root=(sudo); else as_root=(sudo -n); fi
        if [ -t 0 ] || sudo -n true 2>/dev/null; then can_install=yes; fi
    fi
fi

install() {
    # No sudo is an empty array; the form below also works where bash takes an empty array for an unset one.
    # One source of packages that cannot be reached must not stop what the others have: the installation decides.
    ${as_root[@]+"${as_root[@]}"} apt-get update -qq </dev/null || true
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}

if [ ${#missing[@]} -gt 0 ]; then
    by_hand="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    if [ "$can_install" = yes ]; then
        echo "setup: installing ${missing[*]}" >&2
        if ! install "${missing[@]}"; then
            [ "$required" -eq 0 ] || die "the installation failed; run this as root, then try again:
    $by_hand"
            echo "setup: python3-venv could not be installed; the build goes on without it" >&2
        fi
    elif [ "$required" -gt 0 ]; then
        have apt-get || die "these are missing (Debian's names): ${missing[*]}; install them with this system's own packages"
        die "neither root nor sudo, so run this as root, then try again:
    $by_hand"
    else
        echo "setup: Python's venv is missing; for the checks in Python run as root: $by_hand" >&2
    fi
fi

# Rust comes from rustup, not from Debian, whose version is older than what the workspace states.
wanted=$(awk -F'"' '/^rust-version *=/ {print $2; exit}' Cargo.toml)
how="install Rust $wanted or newer with rustup (https://rustup.rs), or run 'rustup update stable', then try again"
{ have cargo && have rustc; } || die "cargo or rustc is not on the PATH; $how"
found=$(rustc --version 2>/dev/null | awk '{print $2}') || true
[ -n "$found" ] || die "rustc does not start; $how"
oldest=$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)
[ "$oldest" = "$wanted" ] || die "rustc is $found; $how"
for component in rustfmt clippy; do
    case $component in rustfmt) tool=cargo-fmt ;; clippy) tool=cargo-clippy ;; esac
    "$tool" --version >/dev/null 2>&1 && continue
    echo "setup: adding Rust's $component" >&2
    have rustup && rustup component add "$component" >&2 && continue
    die "$tool is missing; run 'rustup component add $component', then try again"
done
