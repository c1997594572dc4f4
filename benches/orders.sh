#!/usr/bin/env bash
# The fits of Pareto/NBD and gamma-gamma beside those of the Python package lifetimes 0.11.3, taking turns in one run, on
# the 23,570 customers of CDNOW. Ebb uses all processors and looks at 20,000 customers at most; lifetimes at all.
#
#   EBB_REAL_DATA=folder PYTHON=python3 benches/orders.sh [ROUNDS]
#
# Prints medians and ranges of the seconds that the two fits together took with the data in memory. Fails when Ebb's are
# not 20 times as fast. Needs numpy, pandas and lifetimes.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
log=${EBB_REAL_DATA:?the folder that datasets/fetch.sh downloads to}/cdnow/CDNOW_master.txt
cargo build --quiet --release --locked -p ebb-benches --bin fitters
"${PYTHON:-python3}" benches/orders.py "$target/release/fitters" "$log" "$target/bench/orders" "${1:-5}"
