#!/usr/bin/env bash
# The logistic fit and k-means beside scikit-learn's, taking turns in one run, both with all processors.
#
#   PYTHON=python3 benches/fitters.sh [ROUNDS [PART_OF_A_CASE'S_NAME]]
#
# Makes the data (raw little-endian numbers, 2 GB) in the target folder, and prints a line for each solver: medians of
# the rounds for the seconds that the fit alone took with the data in memory, the least of them, medians for those of the
# whole process and those of all processors together, the peak of resident memory and what of it came on top of what was there before the fit; then how
# far the objective ends above the lowest one (k-means: the mean inertia above ours); then ours over the solver's, for
# the seconds of the fit (median, least) and the peak.
# Fails when an objective ends more than 1e-8 above the lowest, or our inertia above a peer's.
# Needs numpy and scikit-learn.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --locked -p ebb-benches --bin fitters
"${PYTHON:-python3}" benches/fitters.py "$target/release/fitters" "$target/bench/fitters" "${1:-3}" "${2:-}"
