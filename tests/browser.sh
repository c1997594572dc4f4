# Sets CHROMIUM and PLAYWRIGHT_CORE for tests in a real browser; to be sourced, with the repository's root in `root`. Installs
# playwright-core below target/ and, where there is none, Debian's chromium.
version=1.65.1
browser_work="${CARGO_TARGET_DIR:-$root/target}/report"
mkdir -p "$browser_work"

if ! [ -x "${CHROMIUM:=/usr/bin/chromium}" ]; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
fi
PLAYWRIGHT_CORE="$browser_work/node_modules/playwright-core"
if ! grep -qs "\"version\": \"$version\"" "$PLAYWRIGHT_CORE/package.json"; then
    npm install --silent --no-save --no-audit --no-fund --prefix "$browser_work" "playwright-core@$version"
fi
export CHROMIUM PLAYWRIGHT_CORE
