//! The `telemetry` section of the configuration.

use super::AccessFieldsSettings;
use crate::settings::fingerprint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The gateway's logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// The gateway's own log and the access log.
    pub log: LogSettings,
    /// The audit log: one JSON line for each token that is issued, refused or revoked.
    pub audit: AuditSettings,
}

fingerprint!(TelemetrySettings {
    without: { [log, audit]: "say what is written where" },
});

/// The gateway's own log, which goes to standard error, and the access log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The format of the gateway's own log. The access log is always JSON.
    pub format: LogFormat,
    /// The lowest level that the gateway's own log contains.
    pub level: LogLevel,
    /// The access log: one line per request. Default: to standard error.
    pub access: AccessSettings,
}

/// The access log: one JSON line per request. It goes to standard error unless `file` is set, and is disabled by
/// `off: true`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSettings {
    /// The file to append to. If it does not exist, it is created with mode 0640. Its directory must exist. Default:
    /// standard error.
    pub file: Option<PathBuf>,
    /// Disables the access log.
    pub off: bool,
    /// Fields to add to or remove from each line.
    pub fields: AccessFieldsSettings,
}

/// The audit log. It goes to standard error unless `file` is set, and cannot be disabled. If a line cannot be
/// written, the exchange is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// The file to append to. If it does not exist, it is created with mode 0640. Its directory must exist. Default:
    /// standard error.
    pub file: Option<PathBuf>,
}

/// The format of the gateway's own log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// Text for humans.
    Text,
}

/// The importance of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Errors that the operator must fix.
    Error,
    /// Problems that the operator should look at.
    Warn,
    /// Normal events.
    #[default]
    Info,
    /// Details of decisions.
    Debug,
    /// Every step.
    Trace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_means_json_at_info_to_standard_error() {
        let settings: TelemetrySettings = serde_yaml::from_str("{}").unwrap();
        assert_eq!(settings.log.format, LogFormat::Json);
        assert_eq!(settings.log.level, LogLevel::Info);
        assert_eq!(settings.log.access, AccessSettings::default());
        assert!(settings.audit.file.is_none());
    }

    #[test]
    fn every_key_is_read_and_an_unknown_one_is_refused() {
        let settings: TelemetrySettings = serde_yaml::from_str(
            "{ log: { format: text, level: trace, access: { file: a.jsonl } }, audit: { file: b.jsonl } }",
        )
        .unwrap();
        assert_eq!(settings.log.level, LogLevel::Trace);
        assert_eq!(settings.log.access.file, Some("a.jsonl".into()));
        for text in [
            "{ otlp: {} }",
            "{ log: { colour: true } }",
            "{ audit: { off: true } }",
        ] {
            assert!(
                serde_yaml::from_str::<TelemetrySettings>(text).is_err(),
                "{text}"
            );
        }
    }
}
