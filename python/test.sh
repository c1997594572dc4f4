#!/usr/bin/env bash
# Builds the wheel of ebb and tests it in clean environments: one of python3, one of another version of Python where there is
# one. Nothing is installed outside of the target folder.
#
#   python/test.sh [WHEEL]
#
# WHEEL is one that has been built already.
#
# Needs a python3 of at least 3.11 with venv, cargo, and PyPI. EBB_REAL_DATA names the folder of the public logs;
# MATURIN_PEP517_ARGS has further arguments of the build, such as "--profile dev".
set -euo pipefail
wheel=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."
work=$(realpath -m "${CARGO_TARGET_DIR:-target}/wheel")
mkdir -p "$work"
unset EBB_BIN_DIR PYTHONPATH

# Each version of Python once: `3.11 COMMAND`, that of python3 first.
pythons() {
    local seen=" " command version
    for command in python3 /usr/bin/python3 $(compgen -c python3. | sort -ru | grep -x 'python3\.[0-9]*' || true) \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
        version=$("$command" -c 'import ensurepip, sys, venv; print("%d.%d" % sys.version_info[:2]) if sys.version_info >= (3, 11) else None' 2>/dev/null) || continue
        [ -n "$version" ] && [ "$version" != None ] || continue
        case "$seen" in *" $version "*) continue ;; esac
        seen="$seen$version "
        echo "$version $command"
    done
}
mapfile -t found < <(pythons)
[ ${#found[@]} -gt 0 ] || { echo "no Python of at least 3.11 with venv is here"; exit 1; }
first=${found[0]}
# The other one is the newest.
other=$(printf '%s\n' "${found[@]:1}" | sort -t. -k2 -n | tail -1)

environment() { # VERSION COMMAND: a clean environment
    rm -rf "$work/$1"
    "$2" -m venv "$work/$1"
}
install() { # VERSION PACKAGE...
    local version=$1
    shift
    "$work/$version/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

environment "${first%% *}" "${first#* }"
if [ -z "$wheel" ]; then
    rm -rf "$work/dist"
    "$work/${first%% *}/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work/dist" ./python
    wheel=$(echo "$work"/dist/ebb-*.whl)
fi
echo "$(basename "$wheel"), $(($(stat -c %s "$wheel") / 1000000)) MB"

check() { # VERSION: the wheel alone, then with all that its tests need
    local bin=$work/$1/bin
    install "$1" "$wheel"
    "$bin/ebb-train" --version
    "$bin/ebb-serve" --version
    "$bin/python" -W error - <<'END'
import ebb

for name, extra in (("ebb.client", "ebb[client]"), ("ebb.sklearn", "ebb[sklearn]")):
    try:
        __import__(name)
    except ImportError as error:
        assert extra in str(error), error
    else:
        raise SystemExit(f"{name} was imported without {extra}")
END
    install "$1" "$wheel[client,sklearn,progress]" pytest polars duckdb grpcio-tools
    (cd python && "$bin/python" -m pytest -q -rs -p no:cacheprovider tests)
}

check "${first%% *}"
install "${first%% *}" ruff mypy pandas-stubs types-protobuf nbclient nbformat ipykernel matplotlib
(cd python && "$work/${first%% *}/bin/ruff" check --no-cache . && "$work/${first%% *}/bin/ruff" format --no-cache --check .)
(cd python && "$work/${first%% *}/bin/python" -m mypy --cache-dir "$work/mypy" src/ebb)
"$work/${first%% *}/bin/python" python/notebook.py --check

if [ -n "$other" ]; then
    environment "${other%% *}" "${other#* }"
    check "${other%% *}"
else
    echo "SKIPPED the wheel on a second version of Python: only ${first%% *} is here"
fi
[ -n "${EBB_REAL_DATA:-}" ] || echo "SKIPPED the wheel on public logs: EBB_REAL_DATA is not set"
