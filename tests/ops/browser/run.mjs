// A browser shows a page whose script calls an API through the gateway, which is another origin. The script writes what it can
// read into the page, and this program checks it. A second page, whose origin is not allowed, can read nothing.
// Usage: node run.mjs GATEWAY_BINARY CHROMIUM

import { spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PATIENCE = 60_000; // milliseconds, for all of it
const LINES = 20; // browsers say much about what this machine lacks
const [binary, chromium] = process.argv.slice(2);
if (!chromium) {
  console.error('usage: node run.mjs GATEWAY_BINARY CHROMIUM');
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
  console.error(`✘ ${error.message}`);
  for (const { name, errors } of children) {
    const last = errors.join('').split('\n').slice(-LINES).join('\n');
    console.error(`── what ${name} said last\n${last}`);
  }
} finally {
  for (const { child } of children) child.kill('SIGKILL');
  await Promise.all(children.map(({ ended }) => ended));
  await rm(folder, { recursive: true, maxRetries: 5 });
}
process.exit(failed === 0 ? 0 : 1);

async function story() {
  const { jwk, token } = issue();
  await writeFile(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  const received = [];
  const api = await listen((request, response) => {
    received.push(`${request.method} ${request.url}`);
    const claims = JSON.parse(Buffer.from(request.headers.authorization.split('.')[1], 'base64url'));
    // the API's own CORS fields are replaced by the gateway
    response.setHeader('access-control-allow-origin', 'https://elsewhere.example.com');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ aud: claims.aud, sub: claims.sub }));
  });
  const settings = { token };
  const [application, stranger] = [await pages(settings), await pages(settings)];
  settings.gateway = await gateway(application.origin, api.origin);

  const seen = await show(application.origin);
  const answered = { aud: 'orders-api', sub: 'alice' };
  expect('the script reads a response after a preflight', seen.read, { status: 200, body: answered });
  expect('… and sends a body with its type', seen.written, { status: 200, body: answered });
  expect('it reads why a forged token is refused', refusal(seen.forged), [401, 'invalid_token']);
  expect('… and that a missing one is', seen.anonymous.status, 401);
  const kept = { kept: 'TypeError' };
  expect('a method that is not allowed is not sent', seen.method, kept);
  expect('a field that is not allowed is not sent', seen.field, kept);
  expect('a route without cors is closed to scripts', seen.closed, kept);
  expect('the API got what was allowed and no preflight', received, ['GET /orders/1', 'POST /orders']);

  received.length = 0;
  const strange = await show(stranger.origin);
  for (const [what, learned] of Object.entries(strange)) {
    expect(`a page of another origin learns nothing (${what})`, learned, kept);
  }
  expect('… and the API hears nothing of it', received, []);
}

function refusal({ status, body }) {
  return [status, body?.error];
}

function expect(what, found, wanted) {
  const held = JSON.stringify(found) === JSON.stringify(wanted);
  if (!held) failed += 1;
  console.log(held ? `✔ ${what}` : `✘ ${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

// A provider's key, and a token that it signed.
function issue() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = [
    { alg: 'ES256', typ: 'at+jwt', kid: 'one' },
    {
      iss: 'https://idp.example.com', aud: 'portal', sub: 'alice', client_id: 'web', scope: 'orders.read',
      iat: now, exp: now + 600, jti: 'one',
    },
  ].map(encode).join('.');
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return {
    jwk: { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' },
    token: `${input}.${signature.toString('base64url')}`,
  };
}

// A server of the application's page; its picture is sent after the script has ended.
async function pages(settings) {
  const page = await readFile(new URL('page.html', import.meta.url));
  let finish;
  const done = new Promise((resolve) => { finish = resolve; });
  return listen(async (request, response) => {
    switch (request.url) {
      case '/': response.setHeader('content-type', 'text/html').end(page); break;
      case '/settings': response.end(JSON.stringify(settings)); break;
      case '/done': finish(); response.end(); break;
      case '/when-done': await done; response.end(); break;
      default: response.writeHead(404).end();
    }
  });
}

async function listen(serve) {
  const server = createServer(serve);
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  server.unref();
  return { origin: `http://127.0.0.1:${server.address().port}` };
}

// Starts the gateway; returns its URL.
async function gateway(origin, api) {
  const route = (name, more) => `
  - name: ${name}
    match: { prefix: /${name} }
    upstream: { targets: [ { url: "${api}" } ] }
    exchange: { audience: ${name}-api, scope: { allow: [orders.read] } }${more}`;
  await writeFile(join(folder, 'gateway.yaml'), `
listeners: [ { address: "127.0.0.1:0" } ]
admin: { address: "127.0.0.1:0" }
issuer: { url: https://gateway.example.com, signing_keys: [ { file: signing.pem, generate: ES256 } ] }
trusted_issuers:
  - { name: corp, issuer: https://idp.example.com, audiences: [portal], algorithms: [ES256], keys: { jwks_file: jwks.json } }
routes:${route('orders', `
    cors: { origins: ["${origin}"], methods: [GET, POST], headers: [Authorization, Content-Type], max_age: 10m }`)}${route('closed', '')}
`);
  const { child, errors } = run('the gateway', binary, ['--config', join(folder, 'gateway.yaml')]);
  return new Promise((resolve, reject) => {
    child.once('close', (status) => reject(new Error(`the gateway ended with status ${status}`)));
    child.stderr.on('data', () => {
      const address = /"listening".*?"address":"([^"]+)"|"address":"([^"]+)".*?"listening"/.exec(errors.join(''));
      if (address) resolve(`http://${address[1] ?? address[2]}`);
    });
  });
}

// Shows the page of `origin`; returns what its script wrote into it.
async function show(origin) {
  const { child, output, ended } = run('the browser', chromium, [
    '--headless', ...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-dev-shm-usage',
    '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-extensions', `--user-data-dir=${await mkdtemp(join(folder, 'browser-'))}`, '--dump-dom', `${origin}/`,
  ]);
  await ended;
  const text = /<pre id="seen">([^<]+)<\/pre>/.exec(output.join(''))?.[1];
  if (!text) throw new Error(`the browser (status ${child.exitCode}) showed no finished page: ${output.join('')}`);
  return JSON.parse(text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'));
}

function run(name, program, args) {
  const child = spawn(program, args, { cwd: folder });
  const [output, errors] = [[], []];
  child.stdout.on('data', (data) => output.push(data));
  child.stderr.on('data', (data) => errors.push(data));
  const ended = new Promise((resolve) => { child.once('close', resolve); child.once('error', resolve); });
  const started = { name, child, output, errors, ended };
  children.push(started);
  return started;
}
