//! Climbing: the rungs one after another, on one deployment.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use judge::model::{Counts, Finding, Item, Outcome, Trial, TrialKind, Verdict};
use judge::redact::redact_texts;
use judge::store::RunFact;
use judge::{self, BASELINE, RESTORED, UPGRADED};
use recipe::compose::variable::interpolate;
use recipe::env::Values;
use recipe::inventory::Class;
use recipe::labels::lint::{is_error, lint};
use recipe::labels::recipe::RecipeFiles;
use recipe::recipe_folder::RecipeFolder;
use recipe::rung::Rung;
use recipe::scenario::Scenario;
use recipe::scenario::values::STACK_NAME;

use super::pinned::{Pinned, Source};
use super::{FORM, Ladder, RungOutcome, Step, level};
use crate::drill::fault::{NoFault, Trials};
use crate::drill::proof::{BackedUp, Baseline};
use crate::drill::{self, Drill, Options, Sinks};
use crate::error::{Error, Result};

/// What to climb.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The recipe.
    pub source: Source,
    /// The version to upgrade from; without it, the version tag before.
    pub from: Option<String>,
    /// The ladder's directory: the recipe's copies, the run's evidence and `ladder.json`.
    pub dir: PathBuf,
    /// Rungs that the recipe has nothing for, and why; besides those of the scenario.
    pub not_applicable: Vec<(Rung, String)>,
    /// How to drill.
    pub options: Options,
}

struct Climb {
    scenario: Scenario,
    /// That of the version before.
    scenario_before: Option<Scenario>,
    under_test: Pinned,
    before: Option<Pinned>,
    /// Why there is no version before.
    no_before: String,
    declared: Vec<(Rung, String)>,
    steps: Mutex<Vec<Step>>,
}

/// Climbs the ladder and stores it as `ladder.json`.
pub async fn climb(plan: Plan, sinks: Sinks) -> Result<Ladder> {
    let Plan { source, from, dir, not_applicable, mut options } = plan;
    if std::fs::read_dir(&dir).is_ok_and(|mut d| d.next().is_some()) {
        return Err(Error::Usage(format!("{} is not empty; choose another --evidence directory", dir.display())));
    }
    let under_test = source.pin(&dir.join("recipe"))?;
    let from = match from {
        Some(version) => Some(version),
        None => source.before(under_test.taken.version.as_deref())?,
    };
    let before = from.as_ref().map(|version| source.pin_at(version, &dir.join("from"))).transpose()?;
    let scenario = options.read_with(Some(&under_test.dir))?;
    let scenario_before = before.as_ref().map(|b| options.read_with(Some(&b.dir))).transpose()?;
    if let (Some(before), Some(scenario_before)) = (&before, &scenario_before)
        && before.taken.version == under_test.taken.version
        && scenario_before.images() == scenario.images()
    {
        return Err(Error::Usage(format!(
            "an upgrade from {} to {} changes nothing: the same version and the same images, so it would prove nothing; \
             name another --from",
            before.taken, under_test.taken
        )));
    }
    let mut declared: Vec<(Rung, String)> = scenario.spec.not_applicable.clone().into_iter().collect();
    let mut command = format!("restore-drill ladder {}", source.place);
    match &under_test.taken.commit {
        Some(commit) => command += &format!("@{commit}"),
        None => command += " --dirty",
    }
    from.iter().for_each(|f| command += &format!(" --from {f}"));
    for (rung, reason) in &not_applicable {
        let rung = clap::ValueEnum::to_possible_value(rung).map(|v| v.get_name().to_owned()).unwrap_or_default();
        command += &format!(" --not-applicable '{rung}={}'", reason.replace('\'', "'\\''"));
    }
    declared.extend(not_applicable);
    let name = source.name.clone();
    command += &format!(" --scenario {} --profile {} --seed {}", options.scenario, options.profile, options.seed);
    options.evidence = Some(dir.join("run"));
    options.recipe = Some(under_test.dir.clone());
    options.from = before.as_ref().map(|b| b.dir.clone());
    options.command = Some(command.clone());
    let (profile, seed) = (options.profile.clone(), options.seed);
    let no_before = match &under_test.taken.version {
        Some(version) => format!("the recipe has no version tag before {version}, and no --from names one"),
        None => "the recipe has no version tag, and no --from names one".to_owned(),
    };
    let climb = Arc::new(Climb { scenario, scenario_before, under_test, before, no_before, declared, steps: Mutex::default() });
    let play = {
        let climb = climb.clone();
        move |drill: Arc<Drill>| async move {
            climb.all(&drill).await;
            Ok(())
        }
    };
    let ended = drill::guarded(options, sinks, play).await?;
    climb.lint()?;
    let steps = std::mem::take(&mut *climb.steps.lock().unwrap_or_else(PoisonError::into_inner));
    let ladder = Ladder {
        form: FORM,
        recipe: name,
        under_test: climb.under_test.taken.clone(),
        from: climb.before.as_ref().map(|b| b.taken.clone()),
        profile,
        seed,
        images: ended.evidence.get(RunFact::Images)?.unwrap_or_default(),
        level: level(&steps),
        steps,
        reproduce: command,
    };
    let file = dir.join("ladder.json");
    let mut json = serde_json::json!(ladder);
    redact_texts(&mut json);
    std::fs::write(&file, format!("{json:#}\n")).map_err(Error::io(&file))?;
    Ok(ladder)
}

impl Climb {
    fn add(&self, step: Step) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Adds a rung of which an error was all that came.
    fn failed(&self, rung: Rung, error: &Error, since: Instant) {
        // What does not converge is the recipe's fault; what could not be asked is nobody's.
        let outcome = if matches!(error, Error::NotConverged(_)) { RungOutcome::Fail } else { RungOutcome::Unknown };
        self.add(Step::plain(rung, outcome, error.to_string(), millis(since)));
    }

    fn declared(&self, rung: Rung) -> Option<&str> {
        self.declared.iter().find(|(r, _)| *r == rung).map(|(_, reason)| reason.as_str())
    }

    /// A rung that was not tried. `applies` tells why a declared reason is false.
    fn not_tried(&self, rung: Rung, why: String, applies: Option<String>) {
        let step = match (self.declared(rung), applies) {
            (Some(reason), None) => Step::plain(rung, RungOutcome::NotApplicable { reason: reason.to_owned() }, String::new(), 0),
            (Some(reason), Some(why)) => untrue(rung, reason, &why, 0),
            (None, _) => Step::plain(rung, RungOutcome::Skipped { reason: why }, String::new(), 0),
        };
        self.add(step);
    }

    /// The rungs that want a deployment. What stops it is a rung's outcome too; rungs above are then unknown.
    async fn all(&self, drill: &Drill) {
        let since = Instant::now();
        let baseline = match drill::until_baseline(drill, &NoFault).await {
            Ok((baseline, _)) => baseline,
            Err(e) => return self.failed(Rung::Install, &e, since),
        };
        let version = self.before.as_ref().map_or(&self.under_test, |b| b).taken.to_string();
        self.add(Step::plain(Rung::Install, RungOutcome::Pass, format!("{version} runs, and took users' data"), millis(since)));
        let Some((baseline, old)) = self.upgrade(drill, baseline).await else { return };
        let restored = self.restore(drill, &baseline, old).await;
        if let Some(stage) = restored {
            self.functional(drill, stage).await;
        }
    }

    async fn upgrade(&self, drill: &Drill, baseline: Baseline) -> Option<(Baseline, Option<BackedUp>)> {
        let since = Instant::now();
        if !drill.app.upgrades() {
            self.not_tried(Rung::Upgrade, self.no_before.clone(), None);
            return Some((baseline, None));
        }
        if let Some(reason) = self.declared(Rung::Upgrade) {
            let version = self.before.as_ref().map(|b| b.taken.to_string()).unwrap_or_default();
            self.add(untrue(Rung::Upgrade, reason, &format!("there is {version}"), millis(since)));
        }
        let old = async {
            // A backup of the version before, to be restored onto the one under test.
            let old = if drill.app.enables_backups(true) { drill::backup(drill, &baseline).await? } else { None };
            // What that version's labels do wrong is not this one's.
            drill.run.evidence.clear_complaints()?;
            let upgraded = drill::upgrade(drill, baseline).await?;
            let verdict = drill::upgraded(drill, &upgraded).await?;
            if self.declared(Rung::Upgrade).is_none() {
                self.add(Step::judged(Rung::Upgrade, verdict, millis(since)));
            }
            Ok::<_, Error>((drill::baseline_again(drill, upgraded).await?, old))
        };
        match old.await {
            Ok(climbed) => Some(climbed),
            Err(e) => {
                self.failed(Rung::Upgrade, &e, since);
                None
            }
        }
    }

    /// The drill of the version under test, then the backup of the version before restored onto it. The stage after which
    /// the app can be tried.
    async fn restore(&self, drill: &Drill, baseline: &Baseline, old: Option<BackedUp>) -> Option<&'static str> {
        let (since, rung) = (Instant::now(), Rung::BackupRestore);
        if !drill.app.enables_backups(false) {
            let durable: Vec<&str> =
                self.scenario.inventory.volumes.iter().filter(|v| v.class == Class::Durable).map(|v| v.name.as_str()).collect();
            let why = format!("no service has backupbot.backup=true, but these volumes are durable: {}", durable.join(", "));
            let untrue = (!durable.is_empty()).then(|| format!("these volumes are durable: {}", durable.join(", ")));
            self.not_tried(rung, why, untrue);
            return Some(if drill.app.upgrades() { UPGRADED } else { BASELINE });
        }
        if let Some(reason) = self.declared(rung) {
            self.add(untrue(rung, reason, "backupbot.backup=true is among its labels", 0));
        }
        match self.drilled(drill, baseline, old).await {
            Ok((verdict, stage)) => {
                if self.declared(rung).is_none() {
                    self.add(Step::judged(rung, verdict, millis(since)));
                }
                stage
            }
            Err(e) => {
                self.failed(rung, &e, since);
                None
            }
        }
    }

    async fn drilled(
        &self,
        drill: &Drill,
        baseline: &Baseline,
        old: Option<BackedUp>,
    ) -> Result<(Verdict, Option<&'static str>)> {
        drill.run.evidence.clear_complaints()?;
        let Some(backup) = drill::backup(drill, baseline).await? else { return Ok((drill::judge(drill, RESTORED)?, None)) };
        let audited = drill::audit(drill, &backup).await?;
        drill::write_before(drill, &audited).await?;
        let mut verdict = None;
        if let Some(old) = &old {
            let wiped = drill::wipe(drill, baseline, &audited).await?;
            // Those of the backup and its audit are the other one's.
            let complaints = drill.run.evidence.complaints()?;
            drill.run.evidence.clear_complaints()?;
            verdict = Some(drill::across(drill, wiped, old).await?);
            drill.run.evidence.clear_complaints()?;
            for (step, complaint) in complaints {
                drill.run.evidence.put_complaints(step, &[complaint])?;
            }
        }
        let wiped = drill::wipe(drill, baseline, &audited).await?;
        let restarted = drill::restart(drill, drill::restore(drill, wiped, &backup).await?).await?;
        drill::observe(drill, &restarted, RESTORED).await?;
        drill::try_as(drill, Trials::All, RESTORED).await?;
        drill::needed_secrets(drill, &restarted, Trials::All, RESTORED).await?;
        let own = drill::judge(drill, RESTORED)?;
        let mut findings: Vec<Finding> = own.findings.into_iter().filter(|f| !matches!(f.item, Item::Trial { .. })).collect();
        if let Some(across) = verdict {
            findings.extend(
                across
                    .findings
                    .into_iter()
                    .map(|f| Finding { detail: format!("from the backup of the version before: {}", f.detail), ..f }),
            );
        }
        Ok((Verdict::new(own.compared, findings).by_cause(), Some(RESTORED)))
    }

    /// What was tried at a stage, and a new account.
    async fn functional(&self, drill: &Drill, stage: &str) {
        let (since, rung) = (Instant::now(), Rung::Functional);
        let tried = async {
            let trials = drill.run.evidence.trials(stage)?;
            let mut findings = judge::trials(&drill.run.evidence.trials(BASELINE)?, &trials);
            if let Some(why) = drill::new_account(drill).await? {
                let item = Item::Trial { trial: Trial::new(TrialKind::NewAccount, [""; 0]) };
                findings.push(Finding { item, outcome: Outcome::Altered, property: None, detail: why });
            }
            let compared = Counts { trials: trials.len() as u64 + 1, ..Counts::default() };
            if trials.is_empty() {
                return Err(Error::NothingTried);
            }
            Ok::<_, Error>(Verdict::new(compared, findings).by_cause())
        };
        match tried.await {
            Ok(verdict) if verdict.findings.is_empty() => {
                let detail = format!("{} trials, a new account among them", verdict.compared.trials);
                self.add(Step::plain(rung, RungOutcome::Pass, detail, millis(since)));
            }
            Ok(verdict) => self.add(Step::judged(rung, verdict, millis(since))),
            Err(e) => self.failed(rung, &e, since),
        }
    }

    /// What needs no deployment. Rungs that were not reached are unknown.
    fn lint(&self) -> Result<()> {
        let reached = self.steps.lock().unwrap_or_else(PoisonError::into_inner).len();
        for rung in Rung::ALL.into_iter().take(4).skip(reached) {
            self.add(Step::plain(rung, RungOutcome::Unknown, "not reached", 0));
        }
        let since = Instant::now();
        let read = |scenario: &Scenario| RecipeFiles::of(scenario)?.read();
        let before = self.scenario_before.as_ref().map(read).transpose()?;
        let mistakes = lint(&read(&self.scenario)?, before.as_ref());
        let of_labels = mistakes.iter().filter(|m| is_error(std::slice::from_ref(m)));
        let of_labels = of_labels.map(|m| format!("{}: {} {}", m.place, m.rule.lesson().code, m.message));
        let wrong: Vec<String> = of_labels.chain(self.sample()?).collect();
        let rung = Rung::Lint;
        let Some(first) = wrong.first() else {
            let warnings = mistakes.len();
            self.add(Step::plain(rung, RungOutcome::Pass, format!("no errors, {warnings} warnings"), millis(since)));
            return Ok(());
        };
        let findings = wrong.iter().map(|detail| Finding {
            item: Item::Observation { what: "lint".into() },
            outcome: Outcome::Failed,
            property: None,
            detail: detail.clone(),
        });
        let step = Step::plain(rung, RungOutcome::Fail, format!("{} errors; the first: {first}", wrong.len()), millis(since));
        self.add(Step { findings: findings.collect(), ..step });
        Ok(())
    }

    /// Variables without a default that the sample of the environment does not name: an operator would not know of them.
    fn sample(&self) -> Result<Vec<String>> {
        let file = self.under_test.dir.join(".env.sample");
        if !file.is_file() {
            return Ok(vec!["there is no .env.sample, from which operators make their configuration".into()]);
        }
        let folder = RecipeFolder::read(&self.under_test.dir)?;
        let mut known = folder.values(&Values::from([(STACK_NAME.into(), String::new())]));
        known.extend(folder.optional().into_iter().map(|name| (name, String::new())));
        let mut unset = BTreeSet::new();
        for compose in &self.scenario.compose {
            compose.tree.walk(&mut |text, _| {
                if let Ok((_, names)) = interpolate(text, &known) {
                    unset.extend(names.into_iter().map(str::to_owned));
                }
            });
        }
        Ok(unset.into_iter().map(|name| format!("{name} has no default, and .env.sample does not name it")).collect())
    }
}

fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis() as u64
}

/// A rung that was declared not to apply, and does.
fn untrue(rung: Rung, reason: &str, why: &str, millis: u64) -> Step {
    let finding = Finding {
        item: Item::Observation { what: format!("rung {}", rung.name()) },
        outcome: Outcome::Failed,
        property: None,
        detail: format!("declared not applicable ({reason}), yet {why}"),
    };
    Step { findings: vec![finding], ..Step::plain(rung, RungOutcome::Fail, "the reason declared is not true", millis) }
}

#[cfg(test)]
mod tests {
    use super::super::Taken;
    use std::path::Path;

    use super::*;

    fn climb(declared: &[(Rung, &str)]) -> Climb {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let scenario = Scenario::load(&scenarios, "mailu").expect("a scenario");
        let under_test = Pinned { dir: scenario.dir.clone(), taken: Taken { version: None, commit: None } };
        let declared = declared.iter().map(|(rung, why)| (*rung, (*why).to_owned())).collect();
        Climb {
            scenario,
            scenario_before: None,
            under_test,
            before: None,
            no_before: String::new(),
            declared,
            steps: Mutex::default(),
        }
    }

    fn only(climb: &Climb) -> Step {
        climb.steps.lock().expect("steps").pop().expect("a step")
    }

    #[test]
    fn a_gap_needs_a_reason_and_the_reason_must_be_true() {
        let rung = Rung::BackupRestore;
        let climb_of = climb(&[]);
        climb_of.not_tried(rung, "no labels".into(), None);
        assert_eq!(only(&climb_of).outcome, RungOutcome::Skipped { reason: "no labels".into() });
        let declared = climb(&[(rung, "it has no state")]);
        declared.not_tried(rung, "no labels".into(), None);
        assert_eq!(only(&declared).outcome, RungOutcome::NotApplicable { reason: "it has no state".into() });
        declared.not_tried(rung, "no labels".into(), Some("these volumes are durable: mail".into()));
        let step = only(&declared);
        assert_eq!(step.outcome, RungOutcome::Fail);
        let said = step.findings[0].to_string();
        assert!(said.ends_with("declared not applicable (it has no state), yet these volumes are durable: mail"), "{said}");
    }

    #[test]
    fn the_sample_of_the_environment_names_what_has_no_default() {
        let mut climb = climb(&[]);
        assert_eq!(climb.sample().expect("read"), Vec::<String>::new());
        let dir = tempfile::tempdir().expect("a directory");
        climb.under_test.dir = dir.path().to_owned();
        assert_eq!(climb.sample().expect("read").len(), 1, "no sample");
        std::fs::write(dir.path().join(".env.sample"), "DOMAIN=\nHOSTNAMES=\nSECRET_KEY=\n").expect("written");
        assert_eq!(climb.sample().expect("read"), ["SUBNET has no default, and .env.sample does not name it"]);
    }
}
