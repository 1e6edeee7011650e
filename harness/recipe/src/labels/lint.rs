//! `labels lint`: looks for the mistakes that lose data without a word. Reads files, never an engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::hook::{self, Command};
use super::recipe::{Label, MountSource, Place, Recipe, Service};
use super::rules::{Rule, Severity};
use super::{BACKUP, Hook, VOLUMES};
use crate::inventory::Class;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mistake {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Which it is.
    pub rule: Rule,
    /// What is written there, and what about it.
    pub message: String,
}

/// How mistakes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum OutputFormat {
    /// For people.
    #[default]
    Human,
    /// For programs: one object with a list.
    Json,
    /// For GitHub Actions: annotations.
    Github,
}

/// The mistakes of a recipe, in the order of its files. `base` is the recipe before the change.
pub fn lint(recipe: &Recipe, base: Option<&Recipe>) -> Vec<Mistake> {
    let mut lint = Lint { recipe, found: Vec::new() };
    lint.switch();
    for (_, service, label) in recipe.labels() {
        lint.label(service, label);
    }
    lint.container_labels();
    lint.hooks();
    lint.selection();
    lint.mounts();
    lint.version(base);
    lint.found.sort();
    lint.found.dedup();
    lint.found
}

/// Whether any of them is an error.
pub fn is_error(mistakes: &[Mistake]) -> bool {
    mistakes.iter().any(|m| m.rule.lesson().severity == Severity::Error)
}

struct Lint<'a> {
    recipe: &'a Recipe,
    found: Vec<Mistake>,
}

fn is_backupbot(name: &str) -> bool {
    name == "backupbot" || name.starts_with("backupbot.")
}

impl Lint<'_> {
    fn say(&mut self, rule: Rule, place: &Place, message: impl Into<String>) {
        self.found.push(Mistake { place: place.clone(), rule, message: message.into() });
    }

    /// The place to speak of what is missing: the main service.
    fn main(&self) -> Option<Place> {
        let app = self.recipe.services.get("app").or_else(|| self.recipe.services.values().next());
        app.map(|s| s.place.clone())
    }

    fn switch(&mut self) {
        let recipe = self.recipe;
        let all: Vec<_> = recipe.labels().filter(|(.., l)| is_backupbot(&l.name)).collect();
        let on: Vec<_> = all.iter().filter(|(.., l)| l.name == BACKUP).collect();
        let on_container = || recipe.services.values().flat_map(|s| &s.container_labels).any(|l| is_backupbot(&l.name));
        match (all.first(), on.first(), self.main()) {
            (None, _, Some(place)) if !on_container() => {
                self.say(Rule::NoLabels, &place, "no service has a label of backupbot");
            }
            (Some((.., label)), None, _) if !on_container() => {
                self.say(Rule::NotEnabled, &label.place, format!("{} is never read without {BACKUP}=true", label.name));
            }
            (_, Some((name, _, label)), _) if *name != "app" && recipe.services.contains_key("app") => {
                self.say(Rule::EnabledElsewhere, &label.place, format!("{BACKUP} is on service {name}, not on app"));
            }
            _ => {}
        }
        for (name, _, label) in on.iter().skip(1) {
            let message = format!("{BACKUP} is on service {name}, and on {} already", on[0].0);
            self.say(Rule::EnabledTwice, &label.place, message);
        }
    }

    fn label(&mut self, service: &Service, label: &Label) {
        let Label { name, value, place, .. } = label;
        if !is_backupbot(name) && !name.starts_with("coop-cloud.") {
            return;
        }
        for variable in label.unset.iter().filter(|v| *v != "STACK_NAME") {
            self.say(Rule::NoValue, place, format!("${{{variable}}} in {name}={value} has no value and no default"));
        }
        if !is_backupbot(name) || name == "backupbot" {
            return;
        }
        if label.boolean {
            self.say(Rule::InexactValue, place, format!("{name}: {value} is a YAML boolean; expected \"{value}\""));
        }
        if name == BACKUP {
            if value != "true" && value != "false" {
                self.say(Rule::InexactValue, place, format!("{name}={value}: expected true"));
            } else if value == "false" {
                self.say(Rule::NotEnabled, place, format!("{name}=false: nothing is backed up"));
            }
        } else if let Some(rest) = name.strip_prefix(VOLUMES) {
            self.volume_label(label, rest);
        } else if name == "backupbot.backup.path" {
            let volume = service.mounts.iter().find_map(|m| match &m.source {
                MountSource::Volume(volume) if value.starts_with(&m.target) => Some((volume, &value[m.target.len()..])),
                _ => None,
            });
            let instead = volume.map_or_else(String::new, |(volume, path)| match path.trim_matches('/') {
                "" => format!("; volume {volume} is taken without a label"),
                path => format!("; expected {VOLUMES}{volume}.path={path}"),
            });
            self.say(Rule::ContainerPath, place, format!("{name}={value}{instead}"));
        } else if name.starts_with("backupbot.volumes.") {
            self.say(Rule::Version1, place, format!("{name}={value} is of version 1"));
        } else if !Hook::ALL.iter().any(|h| h.label() == name) {
            let known = Hook::ALL.iter().map(|h| h.label()).chain([BACKUP, VOLUMES]);
            let nearest = known.min_by_key(|k| strsim::damerau_levenshtein(k, name)).unwrap_or(BACKUP);
            let nearest = if nearest == VOLUMES { "backupbot.backup.volumes.<volume>" } else { nearest };
            self.say(Rule::UnknownLabel, place, format!("{name}; the nearest that there is: {nearest}"));
        }
    }

    fn volume_label(&mut self, label: &Label, rest: &str) {
        let Label { name, value, place, .. } = label;
        let volumes = &self.recipe.volumes;
        let (volume, is_path) = match rest.strip_suffix(".path") {
            Some(volume) if !volumes.contains_key(rest) => (volume, true),
            _ => (rest, false),
        };
        if !volumes.contains_key(volume) {
            let nearest = volumes
                .keys()
                .min_by_key(|v| if volume.ends_with(&format!("_{v}")) { 0 } else { strsim::damerau_levenshtein(v, volume) });
            let nearest = nearest.map_or_else(String::new, |v| format!("; did you mean {v}?"));
            self.say(Rule::UnknownVolume, place, format!("{name}: there is no volume {volume:?}{nearest}"));
        }
        if is_path {
            let bad = |p: &&str| p.is_empty() || p.starts_with('/') || p.split('/').any(|part| part == "..");
            if let Some(path) = value.split(',').map(str::trim).find(bad) {
                self.say(Rule::BadPath, place, format!("{name}={value}: path {path:?}"));
            }
            let out = self.recipe.labels().any(|(.., l)| l.name == format!("{VOLUMES}{volume}") && l.value == "false");
            if out {
                self.say(Rule::PathOfExcluded, place, format!("{name}: volume {volume} is left out by {VOLUMES}{volume}=false"));
            }
        } else if value != "true" && value != "false" && !label.boolean {
            self.say(Rule::InexactValue, place, format!("{name}={value}: expected false"));
        }
    }

    fn container_labels(&mut self) {
        let recipe = self.recipe;
        for label in recipe.services.values().flat_map(|s| &s.container_labels).filter(|l| is_backupbot(&l.name)) {
            self.say(Rule::ContainerLabel, &label.place, format!("{} under labels, not under deploy.labels", label.name));
        }
    }

    fn hooks(&mut self) {
        let recipe = self.recipe;
        for (name, service) in &recipe.services {
            let label = |hook: Hook| service.label(hook.label());
            for label in Hook::ALL.iter().filter_map(|h| label(*h)) {
                if service.replicas == Some(0) {
                    self.say(
                        Rule::HookNeverRuns,
                        &label.place,
                        format!("{} on service {name}, which has replicas: 0", label.name),
                    );
                }
                self.hook(service, label);
            }
            let (backup, restore) = (
                [Hook::BackupPre].into_iter().find_map(label),
                [Hook::RestorePre, Hook::RestorePost].into_iter().find_map(label),
            );
            match (backup, restore) {
                (Some(l), None) => {
                    self.say(Rule::BackupHookAlone, &l.place, format!("service {name} has no backupbot.restore hook"));
                }
                (None, Some(l)) => {
                    self.say(Rule::RestoreHookAlone, &l.place, format!("service {name} has no backupbot.backup.pre-hook"));
                }
                _ => {}
            }
        }
    }

    fn hook(&mut self, service: &Service, label: &Label) {
        let Command { tools, writes, hiding } = hook::read(&label.value);
        for path in writes {
            let mount = service
                .mounts
                .iter()
                .filter(|m| path.strip_prefix(m.target.trim_end_matches('/')).is_some_and(|r| r.is_empty() || r.starts_with('/')))
                .max_by_key(|m| m.target.len());
            let about = match mount.map(|m| &m.source) {
                Some(MountSource::Volume(_)) => continue,
                Some(MountSource::Bind(_)) => "is on the host",
                Some(MountSource::Unnamed) => "is in no named volume",
                None => "is in the container's writable layer",
            };
            if !hook::is_scratch(&path) {
                let volumes: Vec<_> = service.volumes().collect();
                let has = if volumes.is_empty() { "none".into() } else { volumes.join(", ") };
                let message = format!("{}: {path} {about}; volumes of this service: {has}", label.name);
                self.say(Rule::DumpOutsideVolumes, &label.place, message);
            }
        }
        let image = service.image.as_deref().unwrap_or_default();
        for tool in tools {
            if let Some(instead) = hook::lacks(image, &tool) {
                self.say(Rule::ToolMissing, &label.place, format!("{}: {image} has no {tool}; {instead}", label.name));
            }
        }
        if let Some(first) = hiding {
            let message = format!("{}: if {first} fails, nobody is told", label.name);
            self.say(Rule::PipeHidesFailure, &label.place, message);
        }
    }

    fn selection(&mut self) {
        let recipe = self.recipe;
        if !recipe.labels().any(|(.., l)| l.name == BACKUP) {
            return;
        }
        let out: BTreeMap<&str, &Label> = recipe
            .labels()
            .filter(|(.., l)| l.value == "false")
            .filter_map(|(.., l)| Some((l.name.strip_prefix(VOLUMES)?, l)))
            .collect();
        let mounted: BTreeSet<&str> = recipe.services.values().flat_map(Service::volumes).collect();
        if let Some((_, last)) = out.iter().last().filter(|_| mounted.iter().all(|v| out.contains_key(v))) {
            self.say(Rule::NothingLeft, &last.place, format!("all {} volumes are left out", mounted.len()));
        }
        for volume in recipe.inventory.iter().flat_map(|i| &i.volumes).filter(|v| mounted.contains(v.name.as_str())) {
            let name = &volume.name;
            let message = |what: &str| format!("volume {name} is {what}: {}", volume.why);
            match (volume.class, out.get(name.as_str())) {
                (Class::Durable, Some(label)) => self.say(Rule::DurableExcluded, &label.place, message("durable")),
                (Class::Valuable, Some(label)) => self.say(Rule::ValuableExcluded, &label.place, message("valuable")),
                (Class::Regenerated | Class::Cache, None) => {
                    if let Some(place) = recipe.volumes.get(name) {
                        self.say(Rule::JunkCaptured, place, message("taken"));
                    }
                }
                _ => {}
            }
        }
    }

    fn mounts(&mut self) {
        let recipe = self.recipe;
        for (name, service) in &recipe.services {
            for mount in &service.mounts {
                let MountSource::Bind(path) = &mount.source else { continue };
                // Sockets and the host's own clock are not the app's state.
                if !mount.read_only && !path.ends_with(".sock") && !path.starts_with("/etc/") {
                    let message = format!("service {name} may write to {path} of the host at {}", mount.target);
                    self.say(Rule::StateOutsideVolumes, &mount.place, message);
                }
            }
        }
    }

    fn version(&mut self, base: Option<&Recipe>) {
        let recipe = self.recipe;
        let Some((.., label)) = recipe.version() else {
            if let Some(place) = self.main() {
                self.say(Rule::NoVersion, &place, "no label coop-cloud.${STACK_NAME}.version");
            }
            return;
        };
        let Some(now) = Version::parse(&label.value) else {
            self.say(Rule::BadVersion, &label.place, format!("{}: expected as in 3.0.1+2024.06.52", label.value));
            return;
        };
        let Some(base) = base else { return };
        let labels = |r: &Recipe| -> BTreeSet<(String, String, String)> {
            let all = r.labels().filter(|(.., l)| is_backupbot(&l.name));
            all.map(|(s, _, l)| (s.to_owned(), l.name.clone(), l.value.clone())).collect()
        };
        let before = base.version().and_then(|(.., l)| Version::parse(&l.value));
        if let Some(before) = before.filter(|b| labels(recipe) != labels(base) && now.recipe <= b.recipe) {
            let message = format!("labels changed since {before}; expected {} or later", before.bumped());
            self.say(Rule::VersionNotBumped, &label.place, message);
        }
    }
}

/// `<recipe>+<upstream>`, as in `3.0.1+2024.06.52`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The recipe's part.
    pub recipe: [u64; 3],
    /// The app's part.
    pub upstream: String,
}

impl Version {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let (recipe, upstream) = text.split_once('+')?;
        let numbers: Vec<u64> = recipe.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let recipe = numbers.try_into().ok()?;
        (!upstream.is_empty()).then(|| Self { recipe, upstream: upstream.to_owned() })
    }

    /// With the recipe's patch part raised, as a change of labels asks for.
    pub fn bumped(&self) -> Self {
        let [major, minor, patch] = self.recipe;
        Self { recipe: [major, minor, patch.saturating_add(1)], upstream: self.upstream.clone() }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.recipe;
        write!(f, "{major}.{minor}.{patch}+{}", self.upstream)
    }
}

/// The mistakes as text.
pub fn render(mistakes: &[Mistake], format: OutputFormat) -> String {
    let errors = mistakes.iter().filter(|m| m.rule.lesson().severity == Severity::Error).count();
    let mut out = String::new();
    let escaped = |text: &str, more: &[(char, &str)]| -> String {
        let base = [('%', "%25"), ('\r', "%0D"), ('\n', "%0A")];
        let all =
            |c: char| base.iter().chain(more).find(|(from, _)| *from == c).map_or_else(|| c.to_string(), |(_, to)| (*to).into());
        text.chars().map(all).collect()
    };
    match format {
        OutputFormat::Json => {
            let all: Vec<_> = mistakes
                .iter()
                .map(|m| {
                    let (mut json, lesson) = (serde_json::json!(m), m.rule.lesson());
                    json["code"] = serde_json::json!(lesson.code);
                    json["severity"] = serde_json::json!(lesson.severity);
                    json["summary"] = serde_json::json!(lesson.summary);
                    json["reason"] = serde_json::json!(lesson.reason);
                    json["fix"] = serde_json::json!(lesson.fix);
                    json
                })
                .collect();
            let all = serde_json::json!({"version": 1, "errors": errors, "warnings": mistakes.len() - errors, "mistakes": all});
            let _ = writeln!(out, "{all:#}");
        }
        OutputFormat::Github => {
            for Mistake { place, rule, message } in mistakes {
                let lesson = rule.lesson();
                let kind = if lesson.severity == Severity::Error { "error" } else { "warning" };
                let property = |text: &str| escaped(text, &[(':', "%3A"), (',', "%2C")]);
                let (file, title) =
                    (property(&place.file.display().to_string()), property(&format!("{} {}", lesson.code, lesson.summary)));
                let text = escaped(&format!("{message}\n{}\n{}", lesson.reason, lesson.fix), &[]);
                let _ = writeln!(out, "::{kind} file={file},line={},col={},title={title}::{text}", place.line, place.column);
            }
        }
        OutputFormat::Human => {
            for Mistake { place, rule, message } in mistakes {
                let lesson = rule.lesson();
                let kind = if lesson.severity == Severity::Error { "error" } else { "warning" };
                let _ = writeln!(out, "{place}: {kind} {}: {}", lesson.code, lesson.summary);
                let _ = writeln!(out, "  {message}\n  why: {}\n  fix: {}\n", lesson.reason, lesson.fix);
            }
            let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            let _ = writeln!(out, "{}, {}", plural(errors, "error"), plural(mistakes.len() - errors, "warning"));
            if let Some(first) = mistakes.first() {
                let _ = writeln!(out, "more about one: restore-drill labels explain {}", first.rule.lesson().code);
            }
        }
    }
    out
}
