#!/bin/sh
# Looks at report pages in a real browser.
#
# usage: tests/report/run.sh {REPORT.html | BUNDLE}...
#
# Screenshots and a printed copy go to target/report/shots. Installs
# playwright-core below target/ and, where there is none, Debian's chromium.
set -eu

if [ $# -eq 0 ]; then
    echo "usage: tests/report/run.sh {REPORT.html | BUNDLE}..." >&2
    exit 64
fi

root=$(cd "$(dirname "$0")/../.." && pwd)
work="${CARGO_TARGET_DIR:-$root/target}/report"
version=1.65.1
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

for report in "$@"; do
    shift
    if [ -d "$report" ]; then report="$report/report.html"; fi
    set -- "$@" "$report"
done
export CHROMIUM PLAYWRIGHT_CORE="$core"
exec node "$root/tests/report/check.mjs" "$work/shots" "$@"
