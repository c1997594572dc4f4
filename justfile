# The steps of CI. `.ci/run` installs what they need on a fresh machine and runs `just ci`.

set shell := ["bash", "-euo", "pipefail", "-c"]

target := env("CARGO_TARGET_DIR", "target")
train := target / "release/ebb-train"
work := target / "retrain"

# List the recipes.
default:
    @just --list --unsorted

# Everything, quickest verdicts first; tests share the dev profile's builds, the rest the release profile's.
ci: fmt lint doc deny test release retrain quickstart real interop deploy report page cluster wheel

# Check the formatting.
fmt:
    cargo fmt --all --check

# Clippy without a warning: everything with the benchmarks, the suite on real logs, and each half without the other, and traces.
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo clippy --locked --test real -- -D warnings
    cargo clippy --locked --all-targets --no-default-features --features serve -- -D warnings
    cargo clippy --locked --all-targets --no-default-features --features serve,otel -- -D warnings
    cargo clippy --locked --all-targets --no-default-features --features train -- -D warnings

# The documentation, without a warning.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# Licences, banned crates, sources and advisories of the dependencies. Needs cargo-deny (cargo install --locked cargo-deny).
deny:
    cargo deny --workspace --all-features check bans licenses sources
    @if problem=$(cargo deny fetch db 2>&1); then \
        cargo deny --workspace --all-features check advisories; \
    else \
        echo "SKIPPED advisories: their database cannot be fetched, so no known vulnerability would be found: ${problem##*$'\n'}"; \
    fi

# Write the pages that are made from the code: settings, commands, errors, limits. Tests compare them with the code.
docs:
    cargo build --locked --bins --example docs
    {{ target }}/debug/examples/docs

# All tests that need nothing but this repository, the benchmarks' own among them; those of traces take a build with them.
test:
    cargo test --locked --workspace
    cargo test --locked --features otel --test it traces

# The release binaries, the quickstart, the client, and the generator of large logs.
release:
    cargo build --release --locked -p ebb -p ebb-benches --bin ebb-train --bin ebb-serve --bin bulk --example quickstart --example client

# Train as a user's CI would, with a quality gate: on the sample log, and on a larger one that is simulated afresh.
retrain: release
    {{ train }} fit --quiet --config datasets/shop/ebb.toml --out {{ work }}/shop
    {{ train }} check --model {{ work }}/shop --min-auc 0.79 --max-log-loss 0.55 --max-ece 0.06
    {{ train }} publish --model {{ work }}/shop --live {{ work }}/live
    {{ train }} simulate --users 20000 --days 540 --seed 11 --out {{ work }}/log
    {{ train }} fit --quiet --config {{ work }}/log/ebb.toml --out {{ work }}/large
    {{ train }} check --model {{ work }}/large --min-auc 0.79 --max-log-loss 0.54 --max-ece 0.03

# The README's first command, whose output must hold what the README shows of it.
quickstart: release
    mkdir -p {{ work }}
    {{ target }}/release/examples/quickstart | tee {{ work }}/quickstart.txt
    @awk '/^```text/ && !n++ { shown = 1; next } /^```/ { shown = 0 } shown && NF' README.md | while IFS= read -r line; do \
        grep -qxF -- "$line" {{ work }}/quickstart.txt || { echo "README shows a line that the quickstart does not print: $line"; exit 1; }; \
    done

# Whether EBB_REAL_DATA names a folder with the public logs.
[private]
real-data:
    @test -n "${EBB_REAL_DATA:-}" || { echo "EBB_REAL_DATA is not set: it names the folder of the public logs, which datasets/fetch.sh FOLDER downloads"; exit 1; }
    datasets/fetch.sh --check "$EBB_REAL_DATA"

# The tests on real logs, in the folder that EBB_REAL_DATA names.
real: real-data
    cargo test --release --locked --test real -- --nocapture

# Clients nobody here wrote: Python's grpcio, buf curl, a browser and schemathesis. Needs python3, npm and chromium.
interop: retrain
    {{ train }} rollup --quiet --config datasets/shop/ebb.toml --out {{ work }}/rollup
    tests/interop/run.sh {{ work }}/shop {{ work }}/rollup
    tests/interop/value.sh
    tests/interop/http.sh {{ work }}/shop {{ work }}/rollup

# The example of a configuration, the unit, the manifest, the alerts, and the clients against a live server. Needs python3 and openssl.
deploy: retrain
    {{ train }} rollup --quiet --config datasets/shop/ebb.toml --out {{ work }}/rollup
    tests/deploy/run.sh {{ work }}/shop {{ work }}/rollup

# The report in a real browser. Needs npm and chromium.
report: retrain
    tests/report/run.sh {{ work }}/shop {{ work }}/large

# The page of a running server in a real browser. Needs npm and chromium.
page: retrain
    {{ train }} rollup --quiet --config datasets/shop/ebb.toml --out {{ work }}/rollup
    tests/page/run.sh {{ work }}/shop {{ work }}/rollup

# The printed queries in DuckDB and Spark, and the Spark job on two executors of which one is killed. Needs python3 and java.
cluster: retrain
    tests/cluster/run.sh {{ train }} {{ work }}/shop

# The Python wheel: built, installed into clean environments of two versions of Python where there are two, tested. Needs python3.
wheel:
    python/test.sh

# Execute docs/notebook.ipynb again, in the environment that `just wheel` makes, to be committed when a change of it is meant.
notebook:
    $(ls -d {{ target }}/wheel/3.*/bin/python | head -1) python/notebook.py

# Simulate datasets/shop again, to be committed when a change of it is meant.
sample-log: release
    {{ train }} simulate --users 2700 --days 540 --seed 7 --out datasets/shop

# Build models/shop again, to be committed when a change of it is meant.
sample-model: release
    {{ train }} fit --config datasets/shop/ebb.toml --out models/shop

# Draw docs/report.png, the README's picture: the top of the sample model's report. Needs chromium.
report-picture chromium=env("CHROMIUM", "chromium"): release
    {{ train }} fit --quiet --config datasets/shop/ebb.toml --out {{ work }}/shop
    {{ chromium }} --headless --no-sandbox --hide-scrollbars --force-device-scale-factor=1 --window-size=1100,1115 \
        --screenshot="$PWD/docs/report.png" "file://$(realpath {{ work }}/shop/report.html)" 2>/dev/null
    @test "$(stat -c %s docs/report.png)" -lt 300000 || { echo "docs/report.png has more than 300 kB"; exit 1; }

# Draw docs/serving/status-page.png, the picture of a server's page, for two minutes of load. Needs npm and chromium; `just page` installs them.
page-picture chromium=env("CHROMIUM", "/usr/bin/chromium"): release
    {{ train }} rollup --quiet --config datasets/shop/ebb.toml --out {{ work }}/rollup
    mkdir -p {{ target }}/page
    CHROMIUM={{ chromium }} PLAYWRIGHT_CORE="$(realpath {{ target }}/report/node_modules/playwright-core)" EBB_SERVE="$(realpath {{ target }}/release/ebb-serve)" \
        node tests/page/picture.mjs {{ target }}/page models/shop {{ work }}/rollup docs/serving/status-page.png

# Many users in a memory that is too small for them: spilling, cleaning up, a full disk.
bounded: release
    tests/bounded/run.sh {{ train }} {{ target }}/bounded

# Long simulations of what is said with a probability: false alarms and misses; not part of CI.
slow: release
    cargo test --release --locked --lib -- --ignored
    cargo test --release --locked --test it -- --ignored --nocapture

# What the server promises under stress, for some minutes ("short") or longer ("long"); not part of CI.
stress length="short": release
    benches/stress.sh {{ length }}

# Predictions beside other tools' on the public logs in the folder that EBB_REAL_DATA names (datasets/fetch.sh); not part of CI. Needs python3.
quality *arguments: real-data release
    test -x {{ target }}/quality/bin/python || python3 -m venv {{ target }}/quality
    {{ target }}/quality/bin/pip install --quiet --disable-pip-version-check numpy pandas scipy scikit-learn lightgbm
    {{ target }}/quality/bin/python benches/quality.py --bin {{ train }} {{ arguments }}

# Expected spend beside other ways to estimate it on the same logs; not part of CI. Needs python3.
value *arguments: real-data release
    test -x {{ target }}/value/bin/python || python3 -m venv {{ target }}/value
    {{ target }}/value/bin/pip install --quiet --disable-pip-version-check -r benches/value_requirements.txt
    {{ target }}/value/bin/python benches/value.py --bin {{ train }} --cache {{ target }}/value/peers {{ arguments }}
