#!/usr/bin/env bash
# Installs the two packages in a temporary folder and runs the example there. Writes nothing to this folder.
# Usage: run.sh [GATEWAY_BINARY]; without one it is built. Exit status: 0, 1, or 77 if it cannot run here ("skipped: …").
set -euo pipefail
binary=${1:+$(realpath "$1")}
cd "$(dirname "$0")"

skip() {
    echo "skipped: $1"
    exit 77
}

command -v node >/dev/null || skip 'node is not installed'
command -v npm >/dev/null || skip 'npm is not installed'
major=$(node -p 'process.versions.node.split(".")[0]')
((major >= 20)) || skip "node $major is older than 20"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json package-lock.json gateway.yaml ./*.mjs "$work/"

if [ -z "$binary" ]; then
    cargo build --locked --manifest-path ../../Cargo.toml
    target=${CARGO_TARGET_DIR:-../../target}
    binary=$(realpath "$target/debug/obo-gateway")
fi

cd "$work"
status=0
npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 >npm.log 2>&1 || status=$?
if ((status != 0)); then
    # an unreachable registry is not an error of this repository; anything else is
    reason=$(grep -oEm1 'E(NOTFOUND|CONN[A-Z]+|TIMEDOUT|AI_AGAIN|HOSTUNREACH|NETUNREACH|SOCKETTIMEDOUT)|ERR_SOCKET_TIMEOUT' npm.log || true)
    [ -z "$reason" ] || skip "npm cannot reach its registry ($reason)"
    cat npm.log
    exit 1
fi
node run.mjs "$binary"
