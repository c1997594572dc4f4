#!/usr/bin/env bash
# Calls ebb-serve with independent clients: Python's grpcio with stubs from the proto, NVIDIA's tritonclient, curl, and
# buf curl, which gets the protocol by reflection alone. The protocol must not break for clients of the last release.
#
#   tests/interop/run.sh MODEL_DIR [ROLLUP]
#
# Needs python3 and npm; downloads stay below the target folder. EBB_SERVE names the server's binary, by default the
# release build, which is built when it is missing.
set -euo pipefail

model=$(realpath "${1:?usage: run.sh MODEL_DIR [ROLLUP]}")
rollup=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
work=$target/interop
server=${EBB_SERVE:-$target/release/ebb-serve}
mkdir -p "$work/stubs"

if [ ! -x "$server" ]; then cargo build --release --bin ebb-serve; fi
if [ ! -x "$work/venv/bin/python" ]; then python3 -m venv "$work/venv"; fi
# tritonclient needs this version of protobuf, and so do the others.
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'grpcio==1.81.*' 'grpcio-tools==1.81.*' \
    'grpcio-health-checking==1.81.*' 'grpcio-status==1.81.*' 'protobuf<7' 'tritonclient[grpc]>=2.50'
if [ ! -x "$work/npm/node_modules/.bin/buf" ]; then npm install --silent --prefix "$work/npm" @bufbuild/buf; fi
buf=$(realpath "$work/npm/node_modules/.bin/buf")
"$work/venv/bin/python" -m grpc_tools.protoc -I proto --python_out="$work/stubs" --grpc_python_out="$work/stubs" \
    proto/churn/v1/*.proto

export PYTHONPATH=$work/stubs
# The second server: API keys, a queue of one, and models to load, one of them damaged.
guarded=$work/guarded
rm -rf "$guarded"
mkdir -p "$guarded/models"
for name in live next damaged; do cp -r "$model" "$guarded/models/$name"; done
echo ' ' >>"$guarded/models/damaged/bundle.json"
for permission in score read manage; do
    "$server" --new-key "test" --permissions "$permission" >"$guarded/made"
    echo "$permission $(sed -n 2p "$guarded/made")" >>"$guarded/clients"
    sed -n 5p "$guarded/made" >>"$guarded/keys"
done
cat >"$guarded/ebb-serve.toml" <<END
model = "models/live"
models = "models"
api_keys_file = "keys"
listen = "127.0.0.1:0"
[limits]
queue_length = 1
compute_threads = 1
END
"$server" --config "$guarded/ebb-serve.toml" >"$guarded/log" 2>"$guarded/log.json" &
guarded_pid=$!

coproc SERVER { exec "$server" --model "$model" ${rollup:+--rollup "$rollup"} --listen 127.0.0.1:0; }
server_pid=$SERVER_PID
trap 'kill "$server_pid" "$guarded_pid" 2>/dev/null || true' EXIT
read -r listening <&"${SERVER[0]}"
address=${listening#listening on }
read -r ready <&"${SERVER[0]}"

transcript=$work/transcript.txt
{
    echo "\$ ebb-serve --model ... ${rollup:+--rollup ...}"
    echo "$ready" | sed "s| from [^,]*,|,|"
    echo
    echo "\$ python client.py"
    "$work/venv/bin/python" tests/interop/client.py "$address" "$work/history.json" || true
    echo
    echo "\$ python triton.py"
    "$work/venv/bin/python" tests/interop/triton.py "$address" || true
    echo
    echo "\$ python errors.py"
    until grep -q '^ready' "$guarded/log"; do kill -0 "$guarded_pid" && sleep 0.1; done
    "$work/venv/bin/python" tests/interop/errors.py "$address" "$(sed -n 's/^listening on //p' "$guarded/log")" \
        "$guarded/clients" "$guarded_pid" || true
    if wait "$guarded_pid"; then echo "ok the second server ends with exit code 0"; else echo "FAILED its exit code"; fi
    if grep -qF "$(cut -d' ' -f2 "$guarded/clients")" "$guarded"/log*; then
        echo "FAILED a key is in the log"
    else
        echo "ok no key is in the log"
    fi

    # check NAME PATTERN BUF_ARGUMENTS...: the answer, or the error, must match the pattern.
    check() {
        local name=$1 pattern=$2 answer
        shift 2
        echo
        echo "\$ buf $*" | sed "s|$address|HOST:PORT|" | cut -c1-300
        answer=$("$buf" "$@" 2>&1 || true)
        echo "$answer"
        if grep -qE -- "$pattern" <<<"$answer"; then echo "ok buf: $name"; else echo "FAILED buf: $name"; fi
    }
    url=http://$address
    call=(curl --protocol grpc --http2-prior-knowledge)
    check "the protocol passes buf lint" '^$' lint proto
    check "nothing breaks for clients of 0.2.0" '^$' breaking proto --against tests/interop/released/churn-v1-0.2.0.binpb
    check "reflection lists the services" 'churn.v1.ScoringService' "${call[@]}" --list-services "$url"
    check "health is SERVING" '"status": *"SERVING"' \
        "${call[@]}" -d '{"service":"churn.v1.ScoringService"}' "$url/grpc.health.v1.Health/Check"
    check "GetModel returns the version" '"version": *"[0-9a-f]{12}"' \
        "${call[@]}" -d '{"view":"MODEL_VIEW_BASIC"}' "$url/churn.v1.ModelService/GetModel"
    check "a history is scored" 'SCORE_STATUS_SCORED' "${call[@]}" -d "$(cat "$work/history.json")" \
        "$url/churn.v1.ScoringService/ScoreUser"
    # The pages show this model's answer to this call; the explained part alone takes a roll-up.
    if [ -n "$rollup" ]; then
        shown=$("$work/venv/bin/python" - docs/serving/call.md <<'PYTHON'
import json, sys
text = open(sys.argv[1]).read()
print(json.dumps(json.JSONDecoder().raw_decode(text, text.index('{\n  "score"'))[0], sort_keys=True))
PYTHON
        )
        answer=$("$buf" "${call[@]}" -d '{"subject": {"userId": "U000053"}, "reasonCount": 2}' \
            "$url/churn.v1.ScoringService/ScoreUser" 2>&1 | "$work/venv/bin/python" -c \
            'import json, sys; print(json.dumps(json.load(sys.stdin), sort_keys=True))' || true)
        echo
        echo "$answer"
        name="docs/serving/call.md shows the answer of the sample's model"
        if [ "$answer" = "$shown" ]; then echo "ok buf: $name"; else echo "FAILED buf: $name"; fi
    fi
    check "an error names its field" 'subject.history.days\[0\].count' \
        "${call[@]}" -d '{"as_of":"2011-06-01","subject":{"history":{"days":[{"day":"2011-05-01","kind":"visit"}]}}}' \
        "$url/churn.v1.ScoringService/ScoreUser"

    kill -TERM "$server_pid"
    if wait "$server_pid"; then echo; echo "ok the server ends with exit code 0"; else echo "FAILED the exit code"; fi
} >"$transcript"
cat "$transcript"

passed=$(grep -c '^ok ' "$transcript" || true)
failed=$(grep -c '^FAILED ' "$transcript" || true)
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -ge 55 ]
