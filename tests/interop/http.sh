#!/usr/bin/env bash
# Asks ebb-serve over HTTP with clients nobody here wrote: curl, a browser's fetch, protobuf's own JSON mapping for Python;
# openapi-spec-validator and schemathesis, which reads the description of the interface and tries what it allows and forbids.
#
#   tests/interop/http.sh MODEL_DIR ROLLUP
#
# Needs python3, npm and chromium; downloads stay below the target folder. EBB_SERVE names the server's binary, by default
# the release build. SCHEMATHESIS_SECONDS bounds schemathesis, 40 by default.
set -euo pipefail

model=$(realpath "${1:?usage: http.sh MODEL_DIR ROLLUP}")
rollup=$(realpath "${2:?usage: http.sh MODEL_DIR ROLLUP}")
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-target}
work=$target/interop
server=${EBB_SERVE:-$target/release/ebb-serve}
mkdir -p "$work/stubs"

if [ ! -x "$work/venv/bin/python" ]; then python3 -m venv "$work/venv"; fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'grpcio==1.81.*' 'grpcio-tools==1.81.*' \
    'grpcio-health-checking==1.81.*' 'grpcio-status==1.81.*' 'protobuf<7'
"$work/venv/bin/python" -m grpc_tools.protoc -I proto --python_out="$work/stubs" --grpc_python_out="$work/stubs" \
    proto/churn/v1/*.proto
if [ ! -x "$work/http-venv/bin/python" ]; then python3 -m venv "$work/http-venv"; fi
"$work/http-venv/bin/pip" install --quiet --disable-pip-version-check 'schemathesis==4.32.*' 'openapi-spec-validator==0.*'
. "$root/tests/browser.sh"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
allowed=$(free_port)
other=$(free_port)
cat >"$work/http.toml" <<END
model = "$model"
rollup = "$rollup"
listen = "127.0.0.1:0"
[http]
listen = "127.0.0.1:0"
allow_origins = ["http://localhost:$allowed"]
END
# Emptied first: the lines of an earlier run would name its ports.
: >"$work/http.out"
"$server" --config "$work/http.toml" >"$work/http.out" 2>"$work/http.log" &
server_pid=$!
trap 'kill "$server_pid" 2>/dev/null || true' EXIT
until grep -q '^ready' "$work/http.out"; do kill -0 "$server_pid" && sleep 0.1; done
grpc=$(sed -n 's/^listening on //p' "$work/http.out")
http=$(sed -n 's/^answering HTTP on //p' "$work/http.out")

transcript=$work/http-transcript.txt
{
    # check NAME PATTERN CURL_ARGUMENTS...: head and body of the answer must match the pattern.
    check() {
        local name=$1 pattern=$2 answer
        shift 2
        echo
        echo "\$ curl $*" | sed "s|$http|HOST:PORT|" | cut -c1-200
        answer=$(curl --silent --include --max-time 20 "$@" | tr -d '\r' || true)
        echo "$answer" | cut -c1-600
        if grep -qE -- "$pattern" <<<"$answer"; then echo "ok curl: $name"; else echo "FAILED curl: $name"; fi
    }
    url=http://$http
    json=(--header 'Content-Type: application/json')
    check "a known user is scored" '"status":"SCORE_STATUS_SCORED"' "${json[@]}" -d '{"subject": {"userId": "U000053"}}' "$url/v1/score"
    check "a batch is scored" '"results":\[' "${json[@]}" -d '{"subjects": [{"userId": "U000053"}]}' "$url/v1/score:batch"
    check "models are listed" '"MODEL_LABEL_STABLE"' "$url/v1/models"
    check "users are listed" '"totalSize"' --retry 5 --retry-delay 1 "$url/v1/users?pageSize=2&stages=STAGE_CHURNING"
    check "an unknown field is named" '"field":"subject.user"' "${json[@]}" -d '{"subject": {"user": "U000053"}}' "$url/v1/score"
    check "there is no such path" '^HTTP/1.1 404' "$url/v2/score"
    check "the verb is wrong, and the right one is named" '^allow: POST' "$url/v1/score"
    check "a form is not JSON" '^HTTP/1.1 415' -d 'user=U000053' "$url/v1/score"

    echo
    echo "\$ python json_http.py"
    PYTHONPATH=$work/stubs "$work/venv/bin/python" tests/interop/json_http.py "$grpc" "$http" || echo "FAILED python"

    echo
    echo "\$ node browser.mjs"
    node tests/interop/browser.mjs "$http" "$allowed" "$other" || echo "FAILED browser"

    echo
    echo "\$ openapi-spec-validator"
    curl --silent "$url/openapi.json" >"$work/openapi.json"
    if "$work/http-venv/bin/openapi-spec-validator" --schema 3.1 "$work/openapi.json"; then
        echo "ok openapi: the description is valid"
    else
        echo "FAILED openapi: the description is valid"
    fi
    # The negative control: a description with a fault is found.
    sed 's/"openapi":"3.1.0"/"openapi":"3.1.0","paths":7/; s/"responses":/"respnses":/' "$work/openapi.json" >"$work/openapi-fault.json"
    if "$work/http-venv/bin/openapi-spec-validator" --schema 3.1 "$work/openapi-fault.json" >/dev/null 2>&1; then
        echo "FAILED openapi: a fault in the description is found"
    else
        echo "ok openapi: a fault in the description is found"
    fi

    echo
    echo "\$ schemathesis run"
    # What it is told to wait for, or gives no time for, may fail with these; any other status from 500 on is a fault.
    cat >"$work/schemathesis.toml" <<END
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503, 504]
END
    # It leaves what it found in the folder that it is run in.
    if (cd "$work" && timeout 300 http-venv/bin/schemathesis --no-color --config-file schemathesis.toml run "$url/openapi.json" --seed 7 --phases examples,coverage,fuzzing \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,missing_required_header \
        --max-time "${SCHEMATHESIS_SECONDS:-40}" --continue-on-failure); then
        echo "ok schemathesis: nothing that it tries is answered otherwise than described"
    else
        echo "FAILED schemathesis"
    fi

    kill -TERM "$server_pid"
    if wait "$server_pid"; then echo "ok the server ends with exit code 0"; else echo "FAILED the exit code"; fi
} >"$transcript" 2>&1
cat "$transcript"

passed=$(grep -c '^ok ' "$transcript" || true)
failed=$(grep -c '^FAILED' "$transcript" || true)
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -ge 28 ]
