#!/usr/bin/env bash
# The public logs that `just real` and `just quality` read: downloads them, or checks a folder that has them.
#
#   datasets/fetch.sh FOLDER            downloads what is missing, then checks all
#   datasets/fetch.sh --check FOLDER    checks only
#
# They are taken from public repositories at fixed commits, and every file is held against its SHA-256 sum: of the content,
# for files that are packed. Needs git, and python3 for Complete Journey, whose files are R's (pandas and pyreadr are
# installed into a temporary folder). For research; see the sources for their terms before shipping one of the logs.
#
#   cdnow              Fader and Hardie 2001: purchases of the 23,570 people who first bought at CDNOW in early 1997
#   online-retail      UCI "Online Retail", Chen, Sain and Guo 2012: 541,909 invoice lines of a British gift shop
#   power-laws         Clauset, Shalizi and Newman 2009: words of Moby Dick, blackouts and terrorist attacks, as in the package powerlaw
#   complete-journey   84.51 "Complete Journey 2.0": a sample of 75,000 basket lines of 2,469 households
set -euo pipefail
usage="usage: datasets/fetch.sh [--check] FOLDER"

# SUM FILE
sums="
eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef cdnow/CDNOW_master.txt
c35975c40d0e1e105090fbb11188a409393055f873841bd012915475fc84e69f online-retail/online_retail.csv.gz
9268c3f54b1d9f00ae843ee3b4856dc8db1994f901b79b075567e0aebd23ce9d complete-journey/transactions_sample.csv.gz
97e666d52f41c6ccc9266eebbe31a754182317392f810c703f96b5d3a46cf1e0 complete-journey/coupon_redemptions.csv
ff6dba03d78fab322835572556856b4d4ec8a95a8c1f1776d866f0de88dcdcca complete-journey/campaigns.csv
e1e413b4c20f7aabb910ecf0bf8cb2eb02df9eb0c1d84235139505a9b56d4e0a complete-journey/campaign_descriptions.csv
cef3521f0f1d817df43cf35ef1f717e6f72d71f549646a51ba04acdc45a9b160 power-laws/words.txt
8187543b5700a75974661dd8349e172a83ce2d0972e79a81a7fcc06eafb96728 power-laws/blackouts.txt
4c80c4dd91427c90e0da63db110a1326bf109e330598b6d40bebf5e95e492f80 power-laws/terrorism.txt
"
host=https://github.com
cdnow="$host/CamDavidsonPilon/lifetimes 4f2833f4518621343bb6983eb3e540c11f66ec6a"
retail="$host/databricks/Spark-The-Definitive-Guide 4ba5601eb9b9aed1d01ab79775e3af228216ff6f"
power="$host/jeffalstott/powerlaw d2b563a7a08bad96b4085fa69f351e9d9a20b1e7"
journey="$host/bradleyboehmke/completejourney 5b5d06192b9856edd04e4d405787af2f2e4a1fef"

content() { case $1 in *.gz) gzip -dc "$1" ;; *) cat "$1" ;; esac; }
holds() { # holds SUM FILE
    [ -f "$folder/$2" ] && [ "$(content "$folder/$2" | sha256sum | cut -d' ' -f1)" = "$1" ]
}
has() { # has LOG: whether all its files are there as they should be.
    local sum file
    while read -r sum file; do holds "$sum" "$file" || return 1; done < <(grep " $1/" <<<"$sums")
}
check() { # Names every file that is missing or another; fails when there is one.
    local sum file wrong=0
    while read -r sum file; do
        if [ -z "$file" ]; then continue; fi
        if holds "$sum" "$file"; then
            echo "ok: $file"
        else
            wrong=1
            if [ -f "$folder/$file" ]; then echo "ANOTHER FILE: $file has not the sum $sum"; else echo "MISSING: $file"; fi
        fi
    done <<<"$sums"
    return $wrong
}
take() { # take NAME "URL COMMIT" PATH: a folder or file of a repository as it was at a commit, and nothing else of it.
    local url commit
    read -r url commit <<<"$2"
    git init --quiet "$work/$1"
    git -C "$work/$1" remote add origin "$url"
    git -C "$work/$1" sparse-checkout set --no-cone "/$3"
    git -C "$work/$1" fetch --quiet --depth 1 --filter=blob:none origin "$commit"
    git -C "$work/$1" checkout --quiet FETCH_HEAD
}

if [ "${1:-}" = --check ]; then
    folder=${2:?$usage}
    check
    exit
fi
folder=${1:?$usage}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! has cdnow; then
    take cdnow "$cdnow" lifetimes/datasets/CDNOW_master.txt
    mkdir -p "$folder/cdnow"
    cp "$work/cdnow/lifetimes/datasets/CDNOW_master.txt" "$folder/cdnow/"
fi
if ! has online-retail; then
    take retail "$retail" data/retail-data/by-day
    mkdir -p "$folder/online-retail"
    days=("$work"/retail/data/retail-data/by-day/*.csv)
    # Each day's file has the header line; the log needs it once. -n: no time of packing.
    { head -n 1 "${days[0]}" && tail -q -n +2 "${days[@]}"; } | gzip -n >"$folder/online-retail/online_retail.csv.gz"
fi
if ! has power-laws; then
    take power "$power" powerlaw/reference_data
    mkdir -p "$folder/power-laws"
    cp "$work"/power/powerlaw/reference_data/{words,blackouts,terrorism}.txt "$folder/power-laws/"
fi
if ! has complete-journey; then
    take journey "$journey" data
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check pandas pyreadr
    mkdir -p "$folder/complete-journey"
    "$work/venv/bin/python" - "$work/journey/data" "$folder/complete-journey" <<'PYTHON'
import sys
import pyreadr

source, target = sys.argv[1:]
for name in ["transactions_sample", "coupon_redemptions", "campaigns", "campaign_descriptions"]:
    table = pyreadr.read_r(f"{source}/{name}.rda")[name]
    if "week" in table:
        table["week"] = table.week.astype(int)
    packed = ".gz" if name == "transactions_sample" else ""
    table.to_csv(f"{target}/{name}.csv{packed}", index=False)
PYTHON
fi
check
