#!/bin/sh
# Looks at the page of a running server in a real browser.
#
# usage: tests/page/run.sh MODEL ROLLUP
#
# EBB_SERVE names the server's binary, by default the release build. Screenshots go to target/page/shots.
# tests/browser.sh installs what is missing.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: tests/page/run.sh MODEL ROLLUP" >&2
    exit 64
fi

root=$(cd "$(dirname "$0")/../.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
. "$root/tests/browser.sh"

export EBB_SERVE="${EBB_SERVE:-$target/release/ebb-serve}"
exec node "$root/tests/page/check.mjs" "$target/page" "$1" "$2"
