#!/usr/bin/env bash
# Requests per second of ScoreUser beside an empty tonic echo with messages of the same sizes, in one run: the server
# on one core, h2load (Debian's nghttp2-client) on another, one connection with 1, 16 and 128 calls at a time.
#
#   benches/serve.sh MODEL_DIR [ROUNDS]
#
# Prints, for each form of subject and concurrency, the medians over the rounds and their ratio.
set -euo pipefail

model=$(realpath "${1:?usage: benches/serve.sh MODEL_DIR [ROUNDS]}")
rounds=${2:-3}
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --locked -p ebb -p ebb-benches --bin ebb-serve --bin serve_echo
work=$target/bench-serve
echo_server=$target/release/serve_echo

start() { # start COMMAND...: runs it on core 0 and leaves its process id in `started`.
    taskset -c 0 "$@" >"$work/server.log" &
    started=$!
}
mkdir -p "$work"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
wait_for() { until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do :; done; }
load() { # load PORT PATH BODY CONCURRENCY: requests per second.
    taskset -c 1 h2load --duration=4 --warm-up-time=1 --clients=1 --threads=1 --max-concurrent-streams="$4" \
        --data="$3" -H 'content-type: application/grpc' -H 'te: trailers' "http://127.0.0.1:$1$2" |
        sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p'
}
median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

start "$target/release/ebb-serve" --model "$model" --listen 127.0.0.1:50151
score=$started
wait_for 50151
until grep -q ^ready "$work/server.log"; do :; done
"$echo_server" requests --server http://127.0.0.1:50151 --out "$work" >"$work/sizes"

echo "| subject | request bytes | response bytes | concurrency | echo/s | ScoreUser/s | ratio |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
while read -r form request response; do
    start "$echo_server" echo --listen 127.0.0.1:50152 --response-bytes "$response"
    echo_pid=$started
    wait_for 50152
    for concurrency in 1 16 128; do
        : >"$work/echo.rates"
        : >"$work/score.rates"
        for _ in $(seq "$rounds"); do
            load 50152 /bench.Echo/Echo "$work/$form.echo" "$concurrency" >>"$work/echo.rates"
            load 50151 /churn.v1.ScoringService/ScoreUser "$work/$form.request" "$concurrency" >>"$work/score.rates"
        done
        empty=$(median <"$work/echo.rates")
        scored=$(median <"$work/score.rates")
        ratio=$(echo "$scored $empty" | awk '{ printf "%.2f", $1 / $2 }')
        echo "| $form | $request | $response | $concurrency | ${empty%.*} | ${scored%.*} | $ratio |"
    done
    kill "$echo_pid"
    wait "$echo_pid" 2>/dev/null || true
done <"$work/sizes"
kill "$score"
