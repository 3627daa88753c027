//! The compiled rules of a route.

use super::{
    ClaimPolicy, ClientCeilings, DetailsRule, GatewayIdentity, Operation, OperationId,
    OutgoingActor, PolicyError, ScopePolicy, naming::SubjectNaming,
};
use crate::{
    settings::fingerprint,
    token::{AccessTokenType, Audience, TokenFormat},
    verify::SubjectToken,
};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Which kinds of subject a route serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKinds {
    /// Only users. Tokens that an application obtained for itself are refused.
    #[default]
    Users,
    /// Users and applications.
    Any,
}

fingerprint!(SubjectKinds = Users | Any);

/// The compiled rules of one route.
#[derive(Debug)]
pub struct ExchangePolicy {
    pub(super) audience: Audience,
    pub(super) scope: ScopePolicy,
    pub(super) clients: Option<BTreeSet<String>>,
    pub(super) subjects: SubjectKinds,
    pub(super) details: DetailsRule,
    pub(super) naming: SubjectNaming,
    pub(super) format: TokenFormat,
    pub(super) typ: AccessTokenType,
    pub(super) lifetime: Duration,
    pub(super) claims: ClaimPolicy,
    pub(super) actor: OutgoingActor,
    pub(super) max_depth: usize,
    pub(super) gateway: GatewayIdentity,
    pub(super) ceilings: Arc<ClientCeilings>,
}

impl ExchangePolicy {
    /// Returns the operation that a request matches, by its method and by its path below the route's prefix. Returns
    /// `None` if the route has no operations or the request matches none of them.
    pub fn operation(&self, method: &Method, rest: &str) -> Option<OperationId> {
        self.scope.operations().find(method, rest)
    }

    /// The labels of the operations, each at its [position](OperationId::position).
    pub fn operation_labels(&self) -> impl Iterator<Item = &str> {
        self.scope.operations().iter().map(Operation::label)
    }

    /// The only audience of the issued tokens.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The route's scope rules.
    pub fn scope(&self) -> &ScopePolicy {
        &self.scope
    }

    /// The maximum lifetime of issued tokens.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    pub(super) fn admit_caller(&self, subject: &SubjectToken) -> Result<(), PolicyError> {
        match &self.clients {
            None => Ok(()),
            Some(admitted) => subject
                .client_id()
                .filter(|client| admitted.contains(*client))
                .map(|_| ())
                .ok_or(PolicyError::CallerNotAdmitted),
        }
    }

    pub(super) fn admit_subject_kind(&self, subject: &SubjectToken) -> Result<(), PolicyError> {
        match self.subjects {
            SubjectKinds::Users if subject.is_app_only() => Err(PolicyError::AppOnlySubject),
            SubjectKinds::Users | SubjectKinds::Any => Ok(()),
        }
    }
}
