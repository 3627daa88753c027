#!/usr/bin/env bash
# Every alert of docs/metrics.md fires in a real Prometheus when its fault occurs, starting with a new gateway, and no alert
# fires without its fault. The rules are those of the page, with seconds instead of minutes.
#
#   tests/ops/alerts.sh [GATEWAY_BINARY]
#
# Exit status: 0, 1, or 77 if it cannot run here ("skipped: …").
set -euo pipefail
binary=${1:+$(realpath "$1")}
cd "$(dirname "$0")"

skip() {
    echo "skipped: $1"
    exit 77
}

for tool in prometheus promtool python3 openssl; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
if [ -z "$binary" ]; then
    cargo build --locked --manifest-path ../../Cargo.toml
    binary=$(realpath "${CARGO_TARGET_DIR:-../../target}/debug/obo-gateway")
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# the page's rules: the code block that begins with `groups:`
awk '/^```yaml/ { block = ""; on = 1; next } /^```/ { if (on && block ~ /^groups:/) printf "%s", block; on = 0 } on { block = block $0 "\n" }' \
    ../../docs/metrics.md >"$work/rules.yml"
promtool check rules "$work/rules.yml"
cp alerts/rules_test.yml "$work/"
promtool test rules "$work/rules_test.yml"
python3 alerts/run.py "$binary" "$work"
