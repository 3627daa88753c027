#!/usr/bin/env bash
# ZITADEL's guide to token exchange, request by request: shows each response and compares it with the guide.
# Usage: run.sh [GATEWAY_BINARY]; without one it is built. Exit status: 0, 1 if a response differs from the guide, or 77 if
# it cannot run here ("skipped: …"). It uses free ports and a temporary folder. Writes nothing to this folder.
set -euo pipefail
binary=${1:+$(realpath "$1")}
cd "$(dirname "$0")"

for tool in curl jq openssl python3; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
if [ -z "$binary" ]; then
    cargo build --locked --manifest-path ../../Cargo.toml
    binary=$(realpath "${CARGO_TARGET_DIR:-../../target}/debug/obo-gateway")
fi

# ── Everything on free ports ────────────────────────────────────────────────────────────────────────────────────────────
work=$(mktemp -d)
started=()
finish() {
    for child in "${started[@]}"; do kill "$child" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
trap 'echo "✘ line $LINENO: $BASH_COMMAND"; tail -n 20 "$work/gateway.log"' ERR

read -r port admin provider upstream < <(python3 -c '
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(one.getsockname()[1] for one in taken))')
cp -r gateway.yaml directory.yaml secrets provider.sh "$work/"
sed -i "s/127.0.0.1:8080/127.0.0.1:$port/; s/127.0.0.1:9090/127.0.0.1:$admin/; s/127.0.0.1:9000/127.0.0.1:$provider/; s/127.0.0.1:9201/127.0.0.1:$upstream/" \
    "$work/gateway.yaml"
export FOLDER=$work/provider ISSUER=http://127.0.0.1:$provider
GATEWAY=http://127.0.0.1:$port

# until COMMAND…: for ten seconds at most.
until_so() {
    local deadline=$((SECONDS + 10))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || { echo "✘ timed out waiting for: $*"; cat "$work"/*.log; exit 1; }
        sleep 0.05
    done
}

"$work/provider.sh" serve "$provider" >"$work/provider.log" 2>&1 &
started+=($!)
until_so curl -fs "$ISSUER/keys"
"$binary" --config "$work/gateway.yaml" >"$work/gateway.log" 2>&1 &
started+=($!)
until_so curl -fs "http://127.0.0.1:$admin/readyz"

# ── How requests are made, shown and checked ────────────────────────────────────────────────────────────────────────────
WEB=web@portal:$(cat secrets/web)
AGGREGATES=api@aggregates:$(cat secrets/aggregates)
SETTINGS=api@settings:$(cat secrets/settings)
EXCHANGE='grant_type=urn:ietf:params:oauth:grant-type:token-exchange'
TYPE=urn:ietf:params:oauth:token-type
USER_ID=urn:zitadel:params:oauth:token-type:user_id
ANSWER= CHECKS=0

title() { printf '\n━━ %s\n' "$1"; }

# Shortens what is too long to read, and what must stay secret.
short() { sed -E 's/[A-Za-z0-9_.-]{48,}/\x00/g; s/\x00/…/g; s/(secret=|:)[A-Za-z0-9_-]{40,}/\1…/g'; }

# ask STATUS PATH CURL-ARGUMENTS…: sends one request and shows its response; stores the body in ANSWER.
ask() {
    local wanted=$1 path=$2 status
    shift 2
    printf '$ curl -X POST %s' "$GATEWAY$path" | short
    printf ' %q' "$@" | short | sed 's/ -\([du]\)/ \\\n    -\1/g'
    echo
    status=$(curl -s -o "$work/answer" -w '%{http_code}' -X POST "$GATEWAY$path" -H 'Accept: application/json' "$@")
    ANSWER=$(cat "$work/answer")
    if [ -n "$ANSWER" ]; then jq . <<<"$ANSWER" | short; fi
    [ "$status" = "$wanted" ] || { echo "✘ status $status, not $wanted"; exit 1; }
    CHECKS=$((CHECKS + 1))
}

# token CURL-ARGUMENTS…: a request of the web application to the token endpoint; it must succeed.
token() { ask 200 /oauth/v2/token -u "$WEB" "$@"; }
# refuse ERROR CURL-ARGUMENTS…: a request that must be refused.
refuse() {
    ask 400 /oauth/v2/token -u "$WEB" "${@:2}"
    holds --arg error "$1" '.error == $error and (has("access_token") | not)'
}
introspect() { ask 200 /oauth/v2/introspect -u "$1" -d "token=$2"; }

# holds JQ-ARGUMENTS…: fails unless the filter is true for the response.
holds() {
    jq -e "$@" <<<"$ANSWER" >/dev/null || { echo "✘ assertion failed: ${*: -1}"; exit 1; }
    CHECKS=$((CHECKS + 1))
}
member() { jq -er --arg name "$1" '.[$name]' <<<"$ANSWER"; }

# claims_of MEMBER: shows the claims of a JWT in the response; stores them in ANSWER.
claims_of() {
    ANSWER=$(member "$1" | cut -d. -f2 | tr '_-' '/+' | awk '{ print $0 substr("===", 1, (4 - length($0) % 4) % 4) }' | openssl base64 -d -A)
    echo "its claims ($1):"
    jq . <<<"$ANSWER" | short
}

# ── The guide ───────────────────────────────────────────────────────────────────────────────────────────────────────────
END_USER=259242039378444290
IMPERSONATOR=259241944654282754
everything='["aggregates", "app@portal", "portal", "settings", "web@portal"]'
actor="{\"iss\": \"$ISSUER\", \"sub\": \"$IMPERSONATOR\"}"

title 'Two users have signed in at the provider'
subject=$(./provider.sh token "\"sub\":\"$END_USER\",\"scope\":\"openid profile email aggregates.read settings.write\"")
identity=$(./provider.sh id-token "\"sub\":\"$END_USER\"")
impersonator=$(./provider.sh token "\"sub\":\"$IMPERSONATOR\",\"scope\":\"openid\"")
echo "the end user $END_USER: an access token and an ID token; the impersonator $IMPERSONATOR: an access token"

title 'The access token as an opaque one, which the rest begins with'
token -d "$EXCHANGE" -d "subject_token=$subject" -d "subject_token_type=$TYPE:access_token"
holds --arg type "$TYPE:access_token" '.issued_token_type == $type and .token_type == "Bearer"'
holds '.scope | split(" ") | sort == ["aggregates.read", "email", "openid", "profile", "settings.write"]'
opaque=$(member access_token)

title 'Reduce audience and scope'
token -d "$EXCHANGE" -d "subject_token=$opaque" -d "subject_token_type=$TYPE:access_token" -d scope=openid -d audience=aggregates
holds '.scope == "openid" and .token_type == "Bearer" and .expires_in <= 43200 and has("id_token")'
reduced=$(member access_token)

title 'The API introspects the token'
introspect "$AGGREGATES" "$reduced"
holds 'keys == ["active", "aud", "client_id", "exp", "iat", "iss", "jti", "nbf", "scope", "sub", "token_type"]'
holds --arg user $END_USER '.active and .aud == ["aggregates"] and .scope == "openid" and .sub == $user and .client_id == "web@portal"'

title 'Another API learns nothing'
introspect "$SETTINGS" "$reduced"
holds '. == {"active": false}'

title '… and refuses it'
printf '$ curl -H "Authorization: Bearer …" %s\n' "$GATEWAY/settings/1"
ANSWER=$(curl -s -H "Authorization: Bearer $reduced" "$GATEWAY/settings/1")
jq . <<<"$ANSWER"
holds '.error == "invalid_token"'

title 'Change the token type: opaque to JWT'
token -d "$EXCHANGE" -d "subject_token=$opaque" -d "subject_token_type=$TYPE:access_token" -d "requested_token_type=$TYPE:jwt"
holds --arg type "$TYPE:jwt" '.issued_token_type == $type and .token_type == "Bearer" and has("id_token")'
jwt=$(member access_token)
claims_of access_token
holds --argjson all "$everything" --arg user $END_USER '(.aud | sort) == $all and .sub == $user and (has("act") | not)'

title '… and back'
token -d "$EXCHANGE" -d "subject_token=$jwt" -d "subject_token_type=$TYPE:access_token" -d scope=aggregates.read
holds '(.access_token | contains(".") | not) and .scope == "aggregates.read" and (has("id_token") | not)'

title 'Request an ID token'
ask 200 /oauth/v2/token -d client_id=form@portal -d "client_secret=$(cat secrets/form)" -d "$EXCHANGE" \
    -d "subject_token=$opaque" -d "subject_token_type=$TYPE:access_token" -d "requested_token_type=$TYPE:id_token"
holds --arg type "$TYPE:id_token" '.issued_token_type == $type and .token_type == "N_A" and (has("id_token") | not)'
claims_of access_token
holds '.azp == "form@portal" and (.aud | contains(["form@portal"])) and .name == "end user"'

title 'An ID token as an access token'
token -d "$EXCHANGE" -d "subject_token=$identity" -d "subject_token_type=$TYPE:id_token" -d 'scope=openid profile'
holds '.scope | split(" ") | sort == ["openid", "profile"]'

title 'Delegation by token'
token -d "$EXCHANGE" -d "subject_token=$opaque" -d "subject_token_type=$TYPE:access_token" \
    -d "actor_token=$impersonator" -d "actor_token_type=$TYPE:access_token" -d "requested_token_type=$TYPE:jwt"
claims_of access_token
holds --argjson actor "$actor" --arg user $END_USER '.act == $actor and .sub == $user'

title 'Impersonation by user ID'
token -d "$EXCHANGE" -d "subject_token=$END_USER" -d "subject_token_type=$USER_ID" \
    -d "actor_token=$impersonator" -d "actor_token_type=$TYPE:access_token" -d "requested_token_type=$TYPE:jwt" \
    -d 'scope=openid profile email'
holds '.scope | split(" ") | sort == ["email", "openid", "profile"]'
claims_of id_token
holds --argjson actor "$actor" '.act == $actor and .name == "end user" and .email_verified and (has("auth_time") | not)'

title 'Refresh an impersonated token'
token -d "$EXCHANGE" -d "subject_token=$END_USER" -d "subject_token_type=$USER_ID" \
    -d "actor_token=$impersonator" -d "actor_token_type=$TYPE:access_token" -d "requested_token_type=$TYPE:jwt" \
    -d 'scope=openid profile email offline_access'
first=$(member refresh_token)
token -d grant_type=refresh_token -d "refresh_token=$first"
holds '(.access_token | contains(".") | not) and .token_type == "Bearer"'
second=$(member refresh_token) refreshed=$(member access_token)
claims_of id_token
holds --argjson actor "$actor" --arg user $END_USER '.act == $actor and .sub == $user and .azp == "web@portal"'

title 'Impersonation by a JWT that the application signs'
signed() { "$work/provider.sh" signed "\"iss\":\"app@portal\",\"aud\":[\"$GATEWAY\"],$1"; }
ask 200 /oauth/v2/token -d "client_assertion=$(signed "\"sub\":\"app@portal\",\"jti\":\"$(openssl rand -hex 8)\"")" \
    -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer -d "$EXCHANGE" \
    -d "subject_token=$(signed "\"sub\":\"$END_USER\"")" -d "subject_token_type=$TYPE:jwt" \
    -d "actor_token=$impersonator" -d "actor_token_type=$TYPE:access_token" -d "requested_token_type=$TYPE:jwt" \
    -d 'scope=openid profile email'
claims_of access_token
holds --argjson actor "$actor" --arg user $END_USER '.act == $actor and .sub == $user and .client_id == "app@portal"'

# ── What the guide does not have ────────────────────────────────────────────────────────────────────────────────────────
title 'Revoke: the refresh token, and with it what came of it'
introspect "$AGGREGATES" "$refreshed"
holds '.active'
ask 200 /oauth/v2/revoke -u "$WEB" -d "token=$second"
introspect "$AGGREGATES" "$refreshed"
holds '. == {"active": false}'
refuse invalid_grant -d grant_type=refresh_token -d "refresh_token=$second"

title 'Never more than there was'
refuse invalid_scope -d "$EXCHANGE" -d "subject_token=$impersonator" -d "subject_token_type=$TYPE:access_token" -d 'scope=openid settings.write'
refuse invalid_target -d "$EXCHANGE" -d "subject_token=$opaque" -d "subject_token_type=$TYPE:access_token" -d audience=payroll
refuse invalid_target -d "$EXCHANGE" -d "subject_token=$opaque" -d "subject_token_type=$TYPE:access_token" -d resource=https://payroll.example.com
refuse invalid_request -d "$EXCHANGE" -d "subject_token=$END_USER" -d "subject_token_type=$USER_ID"
refuse invalid_request -d "$EXCHANGE" -d "subject_token=259241900000000002" -d "subject_token_type=$USER_ID" \
    -d "actor_token=$impersonator" -d "actor_token_type=$TYPE:access_token"

printf '\n%d checks, all passed.\n' "$CHECKS"
