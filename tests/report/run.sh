#!/bin/sh
# Looks at report pages in a real browser.
#
# usage: tests/report/run.sh {REPORT.html | BUNDLE}...
#
# Screenshots and a printed copy go to target/report/shots. tests/browser.sh installs what is missing.
set -eu

if [ $# -eq 0 ]; then
    echo "usage: tests/report/run.sh {REPORT.html | BUNDLE}..." >&2
    exit 64
fi

root=$(cd "$(dirname "$0")/../.." && pwd)
work="${CARGO_TARGET_DIR:-$root/target}/report"
. "$root/tests/browser.sh"

for report in "$@"; do
    shift
    if [ -d "$report" ]; then report="$report/report.html"; fi
    set -- "$@" "$report"
done
exec node "$root/tests/report/check.mjs" "$work/shots" "$@"
