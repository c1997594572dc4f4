#!/usr/bin/env bash
# ebb-serve beside the server that one would build in Python (serve_peer.py: grpcio, scikit-learn, the same model): the
# server on one core, the client on another, the same requests to both.
#
#   benches/serve_peers.sh MODEL_DIR [ROUNDS [SECONDS]]
#
# Prints Markdown: ScoreUser a second with 1, 16 and 128 calls at a time over one connection; latencies at a steady rate;
# and users a second in batches of 1,000 as packed features and as a raw tensor. Medians over the rounds. Needs h2load
# (Debian's nghttp2-client) and python3; Python's packages stay under the target folder, unless PEER_PYTHON names a
# Python that has numpy, scipy, scikit-learn, grpcio and grpcio-tools. EBB_SERVE names the server's binary.
set -euo pipefail

model=$(realpath "${1:?usage: benches/serve_peers.sh MODEL_DIR [ROUNDS [SECONDS]]}")
rounds=${2:-3}
seconds=${3:-4}
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
work=$target/serve-peers
ebb=${EBB_SERVE:-$target/release/ebb-serve}
stress=$target/release/stress
mkdir -p "$work/stubs"
if [ -z "${SKIP_BUILD:-}" ]; then
    cargo build --quiet --release --locked -p ebb -p ebb-benches --bin ebb-serve --bin stress
fi
python=${PEER_PYTHON:-$work/venv/bin/python}
if [ -z "${PEER_PYTHON:-}" ]; then
    [ -x "$python" ] || python3 -m venv "$work/venv"
    "$python" -m pip install --quiet --disable-pip-version-check numpy scipy scikit-learn 'grpcio>=1.60' 'grpcio-tools>=1.60'
fi
"$python" -m grpc_tools.protoc -I proto --python_out="$work/stubs" --grpc_python_out="$work/stubs" \
    proto/churn/v1/*.proto proto/inference/*.proto
# One core: more threads inside numpy would only take turns.
export PYTHONPATH=$work/stubs OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
start() { # start NAME COMMAND...: runs it on core 0 and leaves its HOST:PORT in the variable NAME.
    local name=$1 log=$work/$1.log
    shift
    : >"$log"
    taskset -c 0 "$@" >"$log" &
    until grep -q '^listening on' "$log"; do
        if ! kill -0 $! 2>/dev/null; then echo "$1 did not start" >&2; exit 1; fi
        sleep 0.05
    done
    printf -v "$name" '%s' "$(sed -n 's/^listening on //p' "$log")"
}
start ebb_at "$ebb" --model "$model" --listen 127.0.0.1:0
until grep -q '^ready' "$work/ebb_at.log"; do sleep 0.05; done
start peer_at "$python" benches/serve_peer.py serve "$model" --listen 127.0.0.1:0
"$python" benches/serve_peer.py check "$model" "$ebb_at" "$peer_at" >&2
"$stress" --model "$model" bodies --out "$work" >"$work/sizes"

score=/churn.v1.ScoringService/ScoreUser
batch=/churn.v1.ScoringService/BatchScoreUsers
infer=/inference.GRPCInferenceService/ModelInfer
steady() { # steady ADDRESS PATH FORM RATE SECONDS: p50 and p99 in ms, an answer's bytes; fails when a call does.
    taskset -c 1 "$stress" latency --address "$1" --path "$2" --body "$work/$3.request" --rate "$4" --seconds "$5" --bare
}
# h2load takes a gRPC error for an answer like any other: errors are told by the bytes that come back for each call. Its
# count of bytes and that of calls begin and end a few calls apart, so a tenth may be missing.
load() { # load ADDRESS PATH FORM CONCURRENCY BYTES: calls a second, answered with about so many bytes each.
    local report done traffic
    report=$(taskset -c 1 h2load --duration="$seconds" --warm-up-time=1 --clients=1 --threads=1 --max-concurrent-streams="$4" \
        --data="$work/$3.request" -H 'content-type: application/grpc' -H 'te: trailers' "http://$1$2")
    done=$(sed -n 's/^requests: .* started, \([0-9]*\) done.*/\1/p' <<<"$report")
    traffic=$(sed -n 's/^traffic: [^(]*(\([0-9]*\)) total.*/\1/p' <<<"$report")
    if [ "$done" = 0 ] || [ "$((traffic / done))" -lt "$(($5 * 9 / 10))" ]; then
        echo "$1$2: $done calls were answered with $traffic bytes, fewer than $5 each: some failed" >&2
        exit 1
    fi
    sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p' <<<"$report"
}
bytes() { # bytes ADDRESS PATH FORM: of an answer; 0 when the server has no such call.
    local figures
    if figures=$(steady "$1" "$2" "$3" 10 0.3); then echo "${figures##* }"; else echo 0; fi
}
median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
both() { # both PATH FORM CONCURRENCY: leaves the medians in `mine` and `other`; 0 where the server has no such call.
    : >"$work/ebb.rates"
    : >"$work/peer.rates"
    local mine_bytes other_bytes
    mine_bytes=$(bytes "$ebb_at" "$1" "$2")
    other_bytes=$(bytes "$peer_at" "$1" "$2")
    for _ in $(seq "$rounds"); do
        if [ "$mine_bytes" = 0 ]; then echo 0; else load "$ebb_at" "$1" "$2" "$3" "$mine_bytes"; fi >>"$work/ebb.rates"
        if [ "$other_bytes" = 0 ]; then echo 0; else load "$peer_at" "$1" "$2" "$3" "$other_bytes"; fi >>"$work/peer.rates"
    done
    mine=$(median <"$work/ebb.rates")
    other=$(median <"$work/peer.rates")
}

echo "| ScoreUser at a time | ebb-serve/s | Python/s | times as many |"
echo "| --- | --- | --- | --- |"
for concurrency in 1 16 128; do
    both $score one "$concurrency"
    echo "| $concurrency | ${mine%.*} | ${other%.*} | $(calc %.1f "$mine / $other") |"
    if [ "$concurrency" = 16 ]; then peak_mine=$mine peak_other=$other; fi
done

echo
echo "| server | calls a second | p50 ms | p99 ms |"
echo "| --- | --- | --- | --- |"
half() { # half NAME ADDRESS RATE LABEL
    local figures p50 p99
    figures=$(steady "$2" $score one "$3" "$seconds")
    read -r p50 p99 _ <<<"$figures"
    echo "| $1 | $(calc %.0f "$3"), $4 | $p50 | $p99 |"
}
half_mine=$(calc %.0f "$peak_mine / 2")
half_other=$(calc %.0f "$peak_other / 2")
half Python "$peer_at" "$half_other" "half of what it can do"
half ebb-serve "$ebb_at" "$half_other" "the same"
half ebb-serve "$ebb_at" "$half_mine" "half of what it can do"

echo
echo "| 1,000 users a call | request bytes | ebb-serve, users/s | Python, users/s | times as many |"
echo "| --- | --- | --- | --- | --- |"
row() { # row LABEL PATH FORM
    # One call at a time, to both servers: on one core ebb-serve refuses a good part of four such calls at a time, as its
    # queue is there to do, and calls that are refused are no throughput.
    both "$2" "$3" 1
    local ratio="not there yet"
    if [ "$mine" != 0 ] && [ "$other" != 0 ]; then ratio=$(calc %.1f "$mine / $other"); fi
    echo "| $1 | $(sed -n "s/^$3 //p" "$work/sizes") | $(calc %.0f "$mine * 1000") | $(calc %.0f "$other * 1000") | $ratio |"
}
row "BatchScoreUsers, packed, three reasons (Python: none)" $batch batch
row "BatchScoreUsers, packed, no reasons" $batch plain
row "ModelInfer, raw FP64" $infer infer
