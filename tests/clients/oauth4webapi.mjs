// A relying party written with oauth4webapi: discovery, exchange, introspection, refresh and revocation, by private_key_jwt.
// Started by node.py, which passes the gateway's URL and the token to exchange in GIVEN.

import * as oauth from 'oauth4webapi';

const given = JSON.parse(process.env.GIVEN);
const http = { [oauth.allowInsecureRequests]: true }; // loopback
const TYPE = 'urn:ietf:params:oauth:token-type:';
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

const issuer = new URL(given.issuer);
const key = await crypto.subtle.importKey('jwk', given.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
const app = { client_id: 'app' };
const signed = oauth.PrivateKeyJwt({ key, kid: given.key.kid });
const api = { client_id: 'api@aggregates' };
const basic = oauth.ClientSecretBasic(given.secret);

function holds(what, held, found) {
  if (!held) {
    console.log(`✘ ${what}: ${JSON.stringify(found)}`);
    process.exit(1);
  }
  console.log(`✔ ${what}`);
}

let as;
for (const algorithm of ['oidc', 'oauth2']) {
  const answer = await oauth.discoveryRequest(issuer, { algorithm, ...http });
  as = await oauth.processDiscoveryResponse(issuer, answer);
  holds(`discovery (${algorithm}): the issuer's own word`, as.issuer === given.issuer, as.issuer);
}
for (const endpoint of ['token', 'introspection', 'revocation']) {
  holds(`it names its ${endpoint} endpoint`, as[`${endpoint}_endpoint`]?.startsWith(given.issuer), as);
}
holds('it names the exchange among its grants', as.grant_types_supported.includes(GRANT), as.grant_types_supported);
holds('it names private_key_jwt', as.token_endpoint_auth_methods_supported.includes('private_key_jwt'), as);
holds('… with its algorithms', as.token_endpoint_auth_signing_alg_values_supported?.includes('ES256'), as);

// Exchanges a token. An error that the library finds ends the run.
async function exchange(parameters, recognized) {
  const form = { subject_token: given.subject, subject_token_type: `${TYPE}access_token`, ...parameters };
  const answer = await oauth.genericTokenEndpointRequest(as, app, signed, GRANT, new URLSearchParams(form), http);
  const members = await oauth.processGenericTokenEndpointResponse(as, app, answer, { recognizedTokenTypes: recognized });
  if (members.id_token) await oauth.validateApplicationLevelSignature(as, answer, http);
  return members;
}

async function introspect(token, requestJwtResponse) {
  const answer = await oauth.introspectionRequest(as, api, basic, token, { requestJwtResponse, ...http });
  const type = answer.headers.get('content-type');
  const members = await oauth.processIntrospectionResponse(as, api, answer);
  if (requestJwtResponse) {
    holds('the introspection is a JWT', type === 'application/token-introspection+jwt', type);
    await oauth.validateApplicationLevelSignature(as, answer, http);
  }
  return members;
}

const opaque = await exchange({ audience: 'aggregates', scope: 'openid aggregates.read' });
holds('an opaque token by default', !opaque.access_token.includes('.'), opaque);
holds('its type is said', opaque.issued_token_type === `${TYPE}access_token`, opaque);
const identity = oauth.getValidatedIdTokenClaims(opaque);
holds('the ID token beside it is for this client', identity.azp === 'app' && identity.sub === 'alice', identity);

const told = await introspect(opaque.access_token);
holds('the API may ask what it says', told.active && told.sub === 'alice' && told.client_id === 'app', told);
holds('… and gets its scope', told.scope.split(' ').sort().join(' ') === 'aggregates.read openid', told);
const proven = await introspect(opaque.access_token, true);
holds('… the same, signed', JSON.stringify(proven) === JSON.stringify(told), proven);

const jwt = await exchange({ subject_token: opaque.access_token, requested_token_type: `${TYPE}jwt` });
const request = new Request('http://api.example/', { headers: { authorization: `Bearer ${jwt.access_token}` } });
const claims = await oauth.validateJwtAccessToken(as, request, 'aggregates', http);
holds('a JWT access token that the library verifies', claims.sub === 'alice' && claims.client_id === 'app', claims);

let seen;
const noAccessToken = await exchange({ requested_token_type: `${TYPE}id_token` }, { n_a: (_, members) => { seen = members.issued_token_type; } });
holds('an ID token comes as N_A', seen === `${TYPE}id_token` && noAccessToken.token_type === 'n_a', noAccessToken);
await exchange({ requested_token_type: `${TYPE}id_token` }).then(
  (found) => holds('… and the library does not accept it as an access token', false, found),
  (error) => holds('… and the library does not accept it as an access token', error.code === oauth.UNSUPPORTED_OPERATION, error),
);

const offline = await exchange({ audience: 'aggregates', scope: 'openid profile offline_access' });
const refreshing = await oauth.refreshTokenGrantRequest(as, app, signed, offline.refresh_token, http);
const refreshed = await oauth.processRefreshTokenResponse(as, app, refreshing);
holds('a refresh gives the next refresh token', refreshed.refresh_token && refreshed.refresh_token !== offline.refresh_token);
holds('… and an ID token of the same person', oauth.getValidatedIdTokenClaims(refreshed).sub === 'alice', refreshed);
holds('what it gives is active', (await introspect(refreshed.access_token)).active);

await oauth.processRevocationResponse(await oauth.revocationRequest(as, app, signed, refreshed.refresh_token, http));
const gone = await introspect(refreshed.access_token);
holds('revoked with its family', JSON.stringify(gone) === '{"active":false}', gone);

async function refused(what, error, ask) {
  const found = await ask().catch((raised) => raised);
  holds(`refused: ${what}`, found.error === error, found.error ?? found);
}
await refused('the revoked refresh token', 'invalid_grant', async () => {
  await oauth.processRefreshTokenResponse(as, app, await oauth.refreshTokenGrantRequest(as, app, signed, refreshed.refresh_token, http));
});
await refused('a scope that the user does not have', 'invalid_scope', () => exchange({ scope: 'settings.write' }));
await refused('an unknown audience', 'invalid_target', () => exchange({ audience: 'payroll' }));
await refused('a changed token', 'invalid_request', () => exchange({ subject_token: `${given.subject.slice(0, -8)}AAAAAAAA` }));
const assertion = { [oauth.modifyAssertion]: (_header, payload) => { payload.aud = 'https://elsewhere.example'; } };
const elsewhere = oauth.PrivateKeyJwt({ key, kid: given.key.kid }, assertion);
await refused('an assertion for another audience', 'invalid_client', async () => {
  await oauth.processRefreshTokenResponse(as, app, await oauth.refreshTokenGrantRequest(as, app, elsewhere, offline.refresh_token, http));
});
