// The application that the user signs in to: the authorization code flow with PKCE (RFC 7636), without a browser. `fetch` and a
// few cookies replace the browser: they follow redirects and send the provider's two forms.

import { createHash, randomBytes } from 'node:crypto';

export const CLIENT = 'portal';
export const RESOURCE = 'https://portal.example.com';
// no server listens on this port: the redirect is read but not followed
export const REDIRECT_URI = 'http://127.0.0.1/callback';

const MOST_REDIRECTS = 20;

// Signs `user` in and returns the provider's response: access_token, id_token, scope and so on.
export async function login(issuer, user) {
  const metadata = await json(await fetch(`${issuer}/.well-known/openid-configuration`));
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const query = new URLSearchParams({
    client_id: CLIENT,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid orders.read orders.write payments.admin',
    resource: RESOURCE,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const callback = await authorize(new URL(`${metadata.authorization_endpoint}?${query}`), user);
  const answer = callback.searchParams;
  if (answer.get('state') !== state) throw new Error('the response belongs to another login');
  // RFC 9207: a response of another provider is refused
  if (answer.get('iss') !== issuer) throw new Error(`the answer came from ${answer.get('iss')}`);
  if (!answer.has('code')) throw new Error(`no code: ${answer.get('error')}`);
  return json(await fetch(metadata.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: CLIENT,
      grant_type: 'authorization_code',
      code: answer.get('code'),
      redirect_uri: REDIRECT_URI,
      code_verifier: verifier,
      resource: RESOURCE,
    }),
  }));
}

// Follows redirects from the authorization endpoint to the one that ends the login.
async function authorize(url, user) {
  const cookies = new Cookies();
  let form;
  for (let count = 0; count < MOST_REDIRECTS; count += 1) {
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form,
      headers: { cookie: cookies.for(url) },
      redirect: 'manual',
    });
    cookies.keep(answer.headers.getSetCookie(), url);
    const location = answer.headers.get('location');
    if (location) {
      url = new URL(location, url);
      form = undefined;
      if (url.href.startsWith(`${REDIRECT_URI}?`)) return url;
    } else {
      const page = await answer.text();
      if (!answer.ok) throw new Error(`${url.pathname}: ${answer.status} ${page}`);
      [url, form] = filled(page, url, user);
    }
  }
  throw new Error('the login does not end');
}

// Returns the form of a page as a user would send it: the name, any password, and the hidden fields.
function filled(page, url, user) {
  const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
  if (!action) throw new Error(`no form in ${page}`);
  const form = new URLSearchParams();
  for (const [input] of page.matchAll(/<input[^>]*>/g)) {
    const attribute = (name) => new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1];
    form.set(attribute('name'), attribute('value') ?? (attribute('name') === 'login' ? user : 'anything'));
  }
  return [new URL(action, url), form];
}

// The cookies of one provider: by name, each sent to the paths below its own (RFC 6265, as far as it is needed here).
class Cookies {
  #all = new Map();

  keep(fields, url) {
    for (const field of fields) {
      const [pair, ...attributes] = field.split(/;\s*/);
      const at = pair.indexOf('=');
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
      const given = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5);
      const path = given ?? url.pathname.replace(/\/[^/]*$/, '/');
      if (value) this.#all.set(`${name} ${path}`, { name, value, path });
      else this.#all.delete(`${name} ${path}`);
    }
  }

  for(url) {
    return [...this.#all.values()]
      .filter(({ path }) => url.pathname === path || url.pathname.startsWith(path.replace(/\/?$/, '/')))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }
}

async function json(answer) {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${text}`);
  return JSON.parse(text);
}
