// Signs a user in and prints the access token: `node login.mjs alice`. ISSUER: the provider's URL.

import { login } from './portal.mjs';

const issuer = process.env.ISSUER ?? 'http://127.0.0.1:9000';
const { access_token: token } = await login(issuer, process.argv[2] ?? 'alice');
console.log(token);
