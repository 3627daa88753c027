#!/usr/bin/env bash
# A minimal provider at which the example's users have signed in. Needs openssl and python3.
#   provider.sh serve [PORT]         generates two keys and publishes them: its own, and that of the application that signs
#   provider.sh token CLAIMS         prints an access token; CLAIMS are JSON members, with at least `sub`
#   provider.sh id-token CLAIMS      prints an ID token
#   provider.sh signed CLAIMS        prints a JWT that the application app@portal signs; CLAIMS are all its claims except the times
# ISSUER: the provider's URL (http://127.0.0.1:9000). FOLDER: where its keys are.
set -euo pipefail
folder=${FOLDER:-${TMPDIR:-/tmp}/obo-gateway-token-service}
issuer=${ISSUER:-http://127.0.0.1:9000}
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# key NAME FILE: generates a key, and a key set with its public half.
key() {
    (umask 077 && openssl genrsa -out "$folder/$1.pem" 2048 2>/dev/null)
    local modulus
    modulus=$(openssl rsa -in "$folder/$1.pem" -noout -modulus | cut -d= -f2 | sed 's/../\\x&/g')
    printf '{"keys":[{"kty":"RSA","kid":"%s","alg":"RS256","use":"sig","e":"AQAB","n":"%s"}]}\n' \
        "$1" "$(printf '%b' "$modulus" | base64url)" >"$folder/published/$2"
}

# sign NAME TYPE CLAIMS: prints a JWT signed with that key.
sign() {
    local header claims signature
    header=$(printf '{%s"alg":"RS256","kid":"%s"}' "$2" "$1" | base64url)
    claims=$(printf '{%s}' "$3" | base64url)
    signature=$(printf '%s' "$header.$claims" | openssl dgst -sha256 -sign "$folder/$1.pem" | base64url)
    echo "$header.$claims.$signature"
}

now=$(date +%s)
login=$(printf '"iss":"%s","aud":["web@portal","app@portal","portal","aggregates","settings"],"client_id":"web@portal","iat":%d,"exp":%d,"jti":"%s"' \
    "$issuer" "$now" $((now + 43200)) "$(openssl rand -hex 8)")
case ${1-} in
serve)
    mkdir -p "$folder/published/.well-known"
    key provider keys
    key app app-keys
    printf '{"issuer":"%s","jwks_uri":"%s/keys"}\n' "$issuer" "$issuer" >"$folder/published/.well-known/openid-configuration"
    exec python3 -m http.server "${2:-9000}" --bind 127.0.0.1 --directory "$folder/published"
    ;;
token) sign provider '"typ":"at+jwt",' "$login,$2" ;;
id-token) sign provider '"typ":"JWT",' "$login,\"azp\":\"web@portal\",\"auth_time\":$now,\"amr\":[\"pwd\"],\"at_hash\":\"t1T78s8RTVku2sxBg03RCQ\",$2" ;;
signed) sign app '' "$2,\"iat\":$now,\"exp\":$((now + 300))" ;;
*) sed -n '2,7p' "$0" >&2 && exit 2 ;;
esac
