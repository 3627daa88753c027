#!/usr/bin/env bash
# A provider for tests. Needs openssl and python3.
#   provider.sh serve          generates a key and publishes it on port 9000
#   provider.sh token CLAIMS   prints a token for Alice of the portal; CLAIMS (JSON members) are added to it
set -euo pipefail
folder=${TMPDIR:-/tmp}/obo-gateway-provider
issuer=http://127.0.0.1:9000
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
case ${1-} in
serve)
    mkdir -p "$folder/.well-known"
    (umask 077 && openssl genrsa -out "$folder.pem" 2048)
    modulus=$(openssl rsa -in "$folder.pem" -noout -modulus | cut -d= -f2 | sed 's/../\\x&/g')
    n=$(printf '%b' "$modulus" | base64url)
    echo "{\"issuer\":\"$issuer\",\"jwks_uri\":\"$issuer/keys\"}" >"$folder/.well-known/openid-configuration"
    echo "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"1\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\"$n\"}]}" >"$folder/keys"
    exec python3 -m http.server 9000 --bind 127.0.0.1 --directory "$folder"
    ;;
token)
    now=$(date +%s)
    header=$(printf '{"typ":"at+jwt","alg":"RS256","kid":"1"}' | base64url)
    claims=$(printf '{"iss":"%s","sub":"alice","aud":"portal","iat":%d,"exp":%d,%s}' \
        "$issuer" "$now" $((now + 600)) "$2" | base64url)
    signature=$(printf '%s' "$header.$claims" | openssl dgst -sha256 -sign "$folder.pem" | base64url)
    echo "$header.$claims.$signature"
    ;;
*) sed -n '2,4p' "$0" >&2 && exit 2 ;;
esac
