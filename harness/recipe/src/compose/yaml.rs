//! YAML in which every node knows its place. Anchors and merges are resolved; the place of a node from an alias is where its text is
//! written, because that is where a person corrects it.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::error::{Error, Result};

/// How deep a document may be nested: deeper than any compose file, and not too deep for a thread's stack.
const DEPTH: usize = 24;

/// A value, and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Yaml,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
}

/// The values of YAML's core schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// Nothing.
    Null,
    /// `true` or `false`, without quotes.
    Bool(bool),
    /// A number, without quotes.
    Number(serde_json::Number),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file. Every key is text.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Parses one document. Errors name the file and the line.
    pub fn parse(file: &Path, text: &str) -> Result<Self> {
        // As the docker command's reader: yes, no, on and off are text, 0555 is an octal number, and one anchor may have many aliases. How much
        // all of them may make is bounded by the number of nodes.
        let budget = serde_saphyr::budget! { max_depth: DEPTH, enforce_alias_anchor_ratio: false };
        let options = serde_saphyr::options! { strict_booleans: true, legacy_octal_numbers: true, budget: budget };
        serde_saphyr::from_str_with_options(text, options).map_err(|e| {
            let line = e.location().map(|l| l.line() as usize);
            Error::input(file, line, message(&e.to_string()))
        })
    }

    /// The entries of a mapping: name, key, value. Any other node has none.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Node, &Node)> {
        let entries = if let Yaml::Map(map) = &self.value { map.as_slice() } else { &[] };
        entries.iter().filter_map(|(k, v)| k.text().map(|name| (name, k, v)))
    }

    /// The items of a sequence. Any other node has none.
    pub fn items(&self) -> &[Node] {
        if let Yaml::List(list) = &self.value { list } else { &[] }
    }

    /// The items of a sequence; any other node alone, as where compose takes one item in the place of a list of them.
    pub fn items_or_itself(&self) -> &[Node] {
        if self.items().is_empty() { std::slice::from_ref(self) } else { self.items() }
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().find(|(k, ..)| *k == key).map(|(.., v)| v)
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Yaml::Text(text) = &self.value { Some(text) } else { None }
    }

    /// A scalar as the text that compose makes of it; nothing for a sequence or a mapping.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Yaml::Null => Some(String::new()),
            Yaml::Bool(b) => Some(b.to_string()),
            Yaml::Number(n) => Some(n.to_string()),
            Yaml::Text(text) => Some(text.clone()),
            Yaml::List(_) | Yaml::Map(_) => None,
        }
    }

    /// The value without places, as JSON.
    pub fn json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(b) => Value::Bool(*b),
            Yaml::Number(n) => Value::Number(n.clone()),
            Yaml::Text(text) => Value::String(text.clone()),
            Yaml::List(list) => list.iter().map(Node::json).collect(),
            Yaml::Map(map) => Value::Object(map.iter().filter_map(|(k, v)| Some((k.scalar()?, v.json()))).collect()),
        }
    }

    /// Calls `visit` with every scalar text and its node, keys included.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a str, &'a Node)) {
        match &self.value {
            Yaml::Text(text) => visit(text, self),
            Yaml::List(list) => list.iter().for_each(|n| n.walk(visit)),
            Yaml::Map(map) => map.iter().for_each(|(k, v)| {
                k.walk(visit);
                v.walk(visit);
            }),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => {}
        }
    }
}

/// The first line of the parser's message, without the place, which our errors begin with.
fn message(said: &str) -> String {
    let first = said.lines().next().unwrap_or("not YAML");
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = if first.starts_with("line ") { first.split_once(": ").map_or(first, |(_, rest)| rest) } else { first };
    // The rest speaks to whoever calls the parser.
    if let Some((said, _)) = first.split_once(", set DuplicateKeyPolicy") {
        return format!("{said}; write it once");
    }
    if first.starts_with("multiple YAML documents") {
        return "a second YAML document begins here; expected one in a file".to_owned();
    }
    if first.starts_with("tabs disallowed") {
        return format!("{first}; indent with spaces");
    }
    first.to_owned()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<Yaml>::deserialize(deserializer)?;
        Ok(Self { value, line: defined.line() as usize, column: defined.column() as usize })
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Yaml;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("YAML")
            }

            fn visit_unit<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_none<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Yaml, D::Error> {
                Yaml::deserialize(d)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
                Ok(Yaml::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
                Ok(Yaml::Number(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
                Ok(Yaml::Number(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
                Ok(serde_json::Number::from_f64(value).map_or_else(|| Yaml::Text(value.to_string()), Yaml::Number))
            }

            fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
                Ok(Yaml::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
                let mut list = Vec::new();
                while let Some(node) = seq.next_element()? {
                    list.push(node);
                }
                Ok(Yaml::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
                let mut map: Vec<(Node, Node)> = Vec::new();
                let mut names = HashSet::new();
                while let Some((key, value)) = entries.next_entry::<Node, Node>()? {
                    // Docker refuses any other key, and whoever goes through a mapping by its names would not see it.
                    let Some(name) = key.text() else {
                        let shown = key.scalar().filter(|s| !s.is_empty()).unwrap_or_else(|| "…".to_owned());
                        return Err(A::Error::custom(format!("the key {shown} is not text; write it in quotes")));
                    };
                    // With tags, the parser takes two equal keys for different ones. Docker uses the last.
                    if !names.insert(name.to_owned()) {
                        return Err(A::Error::custom(format!("the key {name} is there twice; write it once, without a tag")));
                    }
                    map.push((key, value));
                }
                Ok(Yaml::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Node> {
        Node::parse(Path::new("compose.yml"), text)
    }

    #[test]
    fn every_node_has_its_place() {
        let root = parse("a:\n  - x: 1\n    b: true\n  - \"é\": [c,  d]\n").expect("valid");
        let mut places = Vec::new();
        root.walk(&mut |text, node| places.push((text.to_owned(), node.line, node.column)));
        let expected = [("a", 1, 1), ("x", 2, 5), ("b", 3, 5), ("é", 4, 5), ("c", 4, 11), ("d", 4, 15)];
        assert_eq!(places, expected.map(|(t, l, c)| (t.to_owned(), l, c)));
        assert_eq!(root.json(), serde_json::json!({"a": [{"x": 1, "b": true}, {"é": ["c", "d"]}]}));
    }

    #[test]
    fn numbers_are_read_as_docker_reads_them() {
        let root = parse("a: 0555\nb: 0o555\nc: \"0555\"\nd: 10\ne: 0\nf: 08:00\n").expect("valid");
        assert_eq!(root.json(), serde_json::json!({"a": 0o555, "b": 0o555, "c": "0555", "d": 10, "e": 0, "f": "08:00"}));
    }

    /// The parser refuses two equal keys, but not if one has a tag: then a reader might take the first, and docker takes the last.
    #[test]
    fn no_key_is_there_twice() {
        parse("a: &x {b: 1}\nc: {<<: *x, b: 2}\n").expect("a merge may be overridden");
        for text in [
            "a: 1\na: 2\n",
            "a: 1\n!x a: 2\n",
            "!x a: 1\n!y a: 2\n",
            "a: {!!str b: 1, b: 2}\n",
            "a: &x {b: 1}\nc: {<<: *x, !x b: 2}\n",
        ] {
            parse(text).expect_err(text);
        }
        let error = parse("a:\n  b: 1\n  !x b: 2\n").expect_err("twice").to_string();
        assert!(error.contains("the key b is there twice"), "{error}");
    }

    /// Docker decodes it too.
    #[test]
    fn binary_text_is_decoded_or_refused() {
        for text in ["a: !!binary Lzovaw==\n", "a: !<tag:yaml.org,2002:binary> Lzovaw==\n"] {
            assert!(parse(text).map_or(true, |root| root.json() == serde_json::json!({"a": "/:/k"})), "{text}");
        }
    }

    #[test]
    fn every_key_is_text() {
        let root = parse("'1': a\nyes: b\n").expect("valid");
        assert_eq!(root.entries().map(|(name, ..)| name).collect::<Vec<_>>(), ["1", "yes"]);
        for text in ["1: a\n", "a: {true: x}\n", "a:\n  1.5: c\n", "~: a\n", "? [a]\n: b\n", "? {a: b}\n: c\n"] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with("compose.yml:"), "{error}");
        }
    }

    #[test]
    fn what_came_through_an_alias_or_a_merge_stands_where_it_was_written() {
        let root = parse("x: &x\n  k: v\na: *x\nb:\n  <<: *x\n  own: w\n").expect("valid");
        for key in ["a", "b"] {
            let node = root.get(key).and_then(|n| n.get("k")).expect("k");
            assert_eq!((node.text(), node.line), (Some("v"), 2), "{key}");
        }
    }

    #[test]
    fn an_anchor_may_have_many_aliases_and_a_bomb_of_them_is_refused() {
        let services: String = (0..300).map(|i| format!("  s{i}:\n    <<: *d\n    image: nginx:1\n")).collect();
        let root = parse(&format!("x-d: &d\n  restart: always\nservices:\n{services}")).expect("as docker reads it");
        assert_eq!(root.get("services").map(|s| s.entries().count()), Some(300));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb += &format!("a{i}: &a{i} [{aliases}]\n");
        }
        assert!(parse(&bomb).expect_err("a bomb").to_string().starts_with("compose.yml:"));
    }

    #[test]
    fn bad_yaml_is_an_error_with_a_place() {
        let deep = "[".repeat(100_000);
        let nested = format!("services: {}", "{a: ".repeat(5_000));
        for text in ["a: [", "a: b: c", "a: 1\na: 2\n", "\u{0}\u{1}", "a: *nowhere", "%", &deep, &nested] {
            let error = parse(text).expect_err(text.get(..20).unwrap_or(text)).to_string();
            assert!(error.starts_with("compose.yml:"), "{error}");
        }
    }

    #[test]
    fn ten_megabytes_are_read_or_refused_with_a_place() {
        let big: String = std::iter::once("services:\n".to_owned())
            .chain((0..250_000).map(|i| format!("  s{i}:\n    image: x{i} # filler filler\n")))
            .collect();
        assert!(big.len() > 10_000_000);
        if let Err(error) = parse(&big) {
            assert!(error.to_string().starts_with("compose.yml:"), "{error}");
        }
    }
}
