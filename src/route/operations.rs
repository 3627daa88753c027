//! The check that requests of a route can match its operations.

use super::matcher::{Match, PathPattern};
use crate::{policy::ExchangeSettings, settings::Building};

/// Reports operations that no request can match because of the route's own match.
pub(super) fn check(settings: &ExchangeSettings, matches: &Match, building: &mut Building<'_>) {
    for (position, operation) in settings.scope.operations.iter().enumerate() {
        building.within(position, |b| {
            if operation.prefix.is_some() && matches!(matches.path, PathPattern::Exact(_)) {
                b.within("prefix", |b| {
                    b.findings.error(
                        "the route matches exactly one path",
                        "remove prefix, or write prefix instead of exact for the route",
                    );
                });
            }
            if let (Some(prefix), PathPattern::Prefix(own)) = (&operation.prefix, &matches.path)
                && let Some(rest) = prefix.strip_prefix(&**own)
                && !own.is_empty()
                && (rest.is_empty() || rest.starts_with('/'))
            {
                b.within("prefix", |b| {
                    b.findings.warn(
                        format!("{prefix} repeats the route's own prefix"),
                        format!("it is relative to the route's prefix: it matches {own}{prefix}"),
                        match rest {
                            "" => "remove prefix for the whole route".to_owned(),
                            rest => format!("write {rest} if {prefix} is meant"),
                        },
                    );
                });
            }
            let unserved = operation.methods.iter().position(|name| {
                let served = &matches.methods;
                // invalid methods are reported elsewhere
                let is_method = name
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
                    && !matches!(name.as_str(), "TRACE" | "CONNECT");
                is_method
                    && !served.is_empty()
                    && !served.iter().any(|method| method.as_str() == name)
            });
            if let Some(at) = unserved {
                b.within("methods", |b| {
                    b.within(at, |b| {
                        b.findings.error(
                            "the route does not serve this method",
                            "add it to match.methods, or remove it here",
                        );
                    });
                });
            }
        });
    }
}
