// The API behind the gateway. It uses only a standard library and the gateway's published keys to verify the token that it
// gets, and returns everything that it received. Prints its URL once it listens.
// PORT: the port to listen on (default: a free port); ISSUER: the gateway's issuer.url.

import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const issuer = process.env.ISSUER ?? 'http://127.0.0.1:8080';
const metadata = () => fetch(`${issuer}/.well-known/oauth-authorization-server`).then((answer) => answer.json());
let keys;
let served = 0;

const server = createServer(async (request, response) => {
  const received = `${request.method} ${request.url}\n${request.rawHeaders.join('\n')}`;
  served += 1;
  let status = 200;
  let body;
  try {
    keys ??= createRemoteJWKSet(new URL((await metadata()).jwks_uri));
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const { protectedHeader, payload } = await jwtVerify(token, keys, {
      issuer,
      audience: 'orders-api',
      typ: 'at+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['sub', 'exp', 'scope', 'client_id'],
    });
    body = { served, received, header: protectedHeader, claims: payload };
  } catch (error) {
    status = 401;
    body = { served, received, error: error.message };
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
