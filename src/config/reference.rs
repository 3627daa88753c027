//! The configuration reference for people: the schema as Markdown.
//!
//! What enters is the schema and the repository's own `gateway.yaml`, for examples; what leaves is `docs/configuration.md`.
//! One section for each key of the top level, one table for each mapping below it.

mod node;
mod words;

use super::schema::described;
use node::Node;
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Configuration

Every key of `gateway.yaml`. This page is printed by `obo-gateway schema --markdown`, from the types that the file is read
into; `obo-gateway schema` prints the same as JSON Schema, which is kept as [gateway.schema.json](gateway.schema.json). An
editor that knows YAML schemas (VS Code with the YAML extension, IntelliJ, Neovim with yaml-language-server) completes and
checks a file whose first line is

```yaml
# yaml-language-server: $schema=<path to gateway.schema.json>
```

A key that is not on this page is refused, and so are anchors, merge keys, tags and a key that is written twice. Relative
paths are relative to the file. `obo-gateway check --config gateway.yaml` reports every mistake with its line and how to mend
it, also those that no schema can see: names that nothing has, files that are not there, routes that are equal.
";

/// The repository's own configuration, whose sections are the examples.
const EXAMPLE: &str = include_str!("../../gateway.yaml");

/// The reference, as Markdown.
pub fn reference() -> String {
    let (schema, order) = described();
    let mut page = Page {
        text: INTRODUCTION.to_owned(),
    };
    let root = Node::root(&schema);
    page.contents(&order);
    page.values(&root);
    for key in order {
        if let Some(section) = root.property(key) {
            page.section(key, &section);
        }
    }
    page.text
}

struct Page {
    text: String,
}

impl Page {
    fn contents(&mut self, order: &[&str]) {
        let links: Vec<String> = order
            .iter()
            .map(|key| format!("[`{key}`](#{key})"))
            .collect();
        self.line(&format!("\n{}\n", links.join(" · ")));
    }

    /// The texts with a form of their own.
    fn values(&mut self, root: &Node<'_>) {
        self.line("## Values\n");
        self.line("| kind | what is written | e.g. |\n|---|---|---|");
        for (name, value) in root.values() {
            let kind = name.to_lowercase();
            let description = cell(value.description());
            self.line(&format!(
                "| <a id=\"{kind}\"></a>{kind} | {description} | {} |",
                value.examples()
            ));
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
        if let Some(example) = example(key) {
            self.line(&format!(
                "\nFrom [gateway.yaml](../gateway.yaml):\n\n```yaml\n{example}```"
            ));
        }
        self.mapping(&path, section);
    }

    /// The table of one mapping, then those of the mappings in it.
    fn mapping(&mut self, path: &str, mapping: &Node<'_>) {
        self.line("\n| key | what is written | default | meaning |\n|---|---|---|---|");
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
        // writing to memory does not fail
        let _ = writeln!(self.text, "{line}");
    }
}

/// A section of the example: from its key to the next line that begins another.
fn example(key: &str) -> Option<String> {
    let start = format!("{key}:");
    let mut lines = EXAMPLE.lines().skip_while(|line| !line.starts_with(&start));
    let first = lines.next()?;
    let rest = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    let text: Vec<&str> = std::iter::once(first).chain(rest).collect();
    Some(format!("{}\n", text.join("\n").trim_end()))
}

/// The name under which a heading is linked to.
fn slug(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect::<String>()
        .to_lowercase()
}

/// Text that stays within its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", "<br>")
}
