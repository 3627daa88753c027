//! Generates the configuration reference (`docs/configuration.md`) from the schema, as Markdown.
//!
//! The repository's own `gateway.yaml` provides the examples. There is one section for each top-level key and one table
//! for each mapping below it.

mod node;
mod words;

use super::files::{generated, text};
use node::Node;
use serde_json::Value;
use std::collections::BTreeSet;

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the doc comments of the settings types: `just docs` -->

This page describes every key of `gateway.yaml`. It is generated from the types that the gateway parses the file into.
`obo-gateway schema` prints the same information as JSON Schema, also available as
[gateway.schema.json](gateway.schema.json). An editor that supports YAML schemas (VS Code with the YAML extension, IntelliJ,
Neovim with yaml-language-server) completes and checks a file whose first line is

```yaml
# yaml-language-server: $schema=<path to gateway.schema.json>
```

Keys that are not on this page are refused. Anchors, merge keys, tags and duplicate keys are refused too. Relative paths are
relative to the directory of the file. `obo-gateway check --config gateway.yaml` reports every error with its line and a fix,
including errors that a schema cannot detect: names that are not defined, files that do not exist, and equal routes.
";

/// The sections, in the order in which a reader needs them.
const SECTIONS: [&str; 13] = [
    "listeners",
    "admin",
    "issuer",
    "trusted_issuers",
    "clients",
    "directory",
    "routes",
    "cache",
    "store",
    "limits",
    "shutdown",
    "runtime",
    "telemetry",
];

/// Returns the reference as Markdown.
fn reference(schema: &Value) -> String {
    let mut page = Page {
        text: INTRODUCTION.to_owned(),
        // the repository's own configuration
        examples: text("gateway.yaml"),
    };
    let root = Node::root(schema);
    page.contents();
    page.values(&root);
    for key in SECTIONS {
        page.section(key, &root.property(key).expect(key));
    }
    page.text
}

struct Page {
    text: String,
    examples: String,
}

impl Page {
    fn contents(&mut self) {
        let links = SECTIONS.map(|key| format!("[`{key}`](#{key})"));
        self.line(&format!("\n{}\n", links.join(" · ")));
    }

    /// Writes the table of the types whose texts have a format of their own, then those of mappings that are used in
    /// several sections.
    fn values(&mut self, root: &Node<'_>) {
        self.line("## Values\n");
        self.line("| type | description | example |\n|---|---|---|");
        let values = root.values();
        let (mappings, texts): (Vec<_>, Vec<_>) = values
            .into_iter()
            .partition(|(_, value)| !value.properties().is_empty());
        for (name, value) in texts {
            let kind = name.to_lowercase();
            let description = cell(value.description());
            self.line(&format!(
                "| <a id=\"{kind}\"></a>{kind} | {description} | {} |",
                value.examples()
            ));
        }
        for (name, value) in mappings {
            self.line(&format!(
                "\n### {}\n\n{} Examples: {}",
                name.to_lowercase(),
                value.description(),
                value.examples()
            ));
            self.mapping(name, &value);
        }
    }

    fn section(&mut self, key: &str, section: &Node<'_>) {
        self.line(&format!("\n## {key}\n"));
        let need = if section.is_required() {
            "Required"
        } else {
            "Optional"
        };
        let path = section.path(key);
        let form = if path.ends_with("[]") {
            "a list"
        } else {
            "a mapping"
        };
        self.line(&format!("{need}; {form}. {}", section.text()));
        if let Some(example) = example(&self.examples, key) {
            self.line(&format!(
                "\nFrom [gateway.yaml](../gateway.yaml):\n\n```yaml\n{example}```"
            ));
        }
        self.mapping(&path, section);
    }

    /// Writes the table of one mapping, then the tables of the mappings in it.
    fn mapping(&mut self, path: &str, mapping: &Node<'_>) {
        self.line("\n| key | value | default | meaning |\n|---|---|---|---|");
        let mut inner = Vec::new();
        for (key, value) in mapping.properties() {
            let below = value.path(&format!("{path}.{key}"));
            let kind = if value.has_table() {
                let form = if below.ends_with("[]") {
                    "list of mappings"
                } else {
                    "mapping"
                };
                format!("{form}, [below](#{})", slug(&below))
            } else {
                value.kind()
            };
            self.line(&format!(
                "| `{key}` | {kind} | {} | {} |",
                mapping.default_of(key, &value),
                cell(&value.text()),
            ));
            if value.has_table() {
                inner.push((below, value));
            }
        }
        for (path, value) in inner {
            self.line(&format!("\n### `{path}`\n\n{}", value.own_text()));
            self.mapping(&path, &value);
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Returns a section of the example, up to the next top-level line.
fn example(examples: &str, key: &str) -> Option<String> {
    let start = format!("{key}:");
    let mut lines = examples
        .lines()
        .skip_while(|line| !line.starts_with(&start));
    let first = lines.next()?;
    let rest = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    let text: Vec<&str> = std::iter::once(first).chain(rest).collect();
    Some(format!("{}\n", text.join("\n").trim_end()))
}

/// Returns the anchor of a heading.
fn slug(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect::<String>()
        .to_lowercase()
}

/// Escapes text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", "<br>")
}

/// Returns the keys in each table of `page`.
fn tables(page: &str) -> BTreeSet<BTreeSet<String>> {
    let tables = page.split("\n| key | value | default | meaning |\n|---|---|---|---|\n");
    let keys = |table: &str| {
        let rows = table.lines().take_while(|line| line.starts_with("| `"));
        let keys = rows.filter_map(|row| row.split('`').nth(1));
        keys.map(ToOwned::to_owned).collect()
    };
    tables.skip(1).map(keys).collect()
}

#[test]
fn the_reference_in_the_repository_describes_the_schema() {
    let reference = reference(&obo_gateway::config::schema());
    generated("docs/configuration.md", &reference);
}

#[test]
fn every_section_has_its_place_in_the_reference() {
    let schema = obo_gateway::config::schema();
    let sections = schema["properties"].as_object().unwrap();
    let sections: BTreeSet<&str> = sections.keys().map(String::as_str).collect();
    assert_eq!(sections, BTreeSet::from(SECTIONS));
}

#[test]
fn every_mapping_that_a_user_writes_has_a_table() {
    let schema = obo_gateway::config::schema();
    let tables = tables(&reference(&schema));
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if let Some(properties) = definition.get("properties").and_then(Value::as_object) {
            let keys: BTreeSet<String> = properties.keys().cloned().collect();
            assert!(tables.contains(&keys), "{name} has no table");
        }
    }
}
