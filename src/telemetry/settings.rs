//! The `telemetry` section of the configuration.

use super::AccessFieldsSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the gateway writes about itself, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// The gateway's own log (to standard error) and the access log.
    pub log: LogSettings,
    /// The audit log: one JSON line for each token issued or refused.
    pub audit: AuditSettings,
}

/// The gateway's own log, which goes to standard error, and the access log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How a line of the gateway's own log looks. The access log is JSON in any case.
    pub format: LogFormat,
    /// The least important lines of the gateway's own log that are written.
    pub level: LogLevel,
    /// One line per request; to standard error unless it says otherwise.
    pub access: AccessSettings,
}

/// One JSON line per request: to a file, or nowhere with `off: true`; else to standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSettings {
    /// Appended to; created (0640) where absent, its folder must exist.
    pub file: Option<PathBuf>,
    /// Write no access log at all.
    pub off: bool,
    /// Which fields a line has.
    pub fields: AccessFieldsSettings,
}

/// The audit log: to standard error without a file. It cannot be turned off, and an exchange whose line cannot be
/// written is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// Appended to; created (0640) where absent, its folder must exist.
    pub file: Option<PathBuf>,
}

/// How a line of the gateway's own log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// How important a line must be to be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What somebody must mend.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// How it was decided.
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
