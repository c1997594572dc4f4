#!/usr/bin/env bash
# A model with a value part, served: what grpcio reads must be the columns of `ebb-train score`, bit for bit, and tritonclient must
# read the same from tensors.
#
#   tests/interop/value.sh [CONFIG]
#
# CONFIG is a configuration with [value]; without one, the sample's with such a table. EBB_TRAIN and EBB_SERVE name the programs, by
# default the release builds. Needs the environment of run.sh, which makes it.
set -euo pipefail

config=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
work=$target/interop
train=${EBB_TRAIN:-$target/release/ebb-train}
server=${EBB_SERVE:-$target/release/ebb-serve}
value=$work/value
rm -rf "$value"
mkdir -p "$value"
if [ -z "$config" ]; then
    config=$value/ebb.toml
    sed "s|\"events.csv.gz\"|\"$PWD/datasets/shop/events.csv.gz\"|" datasets/shop/ebb.toml >"$config"
    if ! grep -q '^\[value\]' "$config"; then
        cat >>"$config" <<END

[value]
kinds = ["purchase", "return"]
horizon_days = 90
margin = 0.35
currency = "GBP"
END
    fi
fi
"$train" fit --quiet --config "$config" --out "$value/model"
"$train" score --quiet --model "$value/model" --config "$config" --out "$value/scores.csv"
"$train" rollup --quiet --config "$config" --out "$value/rollup"

coproc SERVER { exec "$server" --model "$value/model" --rollup "$value/rollup" --listen 127.0.0.1:0; }
server_pid=$SERVER_PID
trap 'kill "$server_pid" 2>/dev/null || true' EXIT
read -r listening <&"${SERVER[0]}"
address=${listening#listening on }
read -r _ <&"${SERVER[0]}"

export PYTHONPATH=$work/stubs
failed=0
"$work/venv/bin/python" tests/interop/value.py "$address" "$value/scores.csv" || failed=1
"$work/venv/bin/python" tests/interop/triton.py "$address" || failed=1
kill -TERM "$server_pid"
wait "$server_pid" || failed=1
exit "$failed"
