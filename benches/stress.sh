#!/usr/bin/env bash
# Puts ebb-serve under stress, one promise after another, and says which were kept: benches/src/bin/stress/main.rs.
#
#   benches/stress.sh [short|long] [MODEL_DIR]
#
# `short` (the default) takes some two minutes and shows that everything works; `long` gives the figures for RESULTS.md
# and starts the server with a million known users. The server runs on core 0, the client on core 1. EBB_SERVE and
# EBB_TRAIN name the programs, by default the release builds; SKIP_BUILD takes those of the target folder as they are. Exit code 1 when a promise was broken.
set -euo pipefail

length=${1:-short}
cd "$(dirname "$0")/.."
model=${2:-models/shop}
target=${CARGO_TARGET_DIR:-target}
work=$target/stress-work
case $length in
short) swap=6 swaps=12 bad=4 overload=5 drain=6 useless=200 watch=3 memory=8 users=20000 events=400000 ;;
long) swap=60 swaps=120 bad=30 overload=60 drain=30 useless=1000 watch=10 memory=30 users=1000000 events=20000000 ;;
*) echo "usage: benches/stress.sh [short|long] [MODEL_DIR]" >&2; exit 64 ;;
esac

if [ -z "${SKIP_BUILD:-}" ]; then
    cargo build --quiet --release --locked -p ebb -p ebb-benches --bin ebb-train --bin ebb-serve --bin bulk --bin stress
fi
train=${EBB_TRAIN:-$target/release/ebb-train}
# Thousands of connections are opened here, each of them a descriptor.
ulimit -n 8192
mkdir -p "$work"
rollup=$work/rollup-$users
if [ ! -d "$rollup" ]; then
    "$target/release/bulk" "$events" --users "$users" --out "$work/log" >&2
    "$train" rollup --quiet --config "$work/log/ebb.toml" --out "$rollup" >&2
    rm -r "$work/log"
fi

broken=()
stress() { # stress NAME OPTIONS...
    echo
    echo "== $*"
    if ! taskset -c 1 "$target/release/stress" --model "$model" --work "$work" --server-cpu 0 \
        ${EBB_SERVE:+--server "$EBB_SERVE"} "$@"; then
        broken+=("$*")
    fi
}
stress swap --seconds "$swap" --swaps "$swaps"
stress bad-bundles --seconds "$bad"
stress overload --seconds "$overload" --form packed
stress overload --seconds "$overload" --form ids --rollup "$rollup"
stress drain --seconds "$drain"
stress connections --useless "$useless" --seconds "$watch"
stress memory --seconds "$memory"
stress start --rollup "$rollup"

echo
if [ ${#broken[@]} -gt 0 ]; then
    printf 'BROKEN: %s\n' "${broken[@]}"
    exit 1
fi
echo "all promises were kept"
