// @azure/msal-node on behalf of a user. GIVEN contains what `msal_node.py` prepared. The last line lists the received tokens.
import { ConfidentialClientApplication } from '@azure/msal-node'

const given = JSON.parse(process.env.GIVEN)
const issued = []

function holds(what, held, found) {
  if (!held) {
    console.log(`✘ ${what}: ${JSON.stringify(found)}`)
    process.exit(1)
  }
  console.log(`✔ ${what}`)
}

const application = (clientId, credential) =>
  new ConfidentialClientApplication({
    auth: {
      clientId,
      authority: given.issuer,
      knownAuthorities: [new URL(given.issuer).host],
      ...credential,
    },
    system: { protocolMode: 'OIDC' },
  })

async function onBehalfOf(app, oboAssertion, scopes = ['api://aggregates/.default']) {
  const answer = await app.acquireTokenOnBehalfOf({ oboAssertion, scopes })
  issued.push(answer.accessToken)
  return answer
}

async function refused(what, code, call) {
  let raised
  try {
    raised = await call()
  } catch (error) {
    raised = error
  }
  holds(`refused: ${what}`, raised?.errorCode === code, raised)
}

const [first, second, third, fourth, ...rest] = given.users
const portal = application('portal', { clientSecret: given.secret })
let answer = await onBehalfOf(portal, first)
holds('a token on behalf of the user', answer.accessToken && !answer.fromCache, answer)
holds('… with the scope that was asked for', answer.scopes.includes('api://aggregates/.default'), answer.scopes)
holds('… with an end', answer.expiresOn > new Date(), answer.expiresOn)
answer = await portal.acquireTokenOnBehalfOf({ oboAssertion: first, scopes: ['api://aggregates/.default'] })
holds('the same again comes from its cache', answer.fromCache, answer)
answer = await onBehalfOf(portal, second, ['aggregates/aggregates.read'])
holds('a scope by its name', answer.scopes.includes('aggregates/aggregates.read'), answer.scopes)

// it signs one assertion in ten minutes, with neither `kid` nor `iat`
const certified = application('certified', { clientCertificate: given.certificate })
for (const [time, user] of [['first', third], ['second', fourth]]) {
  answer = await onBehalfOf(certified, user)
  holds(`a certificate instead of a secret, the ${time} time`, answer.accessToken && !answer.fromCache, answer)
}
const strict = application('strict', { clientCertificate: given.certificate })
await onBehalfOf(strict, rest[0])
await refused('the second use where a client may use an assertion once', 'invalid_client', () => onBehalfOf(strict, rest[1]))
await refused('a wrong secret', 'invalid_client', () => onBehalfOf(application('portal', { clientSecret: 'wrong' }), rest[2]))
await refused('a token that has expired', 'invalid_grant', () => onBehalfOf(portal, given.expired))
console.log(`issued: ${JSON.stringify(issued)}`)
