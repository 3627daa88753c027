#!/usr/bin/env bash
# A browser on another origin calls an API through the gateway: preflight, response, and the body of a 401.
#
#   tests/ops/browser.sh [GATEWAY_BINARY]
#
# CHROMIUM names the browser; default: from PATH. Exit status: 0, 1, or 77 if it cannot run here ("skipped: …").
set -euo pipefail
binary=${1:+$(realpath "$1")}
cd "$(dirname "$0")"

skip() {
    echo "skipped: $1"
    exit 77
}

command -v node >/dev/null || skip 'node is not installed'
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$chromium" ] || skip 'no Chromium is installed'

if [ -z "$binary" ]; then
    cargo build --locked --manifest-path ../../Cargo.toml
    binary=$(realpath "${CARGO_TARGET_DIR:-../../target}/debug/obo-gateway")
fi
"$chromium" --version
node browser/run.mjs "$binary" "$chromium"
