//! What becomes of each label. A label that is not read as its author meant it is written anew, where the bot reads it; one whose
//! meaning only its author knows stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use crate::labels::is_backupbot;
use crate::labels::main_service::{switch_place, wanted};
use crate::labels::meaning::{Meaning, meaning};
use crate::labels::recipe::{Label, Place, Recipe, Service, VersionOf};
use crate::labels::version::Version;
use crate::labels::{BACKUP, VOLUMES};

/// One thing that is done, as a whole or not at all.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// What is said of it; nothing for labels that are new.
    pub said: Option<String>,
    /// The changes that it consists of.
    pub edits: Vec<Edit>,
}

/// A change of a recipe's labels and configs.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// A label gets another name and value where it is.
    Rewrite { at: At, name: String, value: String },
    /// A label is taken out.
    Remove(At),
    /// A label is added to `deploy.labels` of a service, in the file of this place if the service is in it.
    Insert { service: String, near: Option<Place>, name: String, value: String },
    /// A script is mounted by a service, as a config. The file of this place declares it, with this variable for its version; without
    /// one, the recipe declares it already.
    Config { service: String, near: Place, config: String, version: Option<String> },
}

/// A label that is there.
#[derive(Debug, Clone)]
pub(super) struct At {
    /// Its service.
    pub service: String,
    /// Whether it is under `labels`, and not under `deploy.labels`.
    pub on_container: bool,
    /// The label.
    pub label: Label,
}

/// Labels that stay or are written: those about volumes by their name, others by their service and name. With their values.
#[derive(Default)]
struct Taken(BTreeMap<(String, String), String>);

impl Taken {
    fn key(service: &str, name: &str) -> (String, String) {
        (if name.starts_with(VOLUMES) { String::new() } else { service.to_owned() }, name.to_owned())
    }

    fn get(&self, service: &str, name: &str) -> Option<&String> {
        self.0.get(&Self::key(service, name))
    }

    fn add(&mut self, service: &str, name: &str, value: &str) {
        self.0.insert(Self::key(service, name), value.to_owned());
    }

    /// The services that have a switch.
    fn switches(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|((_, name), _)| name == BACKUP).map(|((service, _), value)| (service.as_str(), value.as_str()))
    }
}

/// What is to be done with a recipe's labels. `main` is its main service, `unwanted` are the volumes that need no backup.
/// `switch` is the value of a new switch.
pub(super) fn steps(recipe: &Recipe, main: &str, unwanted: &[String], switch: &str) -> Vec<Step> {
    let mut planner = Planner {
        recipe,
        main,
        switch,
        taken: Taken::default(),
        steps: Vec::new(),
        rewritten: BTreeMap::new(),
        contested: BTreeSet::new(),
    };
    let all = |on_container: bool| {
        let labels = move |s: &'_ Service| if on_container { s.container_labels.clone() } else { s.labels.clone() };
        let of = move |(name, service): (&String, &Service)| {
            let label = move |label| At { service: name.clone(), on_container, label };
            labels(service).into_iter().filter(|l| is_backupbot(&l.name)).map(label).collect::<Vec<_>>()
        };
        recipe.services.iter().flat_map(of).collect::<Vec<_>>()
    };
    let (deployed, on_container) = (all(false), all(true));
    let (right, wrong): (Vec<At>, Vec<At>) = deployed.into_iter().partition(|at| planner.stays(at));
    for at in &right {
        planner.taken.add(&at.service, &at.label.written.0, &at.label.written.1);
    }
    for at in wrong.iter().chain(&on_container) {
        let Label { name, value, written, .. } = &at.label;
        let meant = match planner.meaning(at) {
            // What a deployed label says has effect, even if it is not needed; a label without effect does not overrule it.
            Meaning::Needless(_) if !at.on_container && name.starts_with(VOLUMES) && value == "true" => {
                planner.taken.add(&at.service, name, value);
                continue;
            }
            Meaning::AsWritten => vec![written.clone()],
            Meaning::Instead(labels) => labels,
            Meaning::Needless(_) | Meaning::Unclear => continue,
        };
        let excludes = |(name, value): &(String, String)| name.starts_with(VOLUMES) && value == "false";
        planner.contested.extend(meant.into_iter().filter(excludes).map(|(name, _)| name));
    }
    planner.move_switch(&right);
    wrong.into_iter().chain(on_container).for_each(|at| planner.mend(at));
    planner.old_version();
    planner.add(unwanted);
    planner.steps
}

struct Planner<'a> {
    recipe: &'a Recipe,
    main: &'a str,
    switch: &'a str,
    taken: Taken,
    steps: Vec<Step>,
    /// The steps that write a label anew where it is, by the label's place.
    rewritten: BTreeMap<Place, usize>,
    /// The names of volume labels that a label without effect tries to set to false.
    contested: BTreeSet<String>,
}

impl Planner<'_> {
    fn meaning(&self, at: &At) -> Meaning {
        let meant = meaning(self.recipe, &self.recipe.services[&at.service], &at.label);
        let labels = match &meant {
            Meaning::AsWritten => vec![(at.label.written.0.clone(), at.label.value.clone())],
            Meaning::Instead(labels) => labels.clone(),
            Meaning::Needless(_) | Meaning::Unclear => return meant,
        };
        // What the inventory says is said by the author too, with a reason.
        let kept = |(name, value): &(String, String)| {
            let volume = name.strip_prefix(VOLUMES).filter(|_| value == "false")?;
            let inventory = self.recipe.inventory.as_ref()?.volumes.iter().find(|v| v.name == volume)?;
            (!inventory.class.is_left_out()).then(|| format!("the inventory calls volume {volume} {}", inventory.class))
        };
        match labels.iter().find_map(kept) {
            Some(why) if labels.len() == 1 => Meaning::Needless(why),
            _ => meant,
        }
    }

    /// Whether a label under `deploy.labels` is left as it is.
    fn stays(&self, at: &At) -> bool {
        matches!(self.meaning(at), Meaning::AsWritten)
    }

    /// Whether the main service is in the file of a label, where a switch can move to it without changing what is deployed.
    fn has_main_beside(&self, at: &At) -> bool {
        self.recipe.services.get(self.main).is_some_and(|main| main.files.contains(&at.label.place.file))
    }

    /// What a switch says, with its variables filled in.
    fn filled<'v>(&'v self, written: &'v str) -> &'v str {
        let on_container = self.recipe.services.values().flat_map(|s| &s.container_labels);
        let mut all = self.recipe.labels().map(|(.., label)| label).chain(on_container);
        all.find(|l| l.name == BACKUP && l.written.1 == written).map_or(written, |l| &l.value)
    }

    /// The one switch moves to the main service, where maintainers look for it.
    fn move_switch(&mut self, right: &[At]) {
        let switches: Vec<&At> = right.iter().filter(|at| at.label.name == BACKUP).collect();
        let [at] = switches[..] else { return };
        if self.main != "app" || at.service == self.main || !self.has_main_beside(at) {
            return;
        }
        let value = at.label.written.1.clone();
        self.taken.0.remove(&Taken::key(&at.service, BACKUP));
        self.taken.add(self.main, BACKUP, &value);
        let said = format!("{}: {BACKUP}={value} moves from {} to {}, the main service", at.label.place, at.service, self.main);
        let near = Some(at.label.place.clone());
        let insert = Edit::Insert { service: self.main.to_owned(), near, name: BACKUP.into(), value };
        self.steps.push(Step { said: Some(said), edits: vec![Edit::Remove(at.clone()), insert] });
    }

    /// Adds a label to the step that writes it anew for another service: both have it by an anchor, so it is written once.
    fn mends_shared(&mut self, at: &At) -> bool {
        let Some(step) = self.rewritten.get(&at.label.place).map(|step| &mut self.steps[*step]) else { return false };
        let rewrites = |edit: &Edit| match edit {
            Edit::Rewrite { name, value, .. } => Some((name.clone(), value.clone())),
            _ => None,
        };
        let Some((name, value)) = step.edits.iter().find_map(rewrites) else { return false };
        self.taken.add(&at.service, &name, &value);
        step.edits.push(Edit::Rewrite { at: at.clone(), name, value });
        true
    }

    fn mend(&mut self, at: At) {
        if self.mends_shared(&at) {
            return;
        }
        let meant = match self.meaning(&at) {
            Meaning::AsWritten => vec![at.label.written.clone()],
            Meaning::Instead(labels) => labels,
            // It is not needed, and says what its author wants. Whoever says the opposite where no bot looks may want that.
            Meaning::Needless(_) if self.contested.contains(&at.label.name) => return,
            Meaning::Needless(why) => return self.remove(at, &why),
            Meaning::Unclear => return,
        };
        let is_switch = meant.iter().any(|(name, _)| name == BACKUP);
        let service = if is_switch && self.has_main_beside(&at) { self.main.to_owned() } else { at.service.clone() };
        if is_switch && at.on_container {
            let on: Vec<String> =
                self.taken.switches().filter(|(_, v)| self.filled(v) != "false").map(|(s, _)| s.to_owned()).collect();
            match (on.first(), self.filled(&meant[0].1) == "false") {
                (Some(on), false) => return self.remove(at, &format!("service {on} switches backup on for the whole stack")),
                // Nobody knows whether a backup that is off where no bot looks is meant to be off.
                (_, true) => return,
                (None, false) => {}
            }
        }
        // A second switch stays where it is, as bots accept it; an only one is looked for on the main service.
        let is_only = self.main == "app" && self.taken.switches().next().is_none();
        let service = if is_switch && !at.on_container && !is_only { at.service.clone() } else { service };
        let same = |(name, value): &&(String, String)| self.taken.get(&service, name) == Some(value);
        let other = |(name, value): &(String, String)| self.taken.get(&service, name).is_some_and(|v| v != value);
        if meant.iter().any(other) {
            return;
        }
        let new: Vec<(String, String)> = meant.iter().filter(|l| !same(l)).cloned().collect();
        if new.is_empty() {
            return self.remove(at, &format!("{} is there already", shown(&meant)));
        }
        for (name, value) in &new {
            self.taken.add(&service, name, value);
        }
        let written = &at.label.written;
        let old = told(&at.label);
        let said = match &new[..] {
            [same] if same == written => format!("{old} moves from labels of {} to deploy.labels of {service}", at.service),
            new => format!("{old} becomes {} under deploy.labels of {service}", shown(new)),
        };
        let near = Some(at.label.place.clone());
        let mut inserts = new.into_iter();
        let mut edits = Vec::new();
        if at.on_container || at.service != service {
            edits.push(Edit::Remove(at));
        } else if let Some((name, value)) = inserts.next() {
            self.rewritten.insert(at.label.place.clone(), self.steps.len());
            edits.push(Edit::Rewrite { at, name, value });
        }
        edits.extend(inserts.map(|(name, value)| Edit::Insert { service: service.clone(), near: near.clone(), name, value }));
        self.steps.push(Step { said: Some(said), edits });
    }

    fn remove(&mut self, at: At, why: &str) {
        let said = format!("{} is not needed: {why}", told(&at.label));
        self.steps.push(Step { said: Some(said), edits: vec![Edit::Remove(at)] });
    }

    /// The version of the main service becomes that of the recipe.
    fn old_version(&mut self) {
        if let Some((.., version)) = self.recipe.version() {
            let why = format!("the recipe has one version, {}", version.value);
            for (service, _, label) in self.recipe.old_versions() {
                let at = At { service: service.to_owned(), on_container: false, label: label.clone() };
                self.remove(at, &why);
            }
            return;
        }
        let Some(service) = self.recipe.services.get(self.main) else { return };
        let old = |l: &&Label| l.version_of() == Some(VersionOf::Service) && Version::parse(&l.value).is_some();
        let Some(label) = service.labels.iter().find(old).cloned() else { return };
        let name = "coop-cloud.${STACK_NAME}.version".to_owned();
        let said = format!("{}: {} becomes {name}", label.place, label.written.0);
        let value = label.written.1.clone();
        let at = At { service: self.main.to_owned(), on_container: false, label };
        self.steps.push(Step { said: Some(said), edits: vec![Edit::Rewrite { at, name, value }] });
    }

    /// The switch, and the volumes that need no backup.
    fn add(&mut self, unwanted: &[String]) {
        let mut add = |service: &str, near: Option<&Place>, name: String, value: &str| {
            let edit = Edit::Insert { service: service.to_owned(), near: near.cloned(), name, value: value.to_owned() };
            self.steps.push(Step { said: None, edits: vec![edit] });
        };
        let on_container = self.recipe.services.values().flat_map(|s| &s.container_labels);
        let is_said = self.taken.switches().next().is_some()
            || self.recipe.labels().any(|(.., l)| l.name == BACKUP || l.misread().is_some_and(|meant| meant.name == BACKUP))
            || on_container.into_iter().any(|l| l.name == BACKUP && l.value == "false");
        // The bot does not back itself up: each snapshot would have all that were before.
        let is_bot = self.recipe.services.values().any(Service::is_bot);
        if !is_said && !is_bot && !wanted(self.recipe).is_empty() {
            let (service, near) = switch_place(self.recipe, self.main);
            add(service, near, BACKUP.into(), self.switch);
        }
        for volume in unwanted {
            let name = format!("{VOLUMES}{volume}");
            if self.taken.get("", &name).is_none() {
                add(self.main, None, name, "false");
            }
        }
    }
}

fn shown(labels: &[(String, String)]) -> String {
    labels.iter().map(|(name, value)| in_one_line(&format!("{name}={value}"))).collect::<Vec<_>>().join(" and ")
}

/// A label with its place.
fn told(label: &Label) -> String {
    match label.written.1.is_empty() && label.misread().is_some() {
        true => format!("{}: {:?}", label.place, label.written.0),
        false => format!("{}: {}", label.place, shown(std::slice::from_ref(&label.written))),
    }
}

/// A text of several lines, in one.
fn in_one_line(text: &str) -> String {
    text.trim_end().replace("\r\n", "\n").replace('\n', " \\n ")
}
