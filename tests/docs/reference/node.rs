//! One node of the schema, with its references resolved.

use super::words::{kind_of, names_of, plural, shown};
use serde_json::Value;
use std::collections::BTreeMap;

/// A schema node with the information about its position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    root: &'a Value,
    /// The node as it is written: possibly a reference with a description of its own.
    written: &'a Value,
    /// The node that it refers to, or itself.
    meant: &'a Value,
    required: bool,
}

impl<'a> Node<'a> {
    pub(super) fn root(root: &'a Value) -> Self {
        Self {
            root,
            written: root,
            meant: root,
            required: true,
        }
    }

    fn at(&self, written: &'a Value, required: bool) -> Self {
        Self {
            root: self.root,
            written,
            meant: resolved(self.root, written),
            required,
        }
    }

    pub(super) fn property(&self, key: &str) -> Option<Self> {
        let value = self.object().get("properties")?.get(key)?;
        Some(self.at(value, self.requires(key)))
    }

    /// Returns its keys: the required ones in their order, then the others.
    pub(super) fn properties(&self) -> Vec<(&'a str, Self)> {
        let keys = self.object().get("properties").and_then(Value::as_object);
        let required = names(self.object().get("required"));
        let optional = keys
            .into_iter()
            .flat_map(|keys| keys.keys())
            .map(String::as_str)
            .filter(|key| !required.contains(key));
        required
            .iter()
            .copied()
            .chain(optional)
            .filter_map(|key| Some((key, self.property(key)?)))
            .collect()
    }

    /// Returns the named types that are described once: all except mappings and enumerations.
    pub(super) fn values(&self) -> BTreeMap<&'a str, Self> {
        let definitions = self.root.get("$defs").and_then(Value::as_object);
        definitions
            .into_iter()
            .flatten()
            .filter(|(_, value)| is_value(value))
            .map(|(name, value)| (name.as_str(), self.at(value, false)))
            .collect()
    }

    pub(super) fn is_required(&self) -> bool {
        self.required
    }

    /// Returns `path`, with brackets if it is a list of mappings.
    pub(super) fn path(&self, path: &str) -> String {
        if self.meant.get("items").is_some() && self.has_table() {
            format!("{path}[]")
        } else {
            path.to_owned()
        }
    }

    /// Returns `true` if it is a mapping with known keys, or a list of such mappings.
    pub(super) fn has_table(&self) -> bool {
        self.value_name().is_none() && self.object().get("properties").is_some()
    }

    pub(super) fn description(&self) -> &'a str {
        text_of(self.written, self.meant)
    }

    /// Returns the description of the mapping itself.
    pub(super) fn own_text(&self) -> String {
        text_of(self.object(), self.object()).to_owned()
    }

    /// Returns the description of the value, and of each of its choices.
    pub(super) fn text(&self) -> String {
        let mut text = if self.description().is_empty() {
            self.own_text()
        } else {
            self.description().to_owned()
        };
        let is_list = self.meant.get("items").is_some();
        for (name, meaning) in self.choices() {
            if !meaning.is_empty() && !is_list {
                text.push_str(&format!("\n\n`{name}`: {meaning}"));
            }
        }
        text
    }

    pub(super) fn examples(&self) -> String {
        let examples = self.meant.get("examples").and_then(Value::as_array);
        let shown: Vec<String> = examples.into_iter().flatten().map(shown).collect();
        shown.join(", ")
    }

    /// Returns the kind of value in a few words.
    pub(super) fn kind(&self) -> String {
        if let Some(name) = self.value_name() {
            let name = name.to_lowercase();
            return format!("[{name}](#{name})");
        }
        let choices = self.choices();
        if !choices.is_empty() {
            let names: Vec<String> = choices
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let of = if self.meant.get("items").is_some() {
                "list of "
            } else {
                ""
            };
            return of.to_owned() + &names.join(", ");
        }
        if let Some(items) = self.meant.get("items") {
            return format!("list of {}", plural(&self.at(items, false).kind()));
        }
        let number = |key| self.meant.get(key).map(Value::to_string);
        match (kind_of(self.meant), number("minimum"), number("maximum")) {
            ("number", Some(least), Some(most)) => format!("number, {least} to {most}"),
            ("number", Some(least), None) => format!("number from {least}"),
            (kind, _, _) => kind.to_owned(),
        }
    }

    /// Returns the text about the default if `key`, whose node is `value`, is absent.
    pub(super) fn default_of(&self, key: &str, value: &Self) -> String {
        if value.required {
            return "**required**".to_owned();
        }
        let group = self.group();
        if group.contains(&key) {
            let all: Vec<String> = group.iter().map(|key| format!("`{key}`")).collect();
            return format!("**one of** {}", all.join(", "));
        }
        match value.written.get("default") {
            Some(_) if value.has_table() => String::new(),
            Some(Value::Bool(false)) => "`false`".to_owned(),
            Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
            Some(Value::Object(keys)) if keys.is_empty() => "none".to_owned(),
            Some(default) => shown(default),
            None => String::new(),
        }
    }

    /// Returns the keys of which exactly one must be written.
    fn group(&self) -> Vec<&'a str> {
        let choices = self.object().get("oneOf").and_then(Value::as_array);
        choices
            .into_iter()
            .flatten()
            .flat_map(|choice| names(choice.get("required")))
            .collect()
    }

    /// Returns the mapping itself, or the mapping that the items of the list are.
    fn object(&self) -> &'a Value {
        match self.meant.get("items") {
            Some(items) => resolved(self.root, items),
            None => self.meant,
        }
    }

    fn requires(&self, key: &str) -> bool {
        names(self.object().get("required")).contains(&key)
    }

    /// Returns the name of the type that it refers to, if it is one of [`Self::values`].
    fn value_name(&self) -> Option<&'a str> {
        let name = reference(self.written)?;
        let definition = self.root.get("$defs")?.get(name)?;
        is_value(definition).then_some(name)
    }

    /// Returns the choices, with the description of each.
    fn choices(&self) -> Vec<(&'a str, &'a str)> {
        let schema = self.object();
        let listed = schema.get("enum").and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_str);
        let described = schema.get("oneOf").and_then(Value::as_array);
        let described = described.into_iter().flatten().flat_map(|choice| {
            let meaning = text_of(choice, choice);
            let one = choice.get("const").and_then(Value::as_str);
            let several = choice.get("enum").and_then(Value::as_array);
            let several = several.into_iter().flatten().filter_map(Value::as_str);
            one.into_iter()
                .chain(several)
                .map(move |name| (name, meaning))
        });
        listed.map(|name| (name, "")).chain(described).collect()
    }
}

/// Returns the definition that `schema` refers to, even if it may also be null.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match reference(schema).and_then(|name| root.get("$defs")?.get(name)) {
        Some(definition) => definition,
        None => something(schema),
    }
}

fn reference(schema: &Value) -> Option<&str> {
    something(schema)
        .get("$ref")?
        .as_str()?
        .strip_prefix("#/$defs/")
}

/// Returns the `X` of `X or null`.
fn something(schema: &Value) -> &Value {
    let choices = schema.get("anyOf").and_then(Value::as_array);
    choices
        .into_iter()
        .flatten()
        .find(|choice| choice.get("type").is_none_or(|kind| kind != "null"))
        .unwrap_or(schema)
}

/// Returns `true` for named types that are neither enumerations, which are shown in place, nor mappings, which have tables
/// there. A mapping with examples is used in many places.
fn is_value(schema: &Value) -> bool {
    let is_choice = schema.get("enum").is_some()
        || schema
            .pointer("/oneOf/0/type")
            .is_some_and(|kind| kind == "string");
    let is_in_place = schema.get("properties").is_some() && schema.get("examples").is_none();
    !is_in_place && !is_choice
}

fn text_of<'a>(first: &'a Value, second: &'a Value) -> &'a str {
    [first, second]
        .into_iter()
        .find_map(|schema| schema.get("description")?.as_str())
        .unwrap_or_default()
}

fn names(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array)
        .map(|names| names_of(names))
        .unwrap_or_default()
}
