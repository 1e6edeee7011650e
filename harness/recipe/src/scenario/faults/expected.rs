//! What must be found: findings, in words that are filled in from the baseline.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Globs(pub Vec<String>);

impl schemars::JsonSchema for Globs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Globs".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Globs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Globs, E> {
                Ok(Globs(vec![text.to_owned()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Globs, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = items.next_element()? {
                    all.push(text);
                }
                Ok(Globs(all))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Which items of the baseline: those that one of the globs matches, with these attributes. `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Items as findings name them.
    pub item: Globs,
    /// But not these.
    #[serde(default)]
    pub but: Globs,
    /// Attributes that an item must have: a glob, or several, for each.
    #[serde(default, rename = "where")]
    pub having: BTreeMap<String, Globs>,
    /// Attributes that an item must not have.
    #[serde(default)]
    pub unless: BTreeMap<String, Globs>,
    /// The item whose attributes are meant, if it is a different item: `{1}`, `{2}`, … stand for what the glob's stars matched.
    #[serde(rename = "of")]
    pub other: Option<String>,
    /// An item that must not be there, with the same placeholders; a glob.
    pub without: Option<String>,
}

/// What must be found for each item of the baseline that is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// Items as findings name them.
    pub each: Globs,
    /// But not these.
    #[serde(default)]
    pub but: Globs,
    /// Attributes that an item must have.
    #[serde(default, rename = "where")]
    pub having: BTreeMap<String, Globs>,
    /// Attributes that an item must not have.
    #[serde(default)]
    pub unless: BTreeMap<String, Globs>,
    /// The item whose attributes are meant, if it is a different item.
    #[serde(rename = "of")]
    pub other: Option<String>,
    /// The finding. `{item}` stands for the item, `{1}`, `{2}`, … for what the glob's stars matched, `{name}` for an attribute.
    pub finds: String,
}

impl Each {
    /// The items.
    pub fn choice(&self) -> Choice {
        Choice {
            item: self.each.clone(),
            but: self.but.clone(),
            having: self.having.clone(),
            unless: self.unless.clone(),
            other: self.other.clone(),
            without: None,
        }
    }
}

/// Which way mail changes what of the quota is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The messages do not count any more.
    Less,
    /// The messages count twice.
    More,
}

/// The quotas whose usage differs by more than servers may differ in counting.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// The messages that make the difference, as findings name them.
    pub usage: Globs,
    /// Which way.
    pub change: Change,
}

/// What must be found.
#[derive(Debug, Clone, PartialEq, Eq, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Expected {
    /// A finding without its prose, such as `volume dkim, file *: lost`; with stars, for each item of the baseline that it
    /// matches, or, where it matches none, for whatever is found. A name of `[lost]` stands for all of its findings.
    Finding(String),
    /// A finding for each item that is chosen.
    Each(Each),
    /// The quotas whose usage differs.
    Usage(Usage),
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A table of either kind; which, its fields say.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            each: Option<Globs>,
            #[serde(default)]
            but: Globs,
            #[serde(default, rename = "where")]
            having: BTreeMap<String, Globs>,
            #[serde(default)]
            unless: BTreeMap<String, Globs>,
            of: Option<String>,
            finds: Option<String>,
            usage: Option<Globs>,
            change: Option<Change>,
        }
        struct TextOrTable;
        impl<'de> Visitor<'de> for TextOrTable {
            type Value = Expected;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a finding, or a table with each and finds, or one with usage and change")
            }

            fn visit_str<E>(self, text: &str) -> Result<Expected, E> {
                Ok(Expected::Finding(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expected, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let Table { but, having, unless, of: other, .. } = table;
                match (table.each, table.finds, table.usage, table.change) {
                    (Some(each), Some(finds), None, None) => Ok(Expected::Each(Each { each, but, having, unless, other, finds })),
                    (None, None, Some(usage), Some(change)) => Ok(Expected::Usage(Usage { usage, change })),
                    _ => Err(serde::de::Error::custom("expected each with finds, or usage with change")),
                }
            }
        }
        deserializer.deserialize_any(TextOrTable)
    }
}
