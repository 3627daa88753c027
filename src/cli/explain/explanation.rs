//! The explanation of a decision.

use super::{
    ImaginedRequest,
    observer::ObservedDecision,
    scopes::{ScopeReport, fates},
};
use crate::{
    clock::UnixTime,
    error::{ErrorResponse, Refusal},
    proxy::RehearsedOutcome,
    route::{Access, Route},
    telemetry::Facts,
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, error::Error, sync::Arc};

/// The result of a replay.
pub(super) struct Known {
    pub(super) ending: RehearsedOutcome,
    pub(super) account: ObservedDecision,
    pub(super) route: Option<Arc<Route>>,
    pub(super) at: UnixTime,
    /// Why the issuer's keys could not be fetched.
    pub(super) no_keys: Option<String>,
}

/// A decision, step by step. Its JSON has stable keys, which `docs/explain.md` describes.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    pub(super) verdict: Verdict,
    pub(super) at: i64,
    pub(super) request: RequestReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) route: Option<RouteReport>,
    pub(super) steps: Vec<StepReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) scopes: Vec<ScopeReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claims: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "answer")]
    pub(super) response: Option<ResponseReport>,
}

/// The result for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Forwarded,
    /// The gateway responds itself, and the response is not a refusal.
    Answered,
    Refused,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct RequestReport {
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct RouteReport {
    pub(super) name: String,
    pub(super) matched: String,
    pub(super) public: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<String>,
    pub(super) upstream_path: String,
    pub(super) targets: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct StepReport {
    pub(super) step: &'static str,
    #[serde(skip)]
    pub(super) words: &'static str,
    pub(super) passed: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) wanted: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ResponseReport {
    pub(super) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'static str>,
    /// The reason as in the access log and in `obo_denied_total`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    /// What failed; only for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    pub(super) fields: BTreeMap<String, String>,
}

impl Explanation {
    /// Returns `true` if the gateway refuses the request, or cannot decide on it now.
    pub fn is_refused(&self) -> bool {
        self.verdict == Verdict::Refused
    }

    /// Returns the explanation as JSON.
    pub fn to_json(&self) -> Value {
        // types with a derived implementation and text keys always serialize
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Known {
    /// Builds the explanation, and omits what must not be shown.
    pub(super) fn report(self, asked: &ImaginedRequest) -> Explanation {
        let refusal = match &self.ending {
            RehearsedOutcome::Refused(refusal) => Some(refusal),
            RehearsedOutcome::Forwarded
            | RehearsedOutcome::ForwardedBare
            | RehearsedOutcome::Document(_)
            | RehearsedOutcome::Preflight(_) => None,
        };
        let verdict = match &self.ending {
            RehearsedOutcome::Forwarded | RehearsedOutcome::ForwardedBare => Verdict::Forwarded,
            RehearsedOutcome::Document(_) | RehearsedOutcome::Preflight(_) => Verdict::Answered,
            RehearsedOutcome::Refused(_) => Verdict::Refused,
        };
        let route = self.route.as_deref();
        let steps = steps(&self, refusal, asked);
        let scopes = self.account.scopes.as_ref().map(fates);
        let claims = self.account.claims.as_ref();
        Explanation {
            verdict,
            at: self.at.as_secs(),
            request: RequestReport {
                method: asked.head().method.to_string(),
                host: asked.shown(asked.host()),
                path: asked.shown(&asked.path()),
            },
            route: route.map(|route| RouteReport::of(route, asked)),
            steps,
            scopes: scopes.unwrap_or_default(),
            // a token that a later check refused is not issued
            claims: claims
                .filter(|_| refusal.is_none())
                .map(|claims| claims.as_object().clone()),
            response: self.response(),
        }
    }

    fn response(&self) -> Option<ResponseReport> {
        match &self.ending {
            RehearsedOutcome::Forwarded | RehearsedOutcome::ForwardedBare => None,
            RehearsedOutcome::Document(status) => Some(ResponseReport::plain(*status, Vec::new())),
            RehearsedOutcome::Preflight(fields) => Some(ResponseReport::plain(
                StatusCode::NO_CONTENT,
                fields.clone(),
            )),
            RehearsedOutcome::Refused(refusal) => {
                let response = refusal.response();
                let route = self.route.as_ref();
                let resource = route.and_then(|route| route.resource());
                let fields = response.headers(resource.map(|resource| resource.metadata_url()));
                let mut report = ResponseReport::plain(response.status, fields);
                let ErrorResponse {
                    error, description, ..
                } = response;
                report.error = Some(error);
                report.description = Some(description);
                report.reason = Some(refusal.reason().as_str());
                let cause = match &self.no_keys {
                    None => causes(refusal),
                    Some(why) => format!("{}: {why}", causes(refusal)),
                };
                report.cause = Some(cause);
                Some(report)
            }
        }
    }
}

impl RouteReport {
    fn of(route: &Route, asked: &ImaginedRequest) -> Self {
        let path = asked.path();
        let operation = match route.access() {
            Access::Public(_) => None,
            Access::Protected(stages) => stages
                .policy
                .operation(&asked.head().method, route.below(&path))
                .and_then(|id| stages.policy.operation_labels().nth(id.position())),
        };
        let targets = route.upstream().targets().iter();
        Self {
            name: route.name().to_owned(),
            matched: route.matched(),
            public: matches!(route.access(), Access::Public(_)),
            operation: operation.map(str::to_owned),
            upstream_path: asked.shown(&route.upstream_path(&path)),
            targets: targets.map(|target| target.url.to_string()).collect(),
        }
    }
}

impl ResponseReport {
    fn plain(status: StatusCode, fields: Vec<(HeaderName, HeaderValue)>) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let report = fields
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)));
        Self {
            status: status.as_u16(),
            error: None,
            description: None,
            reason: None,
            cause: None,
            fields: report.collect(),
        }
    }
}

/// Returns the steps before the token is examined, those that the stages reported, and the one after them. The last
/// step of a refused request is the one that refused it.
fn steps(known: &Known, refusal: Option<&Refusal>, asked: &ImaginedRequest) -> Vec<StepReport> {
    let mut steps = Vec::new();
    let mut step =
        |step, words, facts: Facts| steps.push(StepReport::new(step, words, facts, asked));
    if matches!(known.ending, RehearsedOutcome::Document(_)) {
        let found = Facts::found("a document or endpoint of the gateway, on any host");
        step("document", "document", found);
        return steps;
    }
    step("gate", "head", Facts::default());
    if !matches!(refusal, Some(Refusal::Gate(_))) {
        let found = known.route.as_ref().map_or_else(Facts::default, |route| {
            Facts::found(format!("{}: {}", route.name(), route.matched()))
        });
        step("route", "route", found);
    }
    if let Some(route) = &known.route {
        if let RehearsedOutcome::Preflight(_) = known.ending {
            step(
                "cors",
                "preflight",
                Facts::found("handled by the route's cors"),
            );
            return steps;
        }
        match route.access() {
            Access::Public(_) => step(
                "access",
                "access",
                Facts::found("public: no token is checked"),
            ),
            Access::Protected(_) => step("source", "token presented", Facts::default()),
        }
    }
    for (taken, facts) in &known.account.steps {
        step(taken.as_str(), taken.words(), facts.clone());
    }
    if matches!(known.ending, RehearsedOutcome::Forwarded)
        || matches!(refusal, Some(Refusal::TokenInTarget))
    {
        step("target", "token not in target", Facts::default());
    }
    if let (Some(last), Some(_)) = (steps.last_mut(), refusal) {
        last.passed = false;
    }
    steps
}

impl StepReport {
    fn new(step: &'static str, words: &'static str, facts: Facts, asked: &ImaginedRequest) -> Self {
        let shown = |text: &str| asked.shown(&shortened(text));
        Self {
            step,
            words,
            passed: true,
            found: shown(&facts.found),
            wanted: shown(&facts.wanted),
        }
    }
}

/// Shortens a text, because a claim can be as long as its token.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST).collect();
    short.push('…');
    short
}

/// Returns the text of an error and its causes, on one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
