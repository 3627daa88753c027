#!/usr/bin/env bash
# CPU per request of each proxy, measured side by side: the variants take turns within each round, so that whatever else
# the machine does meanwhile falls on all of them; the figure is the median over the rounds, and so is each ratio to
# `bare`. The proxies are pinned to one core, the load and the API behind them to another.
#
#   benches/side_by_side.sh [rounds] [requests per round] [connections]
#
# Every other round goes through the list backwards, so that no variant is always the first on a cold core.
# `bare` stands in the list twice: how far its own ratio is from 1.00 is the noise of this run.
set -euo pipefail

ROUNDS=${1:-15} REQUESTS=${2:-40000} CONNECTIONS=${3:-32}
PROXY_CORE=${PROXY_CORE:-0} LOAD_CORE=${LOAD_CORE:-1}
cd "$(dirname "$0")/.."
BIN=${CARGO_TARGET_DIR:-target}/release
WORK=$(mktemp -d)
TICK_US=$((1000000 / $(getconf CLK_TCK)))

STARTED=()
finish() {
    for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$WORK"
}
trap finish EXIT

# ── The variants: name, process, port, file of header lines ────────────────────────────────────────────────────────────
NAMES=() PIDS=() PORTS=() HEADERS=()
variant() { NAMES+=("$1") PIDS+=("$2") PORTS+=("$3") HEADERS+=("$4"); }

add_variants() {
    : >"$WORK/plain"
    start bare "$PROXY_CORE" "$BIN/examples/bare_proxy" --upstream "127.0.0.1:$ORIGIN_PORT"
    variant bare "$PID" "$PORT" "$WORK/plain"
    start bare-again "$PROXY_CORE" "$BIN/examples/bare_proxy" --upstream "127.0.0.1:$ORIGIN_PORT"
    variant bare-again "$PID" "$PORT" "$WORK/plain"
    add_gateway_variants
}

# The gateway's own: start `$BIN/obo-gateway run --config …` with `start`, whose log names the address, and add it with
# `variant`. `bare` is sent the header lines of its own file: send it the same ones where they make a difference.
add_gateway_variants() {
    :
}

# ── How it is measured ─────────────────────────────────────────────────────────────────────────────────────────────────

# start NAME CORE COMMAND…: runs a program that prints `listening <address>`; sets PID and PORT.
start() {
    local name=$1 core=$2
    shift 2
    taskset -c "$core" "$@" >"$WORK/$name.log" 2>&1 &
    PID=$!
    STARTED+=("$PID")
    for _ in $(seq 200); do
        PORT=$(sed -n 's/.*listening .*:\([0-9][0-9]*\).*/\1/p' "$WORK/$name.log" | head -1)
        [ -n "$PORT" ] && return
        kill -0 "$PID" 2>/dev/null || break
        sleep 0.05
    done
    echo "$name did not start:" >&2
    cat "$WORK/$name.log" >&2
    exit 1
}

# CPU time of a process so far, in µs: utime and stime (proc(5), fields 14 and 15).
cpu_us() {
    local stat
    stat=$(<"/proc/$1/stat")
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    echo $(((${12} + ${13}) * TICK_US))
}

load() { # PORT HEADERFILE REQUESTS
    taskset -c "$LOAD_CORE" "$BIN/examples/load" --target "127.0.0.1:$1" --header-file "$2" --requests "$3" \
        --connections "$CONNECTIONS"
}

# measure NAME PID PORT HEADERFILE: appends µs of CPU per request to the variant's figures.
measure() {
    local before after
    before=$(cpu_us "$2")
    load "$3" "$4" "$REQUESTS" >"$WORK/$1.load" || { echo "$1: $(cat "$WORK/$1.load")" >&2; exit 1; }
    after=$(cpu_us "$2")
    awk -v us=$((after - before)) -v n="$REQUESTS" 'BEGIN { printf "%.3f\n", us / n }' >>"$WORK/$1.us"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

cargo build --release --quiet --bin obo-gateway --example bare_proxy --example origin --example load
start origin "$LOAD_CORE" "$BIN/examples/origin"
ORIGIN_PORT=$PORT
add_variants

for i in "${!NAMES[@]}"; do
    load "${PORTS[i]}" "${HEADERS[i]}" $((REQUESTS / 10)) >/dev/null
done
for round in $(seq "$ROUNDS"); do
    order=("${!NAMES[@]}")
    if ((round % 2 == 0)); then mapfile -t order < <(printf '%s\n' "${order[@]}" | tac); fi
    for i in "${order[@]}"; do
        measure "${NAMES[i]}" "${PIDS[i]}" "${PORTS[i]}" "${HEADERS[i]}"
    done
    printf 'round %d:' "$round"
    for name in "${NAMES[@]}"; do printf '  %s %s µs' "$name" "$(tail -1 "$WORK/$name.us")"; done
    echo
done

printf '\n%-24s %12s %10s\n' 'median of rounds' 'µs/request' 'ratio'
for name in "${NAMES[@]}"; do
    ratio=$(paste "$WORK/$name.us" "$WORK/bare.us" | awk '{ printf "%.4f\n", $1 / $2 }' | median)
    printf '%-24s %12.2f %10.3f\n' "$name" "$(median <"$WORK/$name.us")" "$ratio"
done
