// Runs the whole example on free ports: starts provider, API and gateway, signs a user in, sends the access token through
// the gateway, and compares it with the token that the API got. The exit status is 0 if all assertions succeed, otherwise 1.
// Usage: node run.mjs GATEWAY_BINARY

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { login, RESOURCE } from './portal.mjs';

const PATIENCE = 60_000; // milliseconds, for all of it
const binary = process.argv[2];
if (!binary) {
  console.error('usage: node run.mjs GATEWAY_BINARY');
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), 'obo-gateway-'));
const children = [];
let failed = 0;

const late = new Promise((_, reject) => { setTimeout(reject, PATIENCE, new Error('it takes too long')).unref(); });
try {
  await Promise.race([story(), late]);
} catch (error) {
  failed += 1;
  console.error(`✘ ${error.stack}`);
  for (const { name, errors } of children) console.error(`── what ${name} said\n${errors.join('')}`);
} finally {
  for (const { child } of children) child.kill();
  await Promise.all(children.map(({ ended }) => ended));
  await rm(folder, { recursive: true });
}
process.exit(failed === 0 ? 0 : 1);

async function story() {
  const [port, adminPort] = await freePorts();
  const gateway = `http://127.0.0.1:${port}`;
  const provider = await start('provider.mjs', {});
  const api = await start('api.mjs', { ISSUER: gateway });
  await startGateway({ gateway, provider, api, port, adminPort });

  const granted = await login(provider, 'alice');
  const subject = granted.access_token;
  const answer = await orders(gateway, subject);
  const now = Date.now() / 1000;
  const body = await answer.json();
  if (answer.status !== 200) throw new Error(`the API returned ${answer.status}: ${JSON.stringify(body)}`);
  const before = decodeJwt(subject);
  const after = body.claims;
  show(before, after);

  const type = (header) => header.typ.toLowerCase();
  expect('the provider wrote an RFC 9068 access token', type(decodeProtectedHeader(subject)), 'at+jwt');
  expect('… addressed to the portal', before.aud, RESOURCE);
  expect('the API received an RFC 9068 access token', type(body.header), 'at+jwt');
  expect('… issued by the gateway', after.iss, gateway);
  expect('… addressed to the API alone', after.aud, 'orders-api');
  expect('… for the same person', after.sub, 'alice');
  expect('… and application', after.client_id, 'portal');
  expect('… with fewer scopes', after.scope.split(' ').sort(), ['orders.read', 'orders.write']);
  expect('… that were all granted', before.scope.split(' ').sort(), ['orders.read', 'orders.write', 'payments.admin']);
  expect('… naming who acts', after.act, { iss: gateway, sub: 'obo-gateway' });
  holds('… for two minutes at most', after.exp > now && after.exp <= now + 120, `${after.exp - now} s`);
  holds('… never longer than the token it came from', after.exp <= before.exp, `${after.exp} > ${before.exp}`);
  expect('the API got the claim that the route names', after.department, before.department);
  expect('… and none that it does not name', after.email, undefined);
  holds('the token of the user never reached the API', !leaks(body.received, subject), body.received);

  const unsigned = `${subject.slice(0, subject.lastIndexOf('.'))}.${'A'.repeat(86)}`;
  await refused(gateway, 'no token', undefined);
  await refused(gateway, "the provider's ID token", granted.id_token);
  await refused(gateway, 'a token with an invalid signature', unsigned);
  await refused(gateway, "the API's own token", /Bearer (\S+)/.exec(body.received)[1]);
  const last = await (await orders(gateway, subject)).json();
  expect('the API saw nothing of what was refused', last.served, body.served + 1);
  expect('the second time the cached token was used', last.claims.jti, after.jti);
  if (failed === 0) console.log('\nAll assertions succeeded.');
}

function orders(gateway, token) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return fetch(`${gateway}/orders/1`, { headers });
}

async function refused(gateway, what, token) {
  const answer = await orders(gateway, token);
  const expected = token ? [401, 'invalid_token'] : [401, undefined];
  const error = /error="([^"]+)"/.exec(answer.headers.get('www-authenticate'))?.[1];
  expect(`refused: ${what}`, [answer.status, error], expected);
}

// Returns `true` if `text` contains a part of `token` that could be used, especially its signature.
function leaks(text, token) {
  return token.split('.').slice(1).some((part) => text.includes(part));
}

function expect(what, found, wanted) {
  holds(what, JSON.stringify(found) === JSON.stringify(wanted), `${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

function holds(what, held, found) {
  if (!held) failed += 1;
  console.log(held ? `✔ ${what}` : `✘ ${what}: ${found}`);
}

// Prints the claims of both tokens side by side.
function show(before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const text = (claims, name) => (name in claims ? JSON.stringify(claims[name]) : '–');
  const row = (...cells) => console.log(cells[0].padEnd(12) + cells[1].padEnd(52) + cells[2]);
  row('claim', 'what the portal sent', 'what the API received');
  for (const name of names) row(name, text(before, name), text(after, name));
  console.log();
}

// The example's own file, with the ports of this run.
async function startGateway({ gateway, provider, api, port, adminPort }) {
  const example = await readFile(new URL('gateway.yaml', import.meta.url), 'utf8');
  const yaml = example
    .replaceAll('http://127.0.0.1:9000', provider)
    .replaceAll('http://127.0.0.1:9201', api)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
    .replaceAll('127.0.0.1:9090', `127.0.0.1:${adminPort}`);
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, yaml);
  const { child } = run('the gateway', binary, ['--config', file], {});
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
    if (answer?.status === 200 && (await fetch(`${gateway}/oauth/v2/keys`)).ok) return;
    if (child.exitCode !== null) throw new Error('the gateway ended');
    await new Promise((later) => setTimeout(later, 20));
  }
}

// Starts one of the programs in this folder; returns the URL that it prints.
async function start(name, variables) {
  const { child } = run(name, process.execPath, [new URL(name, import.meta.url).pathname], variables);
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('close', () => reject(new Error(`${name} ended`)));
  });
}

function run(name, program, args, variables) {
  const child = spawn(program, args, { cwd: folder, env: { ...process.env, ...variables } });
  const errors = [];
  child.stderr.on('data', (data) => errors.push(data));
  child.stdout.resume();
  const ended = new Promise((resolve) => { child.once('close', resolve); child.once('error', resolve); });
  children.push({ name, child, errors, ended });
  return { child };
}

// Returns two different free ports.
async function freePorts() {
  const servers = [createServer(), createServer()];
  for (const server of servers) {
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
