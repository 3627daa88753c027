#!/usr/bin/env bash
# Reloads a gateway under a steady load, with valid and invalid files, and counts lost requests.
#
#   tests/ops/reloads.sh [reloads] [requests per second]        PROFILE=debug or dist for another build than release
#
# Every third file is invalid, in one of six ways. The valid ones differ in routes, policy, limits, listeners, issuers, keys
# and log files. The exit status is 1 if a request was lost or got a response other than 2xx.
set -euo pipefail

RELOADS=${1:-1000} RATE=${2:-1000} PROFILE=${PROFILE:-release}
cd "$(dirname "$0")/../.."
BIN=${CARGO_TARGET_DIR:-target}/$PROFILE
WORK=$(mktemp -d)

STARTED=()
finish() {
    for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$WORK"
}
trap finish EXIT

# start NAME COMMAND…: runs a program and waits until it prints its addresses; sets PID and PORTS.
start() {
    local name=$1
    shift
    "$@" >"$WORK/$name.log" 2>&1 &
    PID=$!
    STARTED+=("$PID")
    for _ in $(seq 200); do
        mapfile -t PORTS < <(sed -nE '/(^|"message":")(admin )?listening/s/.*[0-9.]+\.[0-9]+:([0-9]+).*/\1/p' "$WORK/$name.log")
        [ "${#PORTS[@]}" -ge "${WANTED:-1}" ] && return
        kill -0 "$PID" 2>/dev/null || break
        sleep 0.05
    done
    echo "$name did not start:" >&2
    cat "$WORK/$name.log" >&2
    exit 1
}

# file NUMBER: prints the configuration of that reload.
file() {
    local n=$1 scope='[orders.read, orders.write]' more='' listener='' leeway=30s keys='{ file: 1.pem, generate: ES256 }'
    ((n % 2)) && scope='[orders.read]'
    ((n % 4 == 1)) && more="
  - { name: extra-$n, match: { prefix: /extra-$n }, upstream: { targets: [ { url: http://127.0.0.1:$ORIGIN } ] }, public: true }"
    ((n % 5 == 1)) && listener=', { address: 127.0.0.1:0 }, { address: "[::1]:0" }'
    ((n % 7 == 1)) && leeway=10s
    ((n % 11 == 1)) && keys="{ file: 2.pem, generate: EdDSA }, $keys"
    cat <<YAML
listeners: [ { address: 127.0.0.1:0 }$listener ]
admin: { address: 127.0.0.1:0 }
issuer: { url: https://gateway.example.com, signing_keys: [ $keys ] }
trusted_issuers:
  - { name: corp, issuer: https://idp.example.com, audiences: [portal], algorithms: [EdDSA], leeway: $leeway, keys: { jwks_file: jwks.json } }
routes:
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: http://127.0.0.1:$ORIGIN } ], timeouts: { response: $((15 + n % 3))s } }
    exchange: { audience: orders-api, scope: { allow: $scope } }$more
limits: { header_timeout: $((10 + n % 2))s }
cache: { max_size: 2MiB } # entries of an earlier policy leave when there is no room: growth beyond that is a leak
telemetry: { log: { access: { file: access-$((n % 3)).jsonl } }, audit: { file: audit.jsonl } }
YAML
}

# bad NUMBER: prints that configuration with one error.
bad() {
    case $(($1 / 3 % 6)) in
        0) file "$1" | sed 's/allow:/alow:/' ;;
        1) file "$1" | head -c 300 ;;
        2) file "$1" | sed "s/^listeners: \[/&{ address: 127.0.0.1:$ORIGIN },/" ;;
        3) file "$1" | sed 's/jwks_file: jwks.json/jwks_file: absent.json/' ;;
        4) file "$1" | sed 's/generate: ES256/generate: HS256/' ;;
        5) : ;;
    esac
}

# reloads OUTCOME: prints the gateway's number of reloads with this outcome.
reloads() {
    curl -sf "http://127.0.0.1:$ADMIN/metrics" | sed -nE "s/^obo_config_reload_total\{outcome=\"$1\"\} //p"
}

# serve FILE OUTCOME COUNT: makes the gateway reload the file, and waits until its counter of the outcome has this value.
serve() {
    mv "$1" "$WORK/gateway.yaml"
    kill -HUP "$GATEWAY"
    for _ in $(seq 2000); do
        [ "$(reloads "$2")" = "$3" ] && return
        sleep 0.005
    done
    echo "a reload was not $2:" >&2
    tail -5 "$WORK/gateway.log" >&2
    exit 1
}

state() {
    local series rss
    series=$(curl -sf "http://127.0.0.1:$ADMIN/metrics" | grep -vc '^#')
    rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$GATEWAY/status")
    echo "rss=${rss}KiB threads=$(ls "/proc/$GATEWAY/task" | wc -l) descriptors=$(ls "/proc/$GATEWAY/fd" | wc -l) series=$series"
}

build=(cargo build --quiet --features side-by-side --bin obo-gateway --example origin --example load --example tokens)
[ "$PROFILE" = debug ] || build+=(--profile "$PROFILE")
[ -n "${BUILT:-}" ] || "${build[@]}"
start origin "$BIN/examples/origin"
ORIGIN=${PORTS[0]}
"$BIN/examples/tokens" --out "$WORK" --tokens 50 --algorithm EdDSA
file 0 >"$WORK/gateway.yaml"
WANTED=2 start gateway "$BIN/obo-gateway" run --config "$WORK/gateway.yaml"
GATEWAY=$PID PORT=${PORTS[0]} ADMIN=${PORTS[1]}

"$BIN/examples/load" --target "127.0.0.1:$PORT" --path /orders/1 --tokens "$WORK/tokens.0" --connections 32 \
    --rate "$RATE" --until "$WORK/done" >"$WORK/load.out" &
LOAD=$!
STARTED+=("$LOAD")
applied=0 refused=0 before=
for n in $(seq "$RELOADS"); do
    if ((n % 3 == 0)); then
        bad "$n" >"$WORK/next.yaml"
        serve "$WORK/next.yaml" refused $((refused += 1))
    else
        file "$n" >"$WORK/next.yaml"
        serve "$WORK/next.yaml" applied $((applied += 1))
    fi
    [ "$n" != $((RELOADS / 10)) ] || before=$(state)
done
kill -0 "$LOAD" || { echo "the load ended early: $(cat "$WORK/load.out")" >&2; exit 1; }
after=$(state)
touch "$WORK/done"
status=0
wait "$LOAD" || status=$?
echo "reloads=$RELOADS applied=$applied refused=$refused $(cat "$WORK/load.out")"
echo "after a tenth: $before"
echo "at the end:    $after"
exit "$status"
