#!/usr/bin/env bash
# Checks what people run the server with: the example of a configuration, the unit, the manifest, the image, and the
# clients among the examples, against a server with keys and TLS.
#
#   tests/deploy/run.sh MODEL_DIR [ROLLUP]
#
# Needs python3, whose packages stay below the target folder, and openssl. EBB_SERVE names the server's binary, by default
# the release build, which is built when it is missing. EBB_USER is a user of the roll-up, by default one of the sample
# log's. What this machine cannot check is skipped, with the reason.
set -euo pipefail

model=$(realpath "${1:?usage: run.sh MODEL_DIR [ROLLUP]}")
rollup=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
server=${EBB_SERVE:-$target/release/ebb-serve}
client=$target/release/examples/client
static=$target/x86_64-unknown-linux-musl/release/ebb-serve
work=$target/deploy-test
rm -rf "$work/site" "$work/pod" "$work/empty"
mkdir -p "$work/stubs" "$work/site/models" "$work/site/tls"

if [ ! -x "$server" ]; then
    cargo build --release --locked --no-default-features --features serve --bin ebb-serve
fi
if [ ! -x "$work/venv/bin/python" ]; then python3 -m venv "$work/venv"; fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'grpcio>=1.60' 'grpcio-tools>=1.60' \
    'grpcio-health-checking>=1.60' 'grpcio-status>=1.60' pyyaml kubernetes-validate prometheus-client
python=$work/venv/bin/python
export PYTHONPATH=$work/stubs
"$python" -m grpc_tools.protoc -I proto --python_out="$work/stubs" --grpc_python_out="$work/stubs" \
    proto/churn/v1/*.proto

transcript=$work/transcript.txt
: >"$transcript"
say() { echo "$*" | tee -a "$transcript"; }
skipped() { say "SKIPPED $1: $2"; }
# check NAME COMMAND...: whether it succeeds; what it says is shown when it does not.
check() {
    local name=$1 answer
    shift
    if answer=$("$@" 2>&1); then say "ok $name"; else say "FAILED $name"; echo "$answer" | tail -20; fi
}
# prints PATTERN COMMAND...: whether it succeeds and its output matches.
prints() {
    local pattern=$1 answer code=0
    shift
    answer=$("$@" 2>&1) || code=$?
    grep -qE -- "$pattern" <<<"$answer" && [ "$code" = 0 ] || { echo "exit code $code, without /$pattern/: $answer"; false; }
}
# ends CODE PATTERN COMMAND...: whether it ends with the code, and says so.
ends() {
    local expected=$1 pattern=$2 answer code=0
    shift 2
    answer=$("$@" 2>&1) || code=$?
    grep -qE -- "$pattern" <<<"$answer" && [ "$code" = "$expected" ] || { echo "exit code $code: $answer"; false; }
}
# silent COMMAND...: whether it succeeds and has nothing to say, for tools that only warn.
silent() {
    local answer
    answer=$("$@" 2>&1) && [ -z "$answer" ] || { echo "$answer"; false; }
}
pids=()
stop_all() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; }
trap stop_all EXIT

# --- The site: models, a roll-up, keys and certificates as docs/ebb-serve.toml names them.
site=$work/site
cp -r "$model" "$site/models/shop"
cp -r "$model" "$site/models/next"
cp docs/ebb-serve.toml "$site/ebb-serve.toml"
if [ -n "$rollup" ]; then
    cp -r "$rollup" "$site/rollup"
else
    skipped "users known by id" "no roll-up was given"
    sed -i '/^rollup = /d' "$site/ebb-serve.toml"
fi
new_key() { "$server" --new-key "$1" --permissions "$2" >"$site/$1.txt" && sed -n 2p "$site/$1.txt" >"$site/$1.key"; }
line_of() { sed -n 5p "$site/$1.txt"; }
new_key caller score,read
new_key keeper read,manage
{ line_of caller && line_of keeper; } >"$site/keys"
signed() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$site/tls/$1.key" -subj "/CN=$1" 2>/dev/null |
        openssl x509 -req -CA "$site/tls/ca.crt" -CAkey "$site/tls/ca.key" -CAcreateserial -days 2 -out "$site/tls/$1.crt" \
            -extfile <(echo "subjectAltName=DNS:localhost,DNS:ebb-serve,IP:127.0.0.1") 2>/dev/null
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$site/tls/ca.key" -out "$site/tls/ca.crt" \
    -days 2 -subj "/CN=authority" 2>/dev/null
signed tls
signed client

# --- Configuration.
check "docs/ebb-serve.toml is in order" \
    prints 'the configuration is in order' "$server" --config "$site/ebb-serve.toml" --check-config
sed 's/^queue_length/queue_lenght/' "$site/ebb-serve.toml" >"$site/misspelt.toml"
check "a misspelt key is found" ends 64 queue_lenght "$server" --config "$site/misspelt.toml" --check-config
check "the server tells of itself" prints '^ebb-serve [0-9]' "$server" --version
check "docs/ebb-serve.toml has every limit at its default" "$python" tests/deploy/consistent.py limits
check "unit and manifest wait longer than the server drains" "$python" tests/deploy/consistent.py waits

# --- The unit.
if command -v systemd-analyze >/dev/null; then
    sed "s|/usr/local/bin/ebb-serve|$server|" deploy/ebb-serve.service >"$work/ebb-serve.service"
    check "systemd reads the unit without a warning" silent systemd-analyze verify "$work/ebb-serve.service"
    sed 's/^NoNewPrivileges/NoNewPrivilege/' "$work/ebb-serve.service" >"$work/ebb-misspelt.service"
    check "systemd finds a misspelt setting" prints NoNewPrivilege systemd-analyze verify "$work/ebb-misspelt.service"
    if systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
        check "systemd finds the unit hardened" \
            systemd-analyze security --offline=true --threshold=20 "$work/ebb-serve.service"
    else
        skipped "how hardened the unit is" "this systemd-analyze has no --offline"
    fi
    if [ -d /run/systemd/system ]; then
        skipped "the unit runs" "it would be installed on this machine"
    else
        skipped "the unit runs" "systemd does not run here"
    fi
else
    skipped "the unit" "there is no systemd-analyze"
fi

# --- The manifest.
check "the manifest has the form of Kubernetes' own types" \
    "$work/venv/bin/kubernetes-validate" --strict --quiet deploy/kubernetes.yaml
"$python" tests/deploy/consistent.py pod "$work/pod"
mkdir -p "$work/pod/var/lib/ebb/models" "$work/pod/etc/ebb/keys"
cp -r "$model" "$work/pod/var/lib/ebb/models/shop"
cp -r "$site/tls" "$work/pod/etc/ebb/tls"
cp "$site/keys" "$work/pod/etc/ebb/keys/keys"
if [ -n "$rollup" ]; then
    cp -r "$rollup" "$work/pod/var/lib/ebb/rollup"
else
    sed -i '/^rollup = /d' "$work/pod/ebb-serve.toml"
fi
check "the manifest's configuration is in order" \
    prints 'the configuration is in order' "$server" --config "$work/pod/ebb-serve.toml" --check-config
skipped "the manifest in a cluster" "there is none"

# --- What the images' builds copy: the package must build from nothing else.
# built DOCKERFILE FEATURE PROGRAM [WITHOUT]: whether cargo takes what the build copies, all but one path.
built() {
    "$python" tests/deploy/consistent.py copies "$1" "$work/context" "${4:-}" &&
        (cd "$work/context" && CARGO_TARGET_DIR=$target cargo check --quiet --locked --no-default-features --features "$2" --bin "$3")
}
check "the server builds from what its image's build copies" built deploy/Dockerfile serve ebb-serve
check "the trainer builds from what its image's build copies" built deploy/Dockerfile.train train ebb-train
check "a member of the workspace that is not copied is missed" ends 101 benches built deploy/Dockerfile serve ebb-serve benches
check "a folder that is not copied is missed" ends 101 examples built deploy/Dockerfile.train train ebb-train examples

# --- The images.
if docker info >/dev/null 2>&1; then
    check "the image is built" docker build --quiet --file deploy/Dockerfile --tag ebb-serve:test .
    check "the image runs" prints '^ebb-serve [0-9]' docker run --rm --read-only --cap-drop ALL ebb-serve:test --version
    check "the trainer's image is built" docker build --quiet --file deploy/Dockerfile.train --tag ebb-train:test .
    mkdir -p "$work/fit"
    check "the trainer's image fits a model" docker run --rm --read-only --tmpfs /tmp --cap-drop ALL \
        --user "$(id -u):$(id -g)" -v "$PWD/datasets/shop:/work:ro" -v "$work/fit:/out" ebb-train:test \
        fit --quiet --config ebb.toml --out /out/shop
else
    skipped "the images" "there is no container engine"
fi
if [ ! -x "$static" ]; then
    skipped "the static binary in an empty folder" "there is no build for x86_64-unknown-linux-musl"
elif ! unshare --map-root-user true 2>/dev/null; then
    skipped "the static binary in an empty folder" "this user may not make namespaces"
else
    mkdir -p "$work/empty/etc"
    cp "$static" "$work/empty/ebb-serve"
    cp -r "$model" "$work/empty/etc/model"
    check "the static binary runs with nothing beside it" prints 'the configuration is in order' \
        unshare --map-root-user chroot "$work/empty" /ebb-serve --model /etc/model --check-config
fi

# --- The server with keys and TLS, and the clients.
# started NAME ARGUMENTS...: starts a server; its address is then in $address.
started() {
    local name=$1 i
    shift
    "$@" >"$work/$name.out" 2>"$work/$name.log" &
    pid=$!
    pids+=("$pid")
    for ((i = 0; i < 200; i++)); do
        if grep -q "^ready" "$work/$name.out"; then break; fi
        sleep 0.05
    done
    address=$(sed -n 's/^listening on //p' "$work/$name.out")
    check "the $name server starts" grep "^ready" "$work/$name.out" "$work/$name.log"
}
sed -e 's/^listen = "0.0.0.0:50051"/listen = "127.0.0.1:0"/' -e '/^\[metrics\]/,/^\[log\]/s/^listen.*//' \
    "$site/ebb-serve.toml" >"$site/live.toml"
started encrypted "$server" --config "$site/live.toml"
encrypted_pid=$pid port=${address##*:}
# The server does not tell which port the system would choose for metrics.
metrics_port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo "metrics.listen = '127.0.0.1:$metrics_port'" >"$site/plain.toml"
started plain "$server" --config "$site/plain.toml" --model "$model" ${rollup:+--rollup "$rollup"} --listen 127.0.0.1:0
plain=$address plain_pid=$pid

whole='stream 3: 20 answers .*an error: .*FIELD_INVALID'
user=(${rollup:+--user "${EBB_USER:-U000053}"})
own=(--ca "$site/tls/ca.crt" --certificate "$site/tls/client.crt" --certificate-key "$site/tls/client.key")
# prints_all PATTERN COMMAND...: as `prints`, for a pattern over several lines.
prints_all() {
    local pattern=$1 answer code=0
    shift
    answer=$("$@" 2>&1) || code=$?
    tr '\n' ' ' <<<"$answer" | grep -qE -- "$pattern" && [ "$code" = 0 ] || { echo "exit code $code: $answer"; false; }
}

clients() {
    local name=$1 scheme_plain=$2 scheme_tls=$3
    shift 3
    check "$name: one user, a batch, a stream, an error's details" prints_all "$whole" "$@" "$scheme_plain$plain" "${user[@]}"
    check "$name: the same with TLS, a certificate and a key" \
        prints_all "$whole" "$@" "${scheme_tls}localhost:$port" "${own[@]}" --key-file "$site/caller.key" "${user[@]}"
    check "$name: a key that may not score is told so" \
        ends 1 "permission .score." "$@" "${scheme_tls}localhost:$port" "${own[@]}" --key-file "$site/keeper.key"
    check "$name: a key is not sent unencrypted" \
        ends 1 'needs --ca' "$@" "$scheme_plain$plain" --key-file "$site/caller.key"
    for refusals in 2 9; do
        rm -f "$work/refusing.out"
        "$python" tests/deploy/refusing.py "$plain" "$refusals" >"$work/refusing.out" 2>"$work/refusing.log" &
        local between=$! i
        pids+=("$between")
        for ((i = 0; i < 200; i++)); do
            if [ -s "$work/refusing.out" ]; then break; fi
            sleep 0.05
        done
        local door=127.0.0.1:$(cat "$work/refusing.out")
        if [ "$refusals" = 2 ]; then
            check "$name: two refusals are overcome" prints_all "$whole" "$@" "$scheme_plain$door"
        else
            check "$name: a server that goes on refusing is left alone" ends 1 'server is busy' "$@" "$scheme_plain$door"
            check "$name: it was asked four times, each with a deadline" \
                [ "$(grep -c 'with a deadline' "$work/refusing.log")" = 4 ]
        fi
        kill "$between"
        wait "$between" 2>/dev/null || true
    done
}
clients python "" "" "$python" examples/client.py
if [ -x "$client" ]; then
    clients rust http:// https:// "$client"
else
    skipped "the client in Rust" "it is not built: cargo build --release --example client"
fi
# --- The probe, as the image and the manifest run it.
probe=$("$python" tests/deploy/consistent.py probe)
check "the image's probe, on the metrics port" \
    prints 'well, says http://127.0.0.1' "$server" --config "$site/plain.toml" $probe
check "the image's probe, on the health service" prints 'well, says grpc' "$server" $probe --address "$plain"
check "the probe of a server that is not there" ends 1 'cannot be asked' "$server" $probe --address 127.0.0.1:1

check "probes over TLS: readiness and liveness are SERVING" \
    "$python" tests/deploy/health.py "localhost:$port" "$site/tls" readiness liveness

check "metrics are OpenMetrics, with the names that docs/serving/observe.md lists" \
    "$python" tests/deploy/metrics.py "127.0.0.1:$metrics_port"

# --- The dashboard and the alerts.
check "the dashboard can be provisioned" "$python" tests/deploy/dashboard.py deploy/grafana/ebb-serve.json
sed 's/"gridPos"/"gridpos"/' deploy/grafana/ebb-serve.json >"$work/misspelt.json"
check "a dashboard with a misspelt key is found" ends 1 gridPos "$python" tests/deploy/dashboard.py "$work/misspelt.json"
# Debian's package has the checker beside a server that nobody wants here: it is unpacked, not installed.
promtool=$(command -v promtool || echo "$work/prometheus/usr/bin/promtool")
if [ ! -x "$promtool" ] && command -v apt-get >/dev/null; then
    mkdir -p "$work/packages"
    unpacked() { apt-get download --quiet prometheus && dpkg -x prometheus_*.deb "$work/prometheus"; }
    (cd "$work/packages" && { unpacked || { apt-get update -qq && unpacked; }; }) >"$work/promtool.log" 2>&1 || true
fi
if [ -x "$promtool" ]; then
    check "Prometheus reads the alerts" prints 'SUCCESS: [0-9]+ rules found' "$promtool" check rules deploy/prometheus/ebb-serve.rules.yaml
    check "each alert fires where it should, and not beside that" \
        prints SUCCESS "$promtool" test rules tests/deploy/alerts.test.yaml
    fired=$(grep -c '^      - alert: ' deploy/prometheus/ebb-serve.rules.yaml)
    cases=$(grep -o 'alertname: [A-Za-z]*' tests/deploy/alerts.test.yaml | sort -u | wc -l)
    check "each alert has a case" [ "$fired" = "$cases" ]
    mkdir -p "$work/rules/deploy/prometheus" "$work/rules/tests/deploy"
    sed 's/> 0.01$/> 0.2/' deploy/prometheus/ebb-serve.rules.yaml >"$work/rules/deploy/prometheus/ebb-serve.rules.yaml"
    cp tests/deploy/alerts.test.yaml "$work/rules/tests/deploy/"
    check "an alert with another threshold fails its case" \
        ends 1 EbbWorkShed "$promtool" test rules "$work/rules/tests/deploy/alerts.test.yaml"
else
    skipped "the alerts" "there is no promtool, and Debian's package prometheus cannot be fetched: $(tail -1 "$work/promtool.log" 2>/dev/null)"
fi

# --- Keys that change while the server runs.
until_logged() {
    local i
    for ((i = 0; i < 100; i++)); do
        if [ "$(grep -c "$1" "$work/encrypted.log")" -ge "$2" ]; then return; fi
        sleep 0.05
    done
    tail -3 "$work/encrypted.log"
    return 1
}
asked_with() { "$python" examples/client.py "localhost:$port" "${own[@]}" --key-file "$site/$1.key"; }
new_key follower score,read
line_of follower >>"$site/keys"
check "a new key is taken over" until_logged 'keys taken over' 1
check "the new key is valid beside the old one" prints_all "$whole" asked_with follower
{ line_of follower && line_of keeper; } >"$site/keys.next" && mv "$site/keys.next" "$site/keys"
check "the file without the old key is taken over" until_logged 'keys taken over' 2
check "the old key is valid no more" ends 1 'valid key is needed' asked_with caller

# --- The end.
for name in encrypted plain; do
    pid=${name}_pid
    kill -TERM "${!pid}" || true
    code=0
    wait "${!pid}" || code=$?
    check "the $name server ends with exit code 0" [ "$code" = 0 ]
done

passed=$(grep -c '^ok ' "$transcript" || true)
failed=$(grep -c '^FAILED ' "$transcript" || true)
left_out=$(grep -c '^SKIPPED ' "$transcript" || true)
echo
echo "$passed passed, $failed failed, $left_out skipped"
[ "$failed" -eq 0 ] && [ "$passed" -ge 18 ]
