import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.oauth2.client.OAuth2AuthorizationContext;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.TokenExchangeOAuth2AuthorizedClientProvider;
import org.springframework.security.oauth2.client.endpoint.RestClientTokenExchangeTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AccessToken;
import org.springframework.security.oauth2.core.OAuth2AuthorizationException;
import org.springframework.security.oauth2.core.OAuth2Token;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.util.LinkedMultiValueMap;

/**
 * Spring Security's token exchange as a resource server uses it that acts on behalf of its caller. What spring.py prepared is
 * in GIVEN. The last line names the tokens that it got.
 */
public final class TokenExchange {
    private static final List<String> ISSUED = new ArrayList<>();
    private static JsonNode given;

    public static void main(String[] arguments) throws Exception {
        given = new ObjectMapper().readTree(System.getenv("GIVEN"));
        String user = given.get("user").asText();
        ClientRegistration basic = client("basic", ClientAuthenticationMethod.CLIENT_SECRET_BASIC, "secret");
        ClientRegistration post = client("post", ClientAuthenticationMethod.CLIENT_SECRET_POST, "secret");

        // a resource server parses a bearer token as a Jwt, so subject_token_type is …:jwt
        OAuth2AccessToken token = authorize(basic, jwt(user), null).getAccessToken();
        ISSUED.add(token.getTokenValue());
        holds("a token for a Jwt, with nothing but defaults", token.getTokenValue() != null);
        holds("… with the scope that was asked for", token.getScopes().contains("aggregates.read"));
        holds("… with an end", token.getExpiresAt().isAfter(Instant.now()));
        ISSUED.add(authorize(post, jwt(user), "aggregates").getAccessToken().getTokenValue());
        holds("the secret in the form, and an audience", true);
        ISSUED.add(authorize(basic, accessToken(user), null).getAccessToken().getTokenValue());
        holds("the same token, called an access token", true);
        ISSUED.add(authorize(basic, jwt(token.getTokenValue()), null).getAccessToken().getTokenValue());
        holds("a JWT of the gateway's own", true);

        refused("a token that has expired", "invalid_request", basic, jwt(given.get("expired").asText()), null);
        refused("another client's token", "invalid_request", basic, jwt(given.get("anothers").asText()), null);
        refused("an unknown audience", "invalid_target", basic, jwt(user), "payroll");
        // Spring's own code: it reads only the body of a 400
        ClientRegistration wrong = client("basic", ClientAuthenticationMethod.CLIENT_SECRET_BASIC, "wrong");
        refused("a wrong secret", "invalid_token_response", wrong, jwt(user), null);
        System.out.println("issued: " + new ObjectMapper().writeValueAsString(ISSUED));
    }

    private static ClientRegistration client(String id, ClientAuthenticationMethod method, String secret) {
        return ClientRegistration.withRegistrationId("gateway")
            .clientId(id)
            .clientSecret(secret.equals("secret") ? given.get("secret").asText() : secret)
            .clientAuthenticationMethod(method)
            .authorizationGrantType(AuthorizationGrantType.TOKEN_EXCHANGE)
            .tokenUri(given.get("issuer").asText() + "/oauth/v2/token")
            .scope("aggregates.read")
            .build();
    }

    private static OAuth2AuthorizedClient authorize(ClientRegistration client, OAuth2Token subject, String audience) {
        RestClientTokenExchangeTokenResponseClient responses = new RestClientTokenExchangeTokenResponseClient();
        responses.addParametersConverter(request -> {
            LinkedMultiValueMap<String, String> more = new LinkedMultiValueMap<>();
            if (audience != null) {
                more.add("audience", audience);
            }
            return more;
        });
        TokenExchangeOAuth2AuthorizedClientProvider provider = new TokenExchangeOAuth2AuthorizedClientProvider();
        provider.setAccessTokenResponseClient(responses);
        return provider.authorize(OAuth2AuthorizationContext.withClientRegistration(client)
            .principal(new UsernamePasswordAuthenticationToken(subject, null, List.of()))
            .build());
    }

    private static OAuth2Token jwt(String text) {
        return Jwt.withTokenValue(text).header("alg", "ES256").subject("alice").build();
    }

    private static OAuth2Token accessToken(String text) {
        return new OAuth2AccessToken(OAuth2AccessToken.TokenType.BEARER, text, Instant.now(), Instant.now().plusSeconds(60));
    }

    private static void refused(String what, String code, ClientRegistration client, OAuth2Token subject, String audience) {
        String found = "a token";
        try {
            authorize(client, subject, audience);
        } catch (OAuth2AuthorizationException error) {
            found = error.getError().getErrorCode();
        }
        holds("refused: " + what + " (" + found + ")", found.equals(code));
    }

    private static void holds(String what, boolean held) {
        System.out.println((held ? "✔ " : "✘ ") + what);
        if (!held) {
            System.exit(1);
        }
    }

    private TokenExchange() {
    }
}
