#!/usr/bin/env bash
# Runs a third-party client against the program.
#
#   tests/clients/run.sh google|msal|msal-node|oauth4webapi|spring|schemathesis GATEWAY_BINARY
#
# Packages of PyPI, npm and Maven Central are installed once, in the folder that CLIENTS names, or in a folder that is removed
# at the end. Exit status: 0, 1, or 77 if it cannot run here ("skipped: …").
set -euo pipefail
name=${1:?which client} binary=$(realpath "${2:?which gateway}")
here=$(realpath "$(dirname "$0")")

skip() {
    echo "skipped: $1"
    exit 77
}

if [ -z "${CLIENTS:-}" ]; then
    CLIENTS=$(mktemp -d)
    trap 'rm -rf "$CLIENTS"' EXIT
fi

# an unreachable registry is not an error of this repository; anything else is
unreachable() {
    grep -qE 'E(NOTFOUND|CONN[A-Z]+|TIMEDOUT|AI_AGAIN|HOSTUNREACH|NETUNREACH|SOCKETTIMEDOUT)|ERR_SOCKET_TIMEOUT|NewConnectionError|NameResolutionError|ConnectTimeoutError|Max retries exceeded|UnknownHostException|Unknown host|Connection (refused|timed out|reset)|Network is unreachable|Temporary failure in name resolution' "$1"
}

install_python() {
    local to=$CLIENTS/python
    [ -e "$to/complete" ] && return
    command -v python3 >/dev/null || skip 'python3 is not installed'
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip 'python3 is older than 3.10'
    python3 -m venv "$to" >"$CLIENTS/log" 2>&1 || skip "python3 has no venv: $(tail -n 1 "$CLIENTS/log")"
    if ! "$to/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >"$CLIENTS/log" 2>&1; then
        ! unreachable "$CLIENTS/log" || skip 'pip cannot reach its registry'
        cat "$CLIENTS/log"
        exit 1
    fi
    touch "$to/complete"
}

install_node() {
    local to=$CLIENTS/node major
    command -v node >/dev/null || skip 'node is not installed'
    command -v npm >/dev/null || skip 'npm is not installed'
    major=$(node -p 'process.versions.node.split(".")[0]')
    ((major >= 20)) || skip "node $major is older than 20"
    mkdir -p "$to"
    cp "$here"/package*.json "$here"/*.mjs "$to/"
    if ! npm --prefix "$to" ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 >"$CLIENTS/log" 2>&1; then
        ! unreachable "$CLIENTS/log" || skip 'npm cannot reach its registry'
        cat "$CLIENTS/log"
        exit 1
    fi
}

# The client and its dependencies, as one folder of jars; Maven's downloads are kept in the same place.
install_spring() {
    local to=$CLIENTS/spring
    [ -e "$to/complete" ] && return
    command -v java >/dev/null || skip 'java is not installed'
    command -v mvn >/dev/null || skip 'mvn is not installed'
    java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])' || skip 'java is older than 17'
    mkdir -p "$to"
    cp -r "$here"/spring/. "$to/"
    # shellcheck disable=SC2086
    if ! mvn ${MAVEN_ARGS:-} --batch-mode --quiet --file "$to/pom.xml" package >"$CLIENTS/log" 2>&1; then
        ! unreachable "$CLIENTS/log" || skip 'Maven cannot reach its repository'
        cat "$CLIENTS/log"
        exit 1
    fi
    touch "$to/complete"
}

install_python
case $name in
google) script=google_sts.py ;;
msal) script=msal_obo.py ;;
oauth4webapi)
    install_node
    script=node.py
    ;;
msal-node)
    install_node
    script=msal_node.py
    ;;
spring)
    install_spring
    script=spring.py
    ;;
schemathesis) script=openapi.py ;;
*)
    sed -n '4p' "$0" >&2
    exit 2
    ;;
esac
# nothing is written to the folder of the scripts
export PYTHONDONTWRITEBYTECODE=1 PATH=$CLIENTS/python/bin:$PATH CLIENTS
"$CLIENTS/python/bin/python" "$here/$script" "$binary"
