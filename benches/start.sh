#!/usr/bin/env bash
# Measures the time from the start of the gateway until it is ready, with many routes: until the first 200 from /readyz, which
# is requested every millisecond. Prints the time of several runs and their median.
#
#   benches/start.sh [routes] [runs]        PROFILE=debug or release for another build than dist
set -euo pipefail

ROUTES=${1:-1000} RUNS=${2:-11} PROFILE=${PROFILE:-dist}
cd "$(dirname "$0")/.."
BIN=${CARGO_TARGET_DIR:-target}/$PROFILE
WORK=$(mktemp -d)
GATEWAY=
finish() {
    [ -z "$GATEWAY" ] || kill "$GATEWAY" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$WORK"
}
trap finish EXIT

build=(cargo build --quiet --features side-by-side --bin obo-gateway --example tokens)
[ "$PROFILE" = debug ] || build+=(--profile "$PROFILE")
[ -n "${BUILT:-}" ] || "${build[@]}"
"$BIN/examples/tokens" --out "$WORK" --algorithm EdDSA
# a port that is free now; it is unlikely that another program takes it within the next second
ADMIN=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
    cat <<YAML
listeners: [ { address: 127.0.0.1:0 } ]
admin: { address: 127.0.0.1:$ADMIN }
issuer: { url: https://gateway.example.com, signing_keys: [ { file: 1.pem, generate: ES256 } ] }
trusted_issuers:
  - { name: corp, issuer: https://idp.example.com, audiences: [portal], algorithms: [EdDSA], keys: { jwks_file: jwks.json } }
telemetry: { log: { access: { file: access.jsonl } }, audit: { file: audit.jsonl } }
routes:
YAML
    for n in $(seq "$ROUTES"); do
        cat <<YAML
  - name: route-$n
    match: { hosts: [api.example.com], prefix: /team-$((n % 32))/service-$n, methods: [GET, POST] }
    upstream:
      targets: [ { url: https://127.0.0.$((n % 250 + 1)):8443 } ]
      rewrite_prefix: /
      timeouts: { connect: 2s, response: 15s, idle: 60s }
    exchange:
      audience: service-$n
      scope: { allow: [service.read, service.write], require: [service.read] }
      token: { lifetime: 2m, claims: { copy: [email] } }
YAML
    done
} >"$WORK/gateway.yaml"

python3 - "$BIN/obo-gateway" "$WORK/gateway.yaml" "$ADMIN" "$RUNS" "$ROUTES" <<'PY'
import http.client, statistics, subprocess, sys, time

program, file, admin, runs, routes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]


def ready():
    try:
        connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def run():
    began = time.monotonic()
    gateway = subprocess.Popen([program, "run", "--config", file], stderr=subprocess.DEVNULL)
    try:
        while not ready():
            if gateway.poll() is not None or time.monotonic() - began > 60:
                sys.exit("the gateway did not get ready")
            time.sleep(0.001)
        return 1000 * (time.monotonic() - began)
    finally:
        gateway.terminate()
        gateway.wait()


run()  # makes the signing key
times = [run() for _ in range(runs)]
each = " ".join(f"{took:.0f}" for took in times)
print(f"routes={routes} ready after {statistics.median(times):.0f} ms (median of {runs}: {each})")
PY
