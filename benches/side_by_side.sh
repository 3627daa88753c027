#!/usr/bin/env bash
# Measures the CPU time per request of each proxy. The variants take turns within each round, so that other load on the
# machine affects all of them. The result is the median over the rounds, and so is each ratio to `bare`. The output also
# contains the lower quartiles and their ratio: the rounds in which other programs on the same hardware used the caches least.
# The proxies are pinned to one core, the load generator and the API to another.
#
#   benches/side_by_side.sh [rounds] [requests per round] [connections]
#
# `warm` is the gateway in its default configuration, with the access log in a file; `warm-no-log` is the same without that
# log; `cold` is a gateway that gets a new token with every request. It is compared with the minimum that it needs: one
# request of `bare`, one signature verified and one made (ALGORITHM, ES256 by default).
# Requests and responses are typical of HTTP clients and API frameworks. HEADS=short selects two fields each and 128 bytes,
# the least work for a proxy, so that the share of the gateway is largest. The load generator and the API never sleep,
# because waking them up costs a lot in a virtual machine and is not the proxy's work.
# Every second round runs in reverse order, so that no variant is always the first on a cold core. There are many rounds, and
# they are short (a tenth of a second for each variant), because the other load on the hardware changes from second to second
# and distorts a comparison less if two variants run close together. (Rounds that are ten times as long, with a tenth of the
# number, are four times as noisy.) The memory layout of a process is constant while it runs and can change the result
# by a few percent. Therefore all processes are restarted GENERATIONS times in a run (default: 9).
# `bare` is in the list twice: the distance of its own ratio from 1.00 is the noise of this run.
set -euo pipefail

ROUNDS=${1:-180} REQUESTS=${2:-2000} CONNECTIONS=${3:-32}
PROXY_CORE=${PROXY_CORE:-0} LOAD_CORE=${LOAD_CORE:-1} ALGORITHM=${ALGORITHM:-ES256}
HEADS=${HEADS:-usual} GENERATIONS=${GENERATIONS:-9}
COLD_REQUESTS=${COLD_REQUESTS:-$((REQUESTS / 8))}
cd "$(dirname "$0")/.."
BIN=${CARGO_TARGET_DIR:-target}/dist
WORK=$(mktemp -d)

finish() {
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$WORK"
}
trap finish EXIT

# ── The variants: name, process, port, file of header lines, and the folder of tokens if each round has its own ────────
PIDS=()
variant() { NAMES+=("$1") PIDS+=("$2") PORTS+=("$3") HEADERS+=("$4") TOKENS+=("${5:-}"); }

make_requests() {
    write_fields >"$WORK/plain"
    "$BIN/examples/tokens" --out "$WORK" --files $((ROUNDS + 1)) --tokens "$COLD_REQUESTS" --algorithm "$ALGORITHM"
    { cat "$WORK/plain"; head -1 "$WORK/tokens.0" | sed 's/^/Authorization: Bearer /'; } >"$WORK/one-token"
}

# Stops the running variants and starts every variant.
start_variants() {
    [ ${#PIDS[@]} = 0 ] || { kill "${PIDS[@]}" && wait "${PIDS[@]}"; } 2>/dev/null || true
    NAMES=() PIDS=() PORTS=() HEADERS=() TOKENS=()
    start bare "$PROXY_CORE" "$BIN/examples/bare_proxy" --upstream "127.0.0.1:$ORIGIN_PORT"
    variant bare "$PID" "$PORT" "$WORK/one-token"
    start bare-again "$PROXY_CORE" "$BIN/examples/bare_proxy" --upstream "127.0.0.1:$ORIGIN_PORT"
    variant bare-again "$PID" "$PORT" "$WORK/one-token"
    add_gateway_variants
}

# The fields of a request besides Host and Authorization.
write_fields() {
    [ "$HEADS" = short ] && return
    cat <<'FIELDS'
User-Agent: orders-portal/4.2 (Linux x86_64) http-client/1.9
Accept: application/json
Accept-Encoding: gzip, deflate, br
Accept-Language: en-GB,en;q=0.8
Content-Type: application/json
FIELDS
}

# The variants of the gateway: with one token for all requests, the same without the access log, and with a different token
# for each request. `bare` also gets a token and forwards it, so that all heads have the same length.
add_gateway_variants() {
    gateway warm "{ file: warm.jsonl }"
    variant warm "$PID" "$PORT" "$WORK/one-token"
    gateway warm-no-log "{ off: true }"
    variant warm-no-log "$PID" "$PORT" "$WORK/one-token"
    gateway cold "{ file: cold.jsonl }"
    variant cold "$PID" "$PORT" "$WORK/plain" "$WORK"
}

# gateway NAME ACCESSLOG: starts a gateway that trusts the tokens in $WORK.
gateway() {
    cat >"$WORK/$1.yaml" <<YAML
listeners: [ { address: 127.0.0.1:0 } ]
admin: { address: 127.0.0.1:0 }
issuer:
  url: https://gateway.example.com
  signing_keys: [ { file: $1.pem, generate: $ALGORITHM } ]
trusted_issuers:
  - { name: corp, issuer: https://idp.example.com, audiences: [portal], algorithms: [$ALGORITHM], keys: { jwks_file: jwks.json } }
routes:
  - name: orders
    match: { prefix: / }
    upstream: { targets: [ { url: http://127.0.0.1:$ORIGIN_PORT } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.read, orders.write] } }
runtime: { threads: 1 }
telemetry: { log: { access: $2 }, audit: { file: $1.audit.jsonl } }
YAML
    start "$1" "$PROXY_CORE" "$BIN/obo-gateway" run --config "$WORK/$1.yaml"
}

# ── Measurement ────────────────────────────────────────────────────────────────────────────────────────────────────────

# start NAME CORE COMMAND…: runs a program that prints `listening <address>`, or logs that as JSON; sets PID and PORT.
start() {
    local name=$1 core=$2
    shift 2
    # an earlier process printed a different port
    : >"$WORK/$name.log"
    taskset -c "$core" "$@" >"$WORK/$name.log" 2>&1 &
    PID=$!
    for _ in $(seq 200); do
        PORT=$(sed -nE '/(^|"message":")listening/s/.*[0-9.]+\.[0-9]+:([0-9]+).*/\1/p' "$WORK/$name.log" | head -1)
        [ -n "$PORT" ] && return
        kill -0 "$PID" 2>/dev/null || break
        sleep 0.05
    done
    echo "$name did not start:" >&2
    cat "$WORK/$name.log" >&2
    exit 1
}

# CPU time of a process so far, over its threads, in ns: the first field of schedstat (proc(5) counts in ticks of 10 ms).
cpu_ns() { cat "/proc/$1/task"/*/schedstat | awk '{ ns += $1 } END { printf "%.0f\n", ns }'; }

load() { # PORT REQUESTS ARGUMENT…
    local port=$1 requests=$2
    shift 2
    taskset -c "$LOAD_CORE" "$BIN/examples/load" --target "127.0.0.1:$port" --requests "$requests" \
        --connections "$CONNECTIONS" --awake "$@"
}

# measure VARIANT ROUND: appends µs of CPU per request to the variant's figures. Round 0 is the warm-up.
measure() {
    local name=${NAMES[$1]} pid=${PIDS[$1]} requests=$REQUESTS arguments=(--header-file "${HEADERS[$1]}") before after
    if [ -n "${TOKENS[$1]}" ]; then
        requests=$COLD_REQUESTS
        arguments+=(--tokens "${TOKENS[$1]}/tokens.$2")
    fi
    before=$(cpu_ns "$pid")
    load "${PORTS[$1]}" "$requests" "${arguments[@]}" >"$WORK/$name.load" || { echo "$name: $(cat "$WORK/$name.load")" >&2; exit 1; }
    # the access log is written within 100 ms
    [ "$2" = 0 ] || sleep 0.12
    after=$(cpu_ns "$pid")
    [ "$2" = 0 ] || awk -v ns=$((after - before)) -v n="$requests" 'BEGIN { printf "%.3f\n", ns / n / 1000 }' >>"$WORK/$name.us"
}

quartile() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 3) / 4)] }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

cargo build --profile dist --quiet --features side-by-side --bin obo-gateway --example bare_proxy --example origin --example load --example tokens
ORIGIN=(--awake)
[ "$HEADS" != short ] || ORIGIN+=(--short)
start origin "$LOAD_CORE" "$BIN/examples/origin" "${ORIGIN[@]}"
ORIGIN_PORT=$PORT
make_requests

of_one_start=$(((ROUNDS + GENERATIONS - 1) / GENERATIONS))
for round in $(seq "$ROUNDS"); do
    if (((round - 1) % of_one_start == 0)); then
        start_variants
        for i in "${!NAMES[@]}"; do measure "$i" 0; done
    fi
    order=("${!NAMES[@]}")
    if ((round % 2 == 0)); then mapfile -t order < <(printf '%s\n' "${order[@]}" | tac); fi
    for i in "${order[@]}"; do
        measure "$i" "$round"
    done
    taskset -c "$PROXY_CORE" "$BIN/examples/tokens" --time 500 --algorithm "$ALGORITHM" >>"$WORK/verify-and-sign.us"
    printf 'round %d:' "$round"
    for name in "${NAMES[@]}"; do printf '  %s %s µs' "$name" "$(tail -1 "$WORK/$name.us")"; done
    echo
done

printf '\n%-24s %12s %10s %14s %10s\n' 'of all rounds' 'median, µs' 'ratio' 'quartile, µs' 'ratio'
calm=$(quartile <"$WORK/bare.us")
for name in "${NAMES[@]}"; do
    ratio=$(paste "$WORK/$name.us" "$WORK/bare.us" | awk '{ printf "%.4f\n", $1 / $2 }' | median)
    lower=$(quartile <"$WORK/$name.us")
    printf '%-24s %12.2f %10.3f %14.2f %10.3f\n' "$name" "$(median <"$WORK/$name.us")" "$ratio" \
        "$lower" "$(awk -v a="$lower" -v b="$calm" 'BEGIN { print a / b }')"
done

# The minimum cost of the cold path: one bare request, one signature verified and one made.
ratio=$(paste "$WORK/cold.us" "$WORK/bare.us" "$WORK/verify-and-sign.us" | awk '{ printf "%.4f\n", $1 / ($2 + $3) }' | median)
printf '%-24s %12.2f\n' "verify and sign $ALGORITHM" "$(median <"$WORK/verify-and-sign.us")"
printf '%-24s %12s %10.3f\n' 'cold over that and bare' '' "$ratio"
