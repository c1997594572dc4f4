#!/bin/sh
# Looks at the page of a running server in a real browser.
#
# usage: tests/page/run.sh MODEL ROLLUP
#
# EBB_SERVE names the server's binary, by default the release build. Screenshots go to target/page/shots. Installs
# playwright-core below target/ and, where there is none, Debian's chromium.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: tests/page/run.sh MODEL ROLLUP" >&2
    exit 64
fi

root=$(cd "$(dirname "$0")/../.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
version=1.65.1
# The report's tests install the same.
work="$target/report"
mkdir -p "$work"

if ! [ -x "${CHROMIUM:=/usr/bin/chromium}" ]; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
fi
core="$work/node_modules/playwright-core"
if ! grep -qs "\"version\": \"$version\"" "$core/package.json"; then
    npm install --silent --no-save --no-audit --no-fund --prefix "$work" "playwright-core@$version"
fi

export CHROMIUM PLAYWRIGHT_CORE="$core" EBB_SERVE="${EBB_SERVE:-$target/release/ebb-serve}"
exec node "$root/tests/page/check.mjs" "$target/page" "$1" "$2"
