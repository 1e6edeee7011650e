//! Where in a file something is added to a service, in the style of what is there.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{Change, FileText, Quotes};
use crate::compose::yaml::{Node, Yaml};
use crate::labels::recipe::VersionOf;

/// The lines and columns of labels.
pub(super) type Places = BTreeSet<(usize, usize)>;

/// Why something cannot be added.
pub(super) type Refused = String;

/// A label that is added.
#[derive(Debug, Clone)]
pub(super) struct Added {
    pub name: String,
    pub value: String,
    /// The comment behind it, with the blanks before; only a label in a line of its own keeps it.
    pub comment: String,
}

/// A service of a file.
pub(super) struct OwnService<'f> {
    file: &'f FileText,
    name: &'f str,
    key: &'f Node,
    node: &'f Node,
}

/// How far one level is indented further than the one above it, where the file does not say.
const STEP: usize = 2;

impl FileText {
    /// A service that the file has.
    pub(super) fn service<'f>(&'f self, name: &'f str) -> Option<OwnService<'f>> {
        let services = self.compose.tree.get("services")?;
        let (_, key, node) = services.entries().find(|(n, ..)| *n == name)?;
        Some(OwnService { file: self, name, key, node })
    }

    /// Whether the file says a version of compose files that is older than this one.
    pub(super) fn is_before(&self, version: (u64, u64)) -> bool {
        let said = self.compose.tree.get("version").and_then(Node::scalar).unwrap_or_default();
        let (major, minor) = said.split_once('.').unwrap_or((&said, "0"));
        match (major.parse(), minor.parse()) {
            (Ok(major), Ok(minor)) => (major, minor) < version && major >= 3,
            _ => false,
        }
    }

    /// Whether the file declares a config.
    pub(super) fn declares(&self, config: &str) -> bool {
        self.compose.tree.get("configs").is_some_and(|configs| configs.get(config).is_some())
    }

    /// The services whose part under these keys is written in the same place: they share an anchor.
    fn sharing(&self, keys: &[&str], line: usize, column: usize) -> Vec<&str> {
        let services = self.compose.tree.get("services").map(Node::entries).into_iter().flatten();
        let is_there = |node: &Node| key_at(node, keys).is_some_and(|key| (key.line, key.column) == (line, column));
        services.filter(|(.., node)| is_there(node)).map(|(name, ..)| name).collect()
    }
}

/// The key at the end of a path of keys.
fn key_at<'n>(node: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    let (first, rest) = keys.split_first()?;
    let (_, key, value) = node.entries().find(|(name, ..)| name == first)?;
    if rest.is_empty() { Some(key) } else { key_at(value, rest) }
}

impl<'f> OwnService<'f> {
    /// Whether it has labels in this file under `deploy.labels`.
    pub(super) fn has_labels(&self) -> bool {
        self.labels().is_some_and(|labels| !labels.items().is_empty() || labels.entries().next().is_some())
    }

    fn labels(&self) -> Option<&'f Node> {
        self.node.get("deploy")?.get("labels")
    }

    /// The lines of the service's own block: from its first to the one after its last.
    fn block(&self) -> std::ops::Range<usize> {
        self.key.line..self.file.block_end(self.key.line)
    }

    /// Whether a line is in the service's own block.
    pub(super) fn has_line(&self, line: usize) -> bool {
        self.block().contains(&line)
    }

    fn is_own(&self, node: &Node) -> bool {
        self.has_line(node.line)
    }

    /// It is an error if other services have this part too, by an anchor.
    fn check_own(&self, keys: &[&str]) -> Result<(), Refused> {
        let Some(key) = key_at(self.node, keys) else { return Ok(()) };
        let others: Vec<&str> = self.file.sharing(keys, key.line, key.column).into_iter().filter(|n| *n != self.name).collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(format!("{} of {} comes from an anchor that {} has too", keys.join("."), self.name, others.join(", ")))
    }

    /// It is an error if other services have the same labels, as in `labels: *anchor`.
    fn check_shared(&self, labels: &[&Node]) -> Result<(), Refused> {
        let Some(first) = labels.first() else { return Ok(()) };
        let services = self.file.compose.tree.get("services").map(Node::entries).into_iter().flatten();
        let has = |node: &Node| {
            let labels = node.get("deploy").and_then(|d| d.get("labels"));
            let keys = labels.map(Node::entries).into_iter().flatten().map(|(_, key, _)| key);
            labels.map_or(&[][..], Node::items).iter().chain(keys).any(|n| (n.line, n.column) == (first.line, first.column))
        };
        let others: Vec<&str> =
            services.filter(|(name, _, node)| *name != self.name && has(node)).map(|(name, ..)| name).collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(format!("the labels of {} come from an anchor that {} has too", self.name, others.join(", ")))
    }

    /// Adds labels under `deploy.labels`. `removed` are the lines and columns of labels that are taken out there.
    pub(super) fn add_labels(&self, labels: &[Added], removed: &Places) -> Result<Change, Refused> {
        self.check_own(&["deploy"]).and_then(|()| self.check_own(&["deploy", "labels"]))?;
        let deploy = self.node.get("deploy");
        match (deploy, self.labels()) {
            (_, Some(node)) if self.has_labels() => self.beside(node, labels, removed),
            (Some(_), Some(_)) => self.in_empty_labels(labels),
            (Some(deploy), None) => self.in_deploy(deploy, labels),
            (None, _) => self.at_end(&format!("deploy:{}", self.file.end), labels),
        }
    }

    /// After the version, else after the last label.
    fn beside(&self, node: &Node, labels: &[Added], removed: &Places) -> Result<Change, Refused> {
        let file = self.file;
        let is_item = matches!(node.value, Yaml::List(_));
        let all: Vec<&Node> = match &node.value {
            Yaml::List(items) => items.iter().collect(),
            _ => node.entries().map(|(_, key, _)| key).collect(),
        };
        let is_version = |n: &&Node| version_of(n.text().unwrap_or_default()) == Some(VersionOf::Recipe);
        let own: Vec<&Node> = all.iter().copied().filter(|n| self.is_own(n)).collect();
        let all = if own.is_empty() { self.check_shared(&all).map(|()| all)? } else { own };
        let stays = |n: &&Node| !removed.contains(&(n.line, n.column));
        let last = all.iter().copied().rfind(stays).or(all.last().copied());
        let Some(beside) = all.iter().copied().filter(stays).find(is_version).or(last) else {
            return Err("the labels have an unusual form".into());
        };
        let same_line = all.iter().filter(|n| n.line == beside.line).count() > 1;
        let at = file.at(beside.line, beside.column);
        let scalar = file.scalar(at, !is_item).ok_or("the label before has an unusual form")?;
        let whole = if is_item { Some(scalar.clone()) } else { file.value_of(&scalar) };
        let quotes = whole.as_ref().map_or(Quotes::Double, |s| s.quotes);
        if same_line || file.is_in_flow(at) {
            let whole = whole.ok_or("the label before has an unusual form")?;
            let new: Vec<String> = labels.iter().map(|l| entry(l, is_item, quotes, true)).collect();
            let comma = if stays(&beside) { ", " } else { "" };
            return Ok((whole.range.end..whole.range.end, format!("{comma}{}", new.join(", "))));
        }
        let last = whole.map_or_else(|| file.block_end(beside.line) - 1, |s| file.line_of(s.range.end.saturating_sub(1)));
        let indent = file.indent(beside.line).unwrap_or(0);
        let before = &file.line_text(beside.line)[indent..at - file.line(beside.line)];
        if is_item && !before.starts_with('-') {
            return Err("the labels are a list over several lines between brackets".into());
        }
        let lines = labels.iter().map(|l| format!("{:indent$}{before}{}{}", "", entry(l, is_item, quotes, false), l.comment));
        Ok(self.after_line(last, lines))
    }

    /// Lines after a line.
    fn after_line(&self, line: usize, lines: impl Iterator<Item = String>) -> Change {
        let (file, end) = (self.file, self.file.end);
        let at = file.line(line + 1);
        let new: String = lines.flat_map(|l| [l, end.to_owned()]).collect();
        let has_end = at == 0 || file.text[..at].ends_with('\n');
        (at..at, if has_end { new } else { format!("{end}{new}") })
    }

    /// The indentation of a key's children.
    fn inner(&self, line: usize) -> usize {
        let own = self.file.indent(line).unwrap_or(0);
        let child = (line + 1..self.file.block_end(line)).find_map(|l| {
            let is_comment = self.file.line_text(l).trim_start().starts_with('#');
            self.file.indent(l).filter(|_| !is_comment)
        });
        child.unwrap_or(own + STEP)
    }

    /// `labels: []`, `labels: {}`, or `labels:` with nothing.
    fn in_empty_labels(&self, labels: &[Added]) -> Result<Change, Refused> {
        let key = key_at(self.node, &["deploy", "labels"]).ok_or("no labels")?;
        let file = self.file;
        let key_scalar = file.scalar(file.at(key.line, key.column), true).ok_or("the key has an unusual form")?;
        let line = file.line_text(key.line);
        let rest = &line[(key_scalar.range.end - file.line(key.line)).min(line.len())..];
        let value = rest.trim_start_matches(':').trim_start();
        let open = ["[]", "{}"].iter().find(|open| value.starts_with(**open));
        let begin = file.line(key.line) + (line.len() - value.len());
        match open {
            Some(open) => {
                let list: Vec<String> = labels.iter().map(|l| entry(l, *open == "[]", Quotes::Double, true)).collect();
                let (left, right) = open.split_at(1);
                Ok((begin..begin + 2, format!("{left}{}{right}", list.join(", "))))
            }
            None if value.is_empty() || value.starts_with('#') => {
                let depth = file.indent(key.line).unwrap_or(0) + STEP;
                Ok(self.after_line(
                    key.line,
                    labels.iter().map(|l| format!("{:depth$}- {}{}", "", entry(l, true, Quotes::Double, false), l.comment)),
                ))
            }
            None => Err("labels: has an unusual form".into()),
        }
    }

    /// Under a `deploy:` that has no labels.
    fn in_deploy(&self, deploy: &Node, labels: &[Added]) -> Result<Change, Refused> {
        let file = self.file;
        let key = key_at(self.node, &["deploy"]).ok_or("no deploy")?;
        let scalar = file.scalar(file.at(key.line, key.column), true).ok_or("the key has an unusual form")?;
        let line = file.line_text(key.line);
        let value = line[scalar.range.end - file.line(key.line)..].trim_start_matches(':').trim_start();
        let begin = file.line(key.line) + (line.len() - value.len());
        if value.starts_with('{') {
            let comma = if deploy.entries().next().is_some() { ", " } else { "" };
            let list: Vec<String> = labels.iter().map(|l| entry(l, true, Quotes::Double, true)).collect();
            return Ok((begin + 1..begin + 1, format!("labels: [{}]{comma}", list.join(", "))));
        }
        let inner = self.inner(key.line);
        if value.starts_with('*') {
            // deploy: *anchor becomes a mapping that merges it.
            let alias = value.split_whitespace().next().unwrap_or(value);
            let depth = file.indent(key.line).unwrap_or(0) + STEP;
            let new = format!("{}{:depth$}<<: {alias}{}{}", file.end, "", file.end, heading(labels, depth, file.end));
            return Ok((begin..begin + alias.len(), new.trim_end().to_owned()));
        }
        let text = heading(labels, inner, file.end);
        Ok(self.after_line(key.line, std::iter::once(text.trim_end().to_owned())))
    }

    /// At the end of the service.
    fn at_end(&self, head: &str, labels: &[Added]) -> Result<Change, Refused> {
        let depth = self.depth()?;
        let text = format!("{:depth$}{head}{}", "", heading(labels, depth + self.step(depth), self.file.end));
        Ok(self.after_line(self.last_line(), std::iter::once(text.trim_end().to_owned())))
    }

    /// The indentation of the service's keys. It is an error if they are not in lines of their own.
    pub(super) fn depth(&self) -> Result<usize, Refused> {
        let depth = self.inner(self.key.line);
        let first = self.node.entries().map(|(_, key, _)| key).find(|key| self.is_own(key));
        match first {
            Some(first) if first.line > self.key.line => Ok(depth),
            None if self.block().len() > 1 => Ok(depth),
            _ => Err(format!("service {} is not written as a block of lines", self.name)),
        }
    }

    fn step(&self, depth: usize) -> usize {
        depth.saturating_sub(self.file.indent(self.key.line).unwrap_or(STEP)).max(1)
    }

    fn last_line(&self) -> usize {
        self.file.block_end(self.key.line) - 1
    }

    /// Whether it has configs in this file.
    pub(super) fn has_configs(&self) -> bool {
        self.node.get("configs").is_some()
    }

    /// Mounts a config under `configs:`, in the long form.
    pub(super) fn add_config(&self, config: &str) -> Result<Change, Refused> {
        self.check_own(&["configs"])?;
        let lines = ["source: ".to_owned() + config, format!("target: /{config}.sh"), "mode: 0555".into()];
        let long = |depth: usize| {
            lines
                .iter()
                .enumerate()
                .map(move |(at, line)| format!("{:depth$}{}{line}", "", if at == 0 { "- " } else { "  " }))
                .collect::<Vec<_>>()
        };
        let depth = self.depth()?;
        let Some(configs) = self.node.get("configs") else {
            let all = std::iter::once(format!("{:depth$}configs:", "")).chain(long(depth + self.step(depth)));
            return Ok(self.after_line(self.last_line(), all));
        };
        let Some(last) = configs.items().last() else { return Err("configs: has an unusual form".into()) };
        let begin = self.file.line_text(last.line).trim_start();
        if !begin.starts_with('-') {
            return Err("configs: is not written in lines of its own".into());
        }
        let indent = self.file.indent(last.line).unwrap_or(depth);
        Ok(self.after_line(self.file.block_end(last.line) - 1, long(indent).into_iter()))
    }
}

/// `labels:` with labels below it.
fn heading(labels: &[Added], depth: usize, end: &str) -> String {
    let inner = depth + STEP;
    let line = |l: &Added| format!("{:inner$}- {}{}{end}", "", entry(l, true, Quotes::Double, false), l.comment);
    let lines: String = labels.iter().map(line).collect();
    format!("{:depth$}labels:{end}{lines}", "")
}

fn entry(Added { name, value, .. }: &Added, is_item: bool, quotes: Quotes, in_flow: bool) -> String {
    match is_item {
        true => quotes.write(&format!("{name}={value}"), in_flow),
        false => format!("{}: {}", Quotes::Plain.write(name, in_flow), quotes.write(value, in_flow)),
    }
}

fn version_of(label: &str) -> Option<VersionOf> {
    crate::labels::recipe::version_of(label.split('=').next().unwrap_or(label))
}

/// Declares configs at the end of `configs:`, or at the end of the file.
pub(super) fn declare(file: &FileText, configs: &BTreeMap<String, String>) -> Result<Change, Refused> {
    let end = file.end;
    let entry = |depth: usize| {
        let lines = configs.iter().flat_map(move |(config, version)| {
            let step = depth + STEP;
            [
                format!("{:depth$}{config}:", ""),
                format!("{:step$}name: ${{STACK_NAME}}_{config}_${{{version}}}", ""),
                format!("{:step$}file: {config}.sh", ""),
            ]
        });
        lines.flat_map(|l| [l, end.to_owned()]).collect::<String>()
    };
    let has_end = |at: usize| at == 0 || file.text[..at].ends_with('\n');
    let ended = |at: usize, text: String| (at..at, if has_end(at) { text } else { format!("{end}{text}") });
    let Some((_, key, node)) = file.compose.tree.entries().find(|(name, ..)| *name == "configs") else {
        return Ok(ended(file.content_end(), format!("configs:{end}{}", entry(STEP))));
    };
    match node.entries().next() {
        Some((_, first, _)) if first.line > key.line => {
            Ok(ended(file.line(file.block_end(key.line)), entry(file.indent(first.line).unwrap_or(STEP))))
        }
        _ => Err("configs: of the file is not written in lines of its own".into()),
    }
}
