#!/usr/bin/env bash
# A log of many users under a memory limit that is too small for it: the same bytes as without the limit, nothing left in
# the folder for temporary files however a command ends, and a full disk told as such.
#
#   tests/bounded/run.sh EBB_TRAIN WORK_FOLDER [EVENTS USERS LIMIT_KIB]
set -euo pipefail
train=$(realpath "${1:?usage: tests/bounded/run.sh EBB_TRAIN WORK_FOLDER [EVENTS USERS LIMIT_KIB]}")
mkdir -p "${2:?a folder to work in}"
cd "$2"
events=${3:-60000000} users=${4:-12000000} limit=${5:-1048576}
checks=0

passed() { checks=$((checks + 1)) && echo "ok: $1"; }
fail() { echo "FAILED: $1" && exit 1; }
same() { cmp --silent "$1" "$2" && passed "$3" || fail "$3"; }
# The C library reserves address space for every thread that allocates, which this limit would count.
limited() { (ulimit -v "$limit" && MALLOC_ARENA_MAX=1 exec "$@"); }
empty() { [ -z "$(ls -A temp)" ] && passed "$1" || fail "$1: $(ls -A temp)"; }

log=log-$events-$users
[ -f "$log/ebb.toml" ] || "$(dirname "$train")/bulk" --quiet "$events" --users "$users" --out "$log"
rm -rf limited free temp
mkdir temp
rollup=("$train" rollup --quiet --config "$log/ebb.toml" --partitions 8)
fit=("$train" fit --quiet --config "$log/ebb.toml")

# The negative control comes first: were the log small enough, the rest would show nothing.
if (limited "${rollup[@]}" --memory 1000GiB --out greedy) 2>greedy.txt; then fail "the log fits into $limit KiB"; fi
passed "without spilling, $limit KiB are not enough: $(grep -m1 "memory allocation" greedy.txt)"
rm -rf greedy

limited "${rollup[@]}" --temp temp --out limited/rollup
"${rollup[@]}" --memory 1000GiB --out free/rollup
for part in free/rollup/*; do same "$part" "limited/rollup/${part##*/}" "${part##*/} of $(stat -c %s "$part") bytes"; done
limited "${fit[@]}" --temp temp --out limited/model
"${fit[@]}" --memory 1000GiB --out free/model
for file in bundle.json card.json report.html; do same "free/model/$file" "limited/model/$file" "$file"; done
empty "nothing is left after success"

# With job control, for a command in the background ignores SIGINT without it.
set -m
for signal in INT KILL; do
    "${rollup[@]}" --memory 1MiB --temp temp --out "stopped" &
    stopped=$!
    # Anonymous files show up as deleted ones among the open files.
    until ls -l "/proc/$stopped/fd" 2>/dev/null | grep -q "$PWD/temp/.*(deleted)"; do
        kill -0 "$stopped" 2>/dev/null || fail "the command ended before it spilled"
    done
    kill -s "$signal" "$stopped"
    wait "$stopped" 2>/dev/null && fail "a stopped command succeeded"
    empty "nothing is left after SIG$signal"
done
set +m
rm -rf stopped

mkdir -p disk
if mount -t tmpfs -o size=8m tmpfs disk 2>/dev/null; then
    if "${rollup[@]}" --memory 1MiB --temp disk --out full 2>full.txt; then fail "a full disk went unnoticed"; fi
    left=$(ls -A disk)
    umount disk
    grep -q "temporary file in disk: No space left on device.*--temp" full.txt || fail "full disk: $(cat full.txt)"
    passed "a full disk: $(cat full.txt)"
    [ -z "$left" ] && passed "nothing is left on it" || fail "left on a full disk: $left"
    [ ! -e full ] && passed "and nothing was written" || fail "a broken-off roll-up: $(ls full)"
else
    echo "SKIPPED full disk: no small file system can be mounted here"
fi
echo "bounded memory: $checks checks passed"
