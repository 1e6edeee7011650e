//! The rules of `labels lint`, as data: `rules.toml` beside this file.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// How serious a mistake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Data is lost, or the label has no effect.
    Error,
    /// The label works, but should be checked.
    Warning,
}

impl Severity {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What a person should know about one rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// The rule.
    pub name: Rule,
    /// Its stable code, such as `BB007`.
    pub code: String,
    /// How serious it is.
    pub severity: Severity,
    /// The mistake, in one line.
    pub summary: String,
    /// Why it loses data.
    pub reason: String,
    /// How to correct it.
    pub fix: String,
    /// A compose file with the mistake.
    pub wrong: String,
    /// The same file without it.
    pub right: String,
    /// The inventory that belongs to both.
    pub inventory: Option<String>,
    /// The compose file before the change, which both are compared with.
    pub base: Option<String>,
    /// The script `pg_backup.sh` that belongs to both.
    pub script: Option<String>,
}

/// The rules of lint; [`Rule::lesson`] describes each.
#[expect(missing_docs, reason = "each variant's lesson, in rules.toml, is its documentation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    NoLabels,
    NotEnabled,
    EnabledTwice,
    EnabledElsewhere,
    #[serde(rename = "version-1")]
    Version1,
    ContainerPath,
    UnknownVolume,
    UnknownLabel,
    ContainerLabel,
    InexactValue,
    BadPath,
    PathOfExcluded,
    NothingLeft,
    DurableExcluded,
    ValuableExcluded,
    JunkCaptured,
    StateOutsideVolumes,
    DumpOutsideVolumes,
    ToolMissing,
    PipeHidesFailure,
    BackupHookAlone,
    RestoreHookAlone,
    HookNeverRuns,
    NoVersion,
    BadVersion,
    VersionNotBumped,
    NoValue,
    LeadingSlash,
    OldVersion,
    DatabaseWithoutDump,
    DumpNeverLoaded,
    DumpLeftOut,
    RestoreReadsOther,
    ScriptNotMounted,
    ScriptNotExecutable,
    QuoteInHook,
    NoBash,
    TwoValues,
    DumpInOtherForm,
    ScriptWithoutPart,
    DatabaseLeftOut,
    DumpNowhere,
    RestoreAdds,
    MaybeDatabase,
    BlankInPaths,
    NeedlessVolume,
    DatabaseInNoVolume,
    SecretNotMounted,
    ItemWithoutEquals,
    SingleDollar,
    OffByDefault,
}

static LESSONS: LazyLock<Vec<Lesson>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Rules {
        rule: Vec<Lesson>,
    }
    let rules: Rules = toml::from_str(include_str!("rules.toml")).expect("rules.toml is part of the program, and tested");
    rules.rule
});

/// Every rule, by code.
pub fn lessons() -> &'static [Lesson] {
    &LESSONS
}

/// The names of the rules.
pub fn names() -> BTreeSet<String> {
    LESSONS.iter().map(|l| l.name.to_string()).collect()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(serde_json::json!(self).as_str().unwrap_or_default())
    }
}

impl Rule {
    /// Its description.
    pub fn lesson(self) -> &'static Lesson {
        LESSONS.iter().find(|l| l.name == self).expect("every rule has its lesson, which a test checks")
    }
}

impl Lesson {
    /// The rule with this code or name.
    pub fn find(code: &str) -> Option<&'static Self> {
        let named = |l: &&Self| l.code.eq_ignore_ascii_case(code) || serde_json::json!(l.name) == code;
        LESSONS.iter().find(named)
    }

    /// As `labels explain` prints it.
    pub fn text(&self) -> String {
        let example = |text: &str| text.lines().map(|l| format!("    {l}\n")).collect::<String>();
        let Self { code, severity, summary, reason, fix, wrong, right, .. } = self;
        let mut text = format!("{code} ({}): {summary}\n\n{reason}\n{fix}\n\nWrong:\n\n{}", severity.name(), example(wrong));
        let files = [
            ("With this inventory.toml:", &self.inventory),
            ("With this pg_backup.sh:", &self.script),
            ("If the file before the change was:", &self.base),
        ];
        for (title, file) in files {
            if let Some(file) = file {
                text += &format!("\n{title}\n\n{}", example(file));
            }
        }
        text + "\nRight:\n\n" + &example(right)
    }
}
