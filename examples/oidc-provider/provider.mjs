// The identity provider: oidc-provider, configured as in its documentation, with one client, one resource and ES256 keys.
// Prints its URL once it listens. PORT: the port to listen on (default: a free port).

import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { errors, Provider } from 'oidc-provider';
import { CLIENT, REDIRECT_URI, RESOURCE } from './portal.mjs';

const server = createServer();
await new Promise((listening) => server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

// The claims of every user who signs in here.
const account = (id) => ({
  accountId: id,
  claims: () => ({ sub: id, email: `${id}@example.com`, department: 'purchasing' }),
});

const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'provider-1' }] },
  cookies: { keys: ['only for this example'] },
  clients: [{
    client_id: CLIENT,
    application_type: 'native', // allows a redirect to loopback over plain http
    token_endpoint_auth_method: 'none', // a public client: PKCE proves who redeems the code
    redirect_uris: [REDIRECT_URI],
    id_token_signed_response_alg: 'ES256',
  }],
  findAccount: (_context, id) => account(id),
  // access tokens contain these in addition to the claims of RFC 9068
  extraTokenClaims: (_context, { accountId }) => ({
    email: `${accountId}@example.com`,
    department: 'purchasing',
  }),
  features: {
    devInteractions: { enabled: true }, // a form for the name, a form for consent
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_context, resource) {
        if (resource !== RESOURCE) throw new errors.InvalidTarget();
        return {
          scope: 'orders.read orders.write payments.admin',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: 'ES256' } },
        };
      },
    },
  },
});

server.on('request', provider.callback());
console.log(issuer);
