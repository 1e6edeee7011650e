//! The recipe ladder: install, upgrade, backup and restore, functional, lint, on one deployment carried through. It answers
//! whether a recipe may be merged, for the whole of its life.

use std::fmt;
use std::path::Path;

use judge::model::{Finding, Status, Verdict};
use recipe::rung::Rung;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub mod climb;
pub mod pinned;
pub mod remote;

/// What came of a rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum RungOutcome {
    /// Earned.
    Pass,
    /// Tried, and not earned.
    Fail,
    /// It could not be told.
    Unknown,
    /// The recipe has nothing of the kind, and says why.
    NotApplicable {
        /// Why.
        reason: String,
    },
    /// Not tried, and nobody declared that it does not apply.
    Skipped {
        /// Why it could not be tried.
        reason: String,
    },
}

impl RungOutcome {
    /// Whether it keeps no rung above from being earned.
    pub(crate) fn is_sound(&self) -> bool {
        matches!(self, Self::Pass | Self::NotApplicable { .. })
    }
}

/// A rung, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// Which.
    pub rung: Rung,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: RungOutcome,
    /// What was done or why it failed, in a line.
    pub detail: String,
    /// What was found.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// How long it took, milliseconds.
    pub millis: u64,
}

impl Step {
    /// What a verdict makes of a rung.
    pub fn judged(rung: Rung, verdict: Verdict, millis: u64) -> Self {
        let outcome = match verdict.status {
            Status::Held => RungOutcome::Pass,
            Status::Broken => RungOutcome::Fail,
            Status::Unknown => RungOutcome::Unknown,
        };
        let detail = verdict.headline.unwrap_or_else(|| format!("compared {}", verdict.compared));
        Self { rung, outcome, detail, findings: verdict.findings, millis }
    }

    /// What came of it in a word, and what was done or why not.
    pub fn told(&self) -> (&'static str, &str) {
        match &self.outcome {
            RungOutcome::Pass => ("passed", &self.detail),
            RungOutcome::Fail => ("failed", &self.detail),
            RungOutcome::Unknown => ("unknown", &self.detail),
            RungOutcome::NotApplicable { reason } => ("does not apply", reason),
            RungOutcome::Skipped { reason } => ("skipped", reason),
        }
    }

    /// A rung without findings.
    pub fn plain(rung: Rung, outcome: RungOutcome, detail: impl Into<String>, millis: u64) -> Self {
        Self { rung, outcome, detail: detail.into(), findings: vec![], millis }
    }
}

/// A recipe as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Taken {
    /// `3.0.2+2024.06.52`: what its label says.
    pub version: Option<String>,
    /// The commit; none where files were taken as they were.
    pub commit: Option<String>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version.as_deref().unwrap_or("without a version"))?;
        match &self.commit {
            Some(commit) => write!(f, " ({})", &commit[..commit.len().min(10)]),
            None => f.write_str(" (files as they are, of no commit)"),
        }
    }
}

/// `ladder.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ladder {
    /// Of this form.
    pub form: u32,
    /// The recipe's name.
    pub recipe: String,
    /// The version under test.
    pub under_test: Taken,
    /// The version that was upgraded.
    pub from: Option<Taken>,
    /// The profile of the data.
    pub profile: String,
    /// Its seed.
    pub seed: u64,
    /// `stand-in images` or `the recipe's images`.
    pub images: String,
    /// The rungs, from the lowest.
    pub steps: Vec<Step>,
    /// The level earned, 0 to 5.
    pub level: u8,
    /// The command that climbs it again.
    pub reproduce: String,
}

/// The form of `ladder.json`.
pub const FORM: u32 = 1;

/// The level that steps earn: the highest rung passed with nothing failed, unknown or skipped up to it.
pub fn level(steps: &[Step]) -> u8 {
    let mut earned = 0;
    for (step, rung) in steps.iter().take_while(|s| s.outcome.is_sound()).zip(Rung::ALL) {
        if step.rung != rung {
            break;
        }
        if step.outcome == RungOutcome::Pass {
            earned = rung.level();
        }
    }
    earned
}

impl Ladder {
    /// Whether every rung was earned, or declared not to apply.
    pub fn whole(&self) -> bool {
        self.steps.len() == Rung::ALL.len() && self.steps.iter().all(|s| s.outcome.is_sound())
    }

    /// The verdict of the ladder as a whole: a rung that failed, or was skipped, breaks it.
    pub fn status(&self) -> Status {
        let broken = |s: &Step| matches!(s.outcome, RungOutcome::Fail | RungOutcome::Skipped { .. });
        match self {
            l if l.steps.iter().any(broken) => Status::Broken,
            l if l.whole() => Status::Held,
            _ => Status::Unknown,
        }
    }

    /// As text: a line a rung, the level, and what keeps it from being higher.
    pub fn text(&self) -> String {
        let mut out = format!("ladder of {} {}", self.recipe, self.under_test);
        if let Some(from) = &self.from {
            out += &format!(", from {from}");
        }
        out += &format!(", on {}\n", self.images);
        for step in &self.steps {
            let (word, detail) = match &step.outcome {
                RungOutcome::Pass => ("pass", &step.detail),
                RungOutcome::Fail => ("FAIL", &step.detail),
                RungOutcome::Unknown => ("unknown", &step.detail),
                RungOutcome::NotApplicable { reason } => ("not applicable", reason),
                RungOutcome::Skipped { reason } => ("SKIPPED", reason),
            };
            let seconds = step.millis as f64 / 1000.0;
            out += &format!("  {} {:18} {word:14} {seconds:6.1} s  {detail}\n", step.rung.level(), step.rung.name());
            for finding in step.findings.iter().take(10) {
                out += &format!("      - {finding}\n");
            }
            if step.findings.len() > 10 {
                out += &format!("      … and {} more, all in ladder.json\n", step.findings.len() - 10);
            }
        }
        out += &format!("level {} of {}", self.level, Rung::ALL.len());
        if let Some(why) = self.blocked_by() {
            out += &format!(": {why}");
        }
        out + "\n"
    }

    /// What keeps the level from being higher.
    pub fn blocked_by(&self) -> Option<String> {
        let step = self.steps.iter().find(|s| !s.outcome.is_sound())?;
        let name = step.rung.name();
        Some(match &step.outcome {
            RungOutcome::Skipped { reason } => format!("{name} was skipped: {reason}"),
            RungOutcome::Fail => format!("{name} failed"),
            _ => format!("{name} is unknown"),
        })
    }

    /// Reads a `ladder.json`.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(recipe::Error::unreadable(file))?;
        newer(file, &text, "a ladder", FORM)?;
        serde_json::from_str(&text).map_err(|e| {
            Error::input(file, Some(e.line()), format!("not a ladder.json, as `restore-drill ladder` writes it: {e}"))
        })
    }

    /// What changed since `before`, rung by rung.
    pub fn compared(&self, before: &Self) -> String {
        let word = |l: &Self, rung| {
            l.steps.iter().find(|s| s.rung == rung).map_or("not reached", |s| match s.outcome {
                RungOutcome::Pass => "pass",
                RungOutcome::Fail => "fail",
                RungOutcome::Unknown => "unknown",
                RungOutcome::NotApplicable { .. } => "not applicable",
                RungOutcome::Skipped { .. } => "skipped",
            })
        };
        let mut out = format!("level before {}, now {}", before.level, self.level);
        if let Some(why) = before.blocked_by() {
            out += &format!("; before, {why}");
        }
        out.push('\n');
        for rung in Rung::ALL {
            let (was, is) = (word(before, rung), word(self, rung));
            let mark = if was == is { " " } else { "*" };
            out += &format!("{mark} {:18} {was} → {is}\n", rung.name());
        }
        out
    }
}

/// Refuses a file of JSON whose `form` is a newer one than this program knows.
pub(crate) fn newer(file: &Path, text: &str, what: &str, known: u32) -> Result<()> {
    let form = serde_json::from_str::<serde_json::Value>(text).ok().and_then(|v| v["form"].as_u64());
    match form.filter(|form| *form > u64::from(known)) {
        Some(newer) => Err(Error::input(
            file,
            None,
            format!("{what} has format {newer}, but this restore-drill reads formats up to {known}; use a newer restore-drill"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(outcomes: [RungOutcome; 5]) -> Vec<Step> {
        Rung::ALL.into_iter().zip(outcomes).map(|(rung, outcome)| Step::plain(rung, outcome, "", 0)).collect()
    }

    fn skipped() -> RungOutcome {
        RungOutcome::Skipped { reason: "no labels".into() }
    }

    fn declared() -> RungOutcome {
        RungOutcome::NotApplicable { reason: "the first version".into() }
    }

    fn ladder(steps: Vec<Step>) -> Ladder {
        Ladder {
            form: FORM,
            recipe: "mailu".into(),
            under_test: Taken { version: Some("1.0.0+1".into()), commit: None },
            from: None,
            profile: "smoke".into(),
            seed: 1,
            images: "stand-in images".into(),
            level: level(&steps),
            steps,
            reproduce: String::new(),
        }
    }

    #[test]
    fn the_level_is_the_highest_rung_with_all_below_it_sound() {
        use RungOutcome::{Fail, Pass, Unknown};
        for (outcomes, expected) in [
            ([Pass, Pass, Pass, Pass, Pass], 5),
            ([Pass, Pass, skipped(), Pass, Pass], 2),
            ([Pass, declared(), Pass, Pass, Pass], 5),
            ([Pass, declared(), skipped(), Pass, Pass], 1),
            ([Pass, Pass, Pass, Unknown, Pass], 3),
            ([Fail, Pass, Pass, Pass, Pass], 0),
            ([Pass, Pass, Pass, Pass, declared()], 4),
        ] {
            assert_eq!(level(&steps(outcomes.clone())), expected, "{outcomes:?}");
        }
        assert_eq!(level(&[]), 0);
        let without_first = steps([Pass, Pass, Pass, Pass, Pass]).split_off(1);
        assert_eq!(level(&without_first), 0, "a rung that is not there is not earned");
    }

    #[test]
    fn a_gap_breaks_and_a_declared_reason_does_not() {
        use RungOutcome::{Pass, Unknown};
        assert_eq!(ladder(steps([Pass, declared(), Pass, Pass, Pass])).status(), Status::Held);
        assert_eq!(ladder(steps([Pass, Pass, skipped(), Pass, Pass])).status(), Status::Broken);
        assert_eq!(ladder(steps([Pass, Pass, Unknown, Pass, Pass])).status(), Status::Unknown);
        assert_eq!(ladder(steps([Pass, Pass, Pass, Pass, Pass]).split_off(1)).status(), Status::Unknown, "a rung is missing");
    }

    #[test]
    fn a_ladder_is_read_as_it_was_written_and_compared() {
        use RungOutcome::Pass;
        let (old, new) = (ladder(steps([Pass, Pass, skipped(), Pass, Pass])), ladder(steps([Pass, Pass, Pass, Pass, Pass])));
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("ladder.json");
        std::fs::write(&file, serde_json::json!(old).to_string()).expect("written");
        assert_eq!(Ladder::read(&file).expect("read"), old);
        let text = new.compared(&old);
        assert!(text.starts_with("level before 2, now 5; before, backup and restore was skipped: no labels\n"), "{text}");
        assert!(text.contains("* backup and restore skipped → pass\n  functional         pass → pass\n"), "{text}");
        std::fs::write(&file, "{\"form\": 99}").expect("written");
        assert!(Ladder::read(&file).expect_err("newer").to_string().contains("format 99"));
        std::fs::write(&file, "{\n").expect("written");
        assert!(Ladder::read(&file).expect_err("torn").to_string().contains("not a ladder.json"));
    }
}
