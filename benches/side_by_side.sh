#!/usr/bin/env bash
# CPU per request of each proxy, measured side by side: the variants take turns within each round, so that whatever else
# the machine does meanwhile falls on all of them; the figure is the median over the rounds, and so is each ratio to
# `bare`. Beside them stand the lower quartiles, and their ratio: the rounds in which others on the same hardware left the
# caches alone. The proxies are pinned to one core, the load and the API behind them to another.
#
#   benches/side_by_side.sh [rounds] [requests per round] [connections]
#
# `warm` is the gateway in its default configuration, access log to a file; `warm-no-log` the same without that log;
# `cold` a gateway that sees every token for the first time, beside what it cannot do without: one request of `bare`,
# one signature checked and one made (ALGORITHM, ES256 by default).
# Requests and answers are such as HTTP clients and API frameworks write (HEADS=short: two fields each and 128 bytes, the
# least that a proxy can be given to do, which makes the most of what the gateway adds). Load and API never sleep: what it
# costs to wake them up, in a virtual machine a lot, is their idleness and no proxy's work.
# Every other round goes through the list backwards, so that no variant is always the first on a cold core. Rounds are short,
# a tenth of a second for each variant, and many: what else is on the hardware changes from one second to the next, and tells
# less on two variants the sooner they follow each other (ten times the length in a tenth of the rounds is four times as vague).
# A process keeps for its life what luck it had with where its memory lies, which can be a few hundredths: all are started anew
# GENERATIONS times in a run, 9 unless said otherwise.
# `bare` stands in the list twice: how far its own ratio is from 1.00 is the noise of this run.
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

# ── The variants: name, process, port, file of header lines, and where each round has tokens of its own their folder ───
PIDS=()
variant() { NAMES+=("$1") PIDS+=("$2") PORTS+=("$3") HEADERS+=("$4") TOKENS+=("${5:-}"); }

make_requests() {
    write_fields >"$WORK/plain"
    "$BIN/examples/tokens" --out "$WORK" --files $((ROUNDS + 1)) --tokens "$COLD_REQUESTS" --algorithm "$ALGORITHM"
    { cat "$WORK/plain"; head -1 "$WORK/tokens.0" | sed 's/^/Authorization: Bearer /'; } >"$WORK/one-token"
}

# Starts every variant, instead of those that run.
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

# The gateway's own: the same gateway thrice, for requests with one token, without the access log, and for requests of
# which no two have one token. `bare` is sent a token as well and forwards it, so that heads are of one length.
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

# ── How it is measured ─────────────────────────────────────────────────────────────────────────────────────────────────

# start NAME CORE COMMAND…: runs a program that prints `listening <address>`, or logs that as JSON; sets PID and PORT.
start() {
    local name=$1 core=$2
    shift 2
    # one that ran before said another port
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

# The cold path costs what it must: one bare request, one signature checked, one made.
ratio=$(paste "$WORK/cold.us" "$WORK/bare.us" "$WORK/verify-and-sign.us" | awk '{ printf "%.4f\n", $1 / ($2 + $3) }' | median)
printf '%-24s %12.2f\n' "verify and sign $ALGORITHM" "$(median <"$WORK/verify-and-sign.us")"
printf '%-24s %12s %10.3f\n' 'cold over that and bare' '' "$ratio"
