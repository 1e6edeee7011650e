//! The terminal: phases with their times, the verdict in a user's words, and progress: a line that changes
//! on a terminal, plain lines elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use console::{Term, style};
use judge::grouped;
use judge::model::{Group, Status, Verdict};
use judge::redact::redact;

use super::model::advice;
use crate::events::{Event, Phase, Sink};
use crate::output::{harmless, is_utf8, shown};
use crate::report::progress::{Place, Progress};

/// Findings named one by one, shared among the groups; the rest are in the run's directory.
const NAMED: usize = 25;
/// Findings named of each group, however many groups there are.
const LEAST_NAMED: usize = 2;
/// Seconds between two plain lines of progress.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);
/// How long a line of progress stays before it is written again.
const LIVE_INTERVAL: Duration = Duration::from_millis(100);

/// Writes to standard error, so that standard output stays for results.
pub struct Terminal {
    term: Term,
    /// Whether it is a terminal that a person may watch.
    live: bool,
    /// Whether phases are left out, because several drills share the terminal.
    brief: bool,
    /// Whether only the verdict is printed.
    quiet: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    progress: Progress,
    /// Whether a line of progress is on the terminal.
    is_drawn: bool,
    since: Option<Instant>,
    said: Option<Instant>,
}

impl Terminal {
    /// On standard error. Colours follow `NO_COLOR`, `CLICOLOR` and whether it is a terminal.
    pub fn new() -> Self {
        let term = Term::stderr();
        let live = term.is_term();
        Self { term, live, brief: false, quiet: false, state: Mutex::default() }
    }

    /// The verdict only.
    pub fn quiet() -> Self {
        Self { quiet: true, ..Self::new() }
    }

    /// Without the phases: for several drills at once.
    pub fn brief() -> Self {
        Self { brief: true, ..Self::new() }
    }

    fn line(&self, text: &str) {
        // A closed pipe must not end the run, which still has to tear down.
        let _ = self.term.write_line(&shown(&redact(text)));
    }

    /// Says how far a phase is, if it was not said just now.
    fn progress(&self, state: &mut State, phase: Phase) {
        let interval = if self.live { LIVE_INTERVAL } else { PLAIN_INTERVAL };
        let took = state.since.map_or(Duration::ZERO, |since| since.elapsed());
        if state.said.is_some_and(|at| at.elapsed() < interval) || (!self.live && took < interval) {
            return;
        }
        state.said = Some(Instant::now());
        // The last column stays free: a terminal may begin a new line there.
        let width = self.live.then(|| usize::from(self.term.size().1).saturating_sub(1));
        let line = state.progress.line(phase.name(), took, Place { width, is_utf8: is_utf8() });
        if self.live {
            let _ = self.term.clear_line();
            let _ = self.term.write_str(&redact(&line));
            state.is_drawn = true;
        } else {
            self.line(&line);
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Terminal {
    fn event(&self, event: &Event) {
        if self.quiet && !matches!(event, Event::Finished { .. } | Event::Ended { .. }) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !matches!(event, Event::Progress { .. } | Event::Doing { .. }) && std::mem::take(&mut state.is_drawn) {
            let _ = self.term.clear_line();
        }
        match event {
            Event::PhaseStarted { .. } | Event::Progress { .. } | Event::Doing { .. } | Event::PhaseFinished { .. }
                if self.brief => {}
            Event::Started { run, scenario, profile, seed } => {
                self.line(&format!(
                    "{} {scenario}, profile {profile}, seed {seed}, run {run}",
                    style("drill").for_stderr().bold()
                ));
            }
            Event::PhaseStarted { phase } => {
                state.since = Some(Instant::now());
                state.said = None;
                state.progress = Progress::default();
                if !self.live {
                    self.line(&format!("  {:10} …", phase.name()));
                }
            }
            Event::Progress { phase, done, total, unit } => {
                (state.progress.done, state.progress.total, state.progress.unit) = (*done, *total, unit);
                self.progress(&mut state, *phase);
            }
            Event::Doing { phase, what } => {
                state.progress.doing = Some(harmless(what).into_owned());
                self.progress(&mut state, *phase);
            }
            Event::PhaseFinished { phase, millis, summary } => {
                let (seconds, summary) = (*millis as f64 / 1000.0, harmless(summary));
                self.line(&format!("  {:10} {seconds:7.1} s  {summary}", style(phase.name()).for_stderr().green()));
            }
            Event::Note { message } => self.line(&format!("  {} {}", style("note").for_stderr().cyan(), harmless(message))),
            Event::FaultJudged { fault, group, caught, millis } => {
                let word = if *caught { style("caught").for_stderr().green() } else { style("MISSED").for_stderr().red().bold() };
                self.line(&format!("  {word} {group:8} {fault:28} {:6.1} s", *millis as f64 / 1000.0));
            }
            Event::Found { .. } => {}
            Event::Ended { ended } => {
                self.line("");
                let ended = ended.to_string();
                self.line(&format!("{}: {}", style(Status::Unknown.word()).for_stderr().bold().yellow(), harmless(&ended)));
            }
            Event::Finished { verdict } => {
                for line in block(verdict) {
                    self.line(&line);
                }
            }
        }
    }
}

/// The verdict, in lines.
pub fn block(verdict: &Verdict) -> Vec<String> {
    let word = style(verdict.status.word()).for_stderr().bold();
    let word = match verdict.status {
        Status::Held => word.green(),
        Status::Unknown => word.yellow(),
        Status::Broken => word.red(),
    };
    let compared = format!("compared {}", verdict.compared);
    let mut lines = vec![String::new()];
    match &verdict.headline {
        Some(headline) => lines.extend([format!("{word}: {}", harmless(headline)), format!("  {compared}")]),
        None => lines.push(format!("{word}: {compared}")),
    }
    if !verdict.coverage.0.is_empty() {
        lines.push(format!("  covered {}", verdict.coverage));
        lines.extend(verdict.coverage.left_out().into_iter().map(|out| format!("    {out}")));
    }
    lines.extend(verdict.needs.iter().map(|need| format!("  {}", harmless(&need.to_string()))));
    if verdict.findings.is_empty() {
        lines.push("  all that was compared was restored unchanged".into());
    }
    // Each has its share, so that the last is named too.
    let share = (NAMED / verdict.groups.len().max(1)).max(LEAST_NAMED);
    for (at, group) in verdict.groups.iter().enumerate() {
        lines.push(String::new());
        lines.extend(told(verdict, at, group, share));
    }
    lines
}

/// A group: what became of how many, the first of the findings, and what to do, unless that is said of what it follows from.
fn told(verdict: &Verdict, at: usize, group: &Group, share: usize) -> Vec<String> {
    let follows = group.follows();
    let what = style(harmless(&group.what)).for_stderr().bold();
    let mut lines =
        vec![format!("  {}. {what}{}", at + 1, if follows.is_empty() { String::new() } else { format!(" ({follows})") })];
    let findings = group.findings.iter().filter_map(|at| verdict.findings.get(*at));
    lines.extend(findings.take(share).map(|f| format!("     - {}", harmless(&f.to_string()))));
    if group.findings.len() > share {
        lines.push(format!("     … and {} more", grouped((group.findings.len() - share) as u64)));
    }
    lines.extend(advice(group).iter().map(|said| format!("     {said}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::model::{Counts, Finding, Item, KeptSecret, Outcome};

    /// What a terminal gets of events.
    fn shown_of(live: bool, events: &[Event]) -> String {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let (read, write) = (std::fs::File::open("/dev/null").expect("a file"), file.reopen().expect("a file"));
        let term = Term::read_write_pair(read, write);
        let terminal = Terminal { term, live, brief: false, quiet: false, state: Mutex::default() };
        events.iter().for_each(|event| terminal.event(event));
        std::fs::read_to_string(file.path()).expect("a text")
    }

    #[test]
    fn progress_is_a_line_that_is_gone_when_the_phase_ends() {
        console::set_colors_enabled_stderr(false);
        let phase = Phase::Images;
        let events = [
            Event::PhaseStarted { phase },
            Event::Doing { phase, what: "building wiki\u{1b}[2J".into() },
            Event::Progress { phase, done: 1, total: 8, unit: "images" },
            Event::PhaseFinished { phase, millis: 1500, summary: "8 images are there".into() },
        ];
        let finished = "  images         1.5 s  8 images are there\n";
        let live = format!("\r\u{1b}[2K  images     building wiki\\u{{1b}}[2J\r\u{1b}[2K{finished}");
        assert_eq!(shown_of(true, &events), live, "the second line comes too soon");
        // No line of its own for what is over at once.
        assert_eq!(shown_of(false, &events), format!("  images     {}\n{finished}", shown("…")));
    }

    #[test]
    fn the_block_says_what_a_restore_needs_besides_the_backup() {
        console::set_colors_enabled_stderr(false);
        let needs = vec![KeptSecret { name: "DB_PASSWORD".into(), why: "The dump has it.".into() }];
        let lines = block(&Verdict::from_findings(Counts { rows: 1, ..Counts::default() }, vec![]).needing(needs));
        let needed = "  The restore needs DB_PASSWORD, which is in no backup and must be kept elsewhere: The dump has it.";
        assert_eq!(lines[2..], [needed, "  all that was compared was restored unchanged"]);
    }

    #[test]
    fn the_block_names_each_finding_and_counts_the_rest() {
        console::set_colors_enabled_stderr(false);
        let finding = |uid| Finding {
            item: Item::Message { account: "u07@mail.test".into(), folder: "Archive.2024".into(), uid, corpus: None },
            outcome: Outcome::Lost,
            property: None,
            detail: String::new(),
        };
        let compared = Counts { accounts: 1, folders: 1, messages: 40, rows: 1, files: 1, ..Counts::default() };
        let lines = block(&Verdict::from_findings(compared, (1..=30).map(finding).collect()).by_cause());
        assert_eq!(lines[1], "BROKEN: 30 of 40 messages are lost");
        assert_eq!(lines[2], "  compared 40 messages in 1 folder of 1 mailbox, 1 row, 1 file");
        assert_eq!(lines[4], "  1. 30 of 40 messages are lost");
        assert_eq!(lines[5], "     - mailbox u07@mail.test, folder Archive.2024, message with UID 1: lost");
        assert_eq!(lines[5 + NAMED], "     … and 5 more");
        assert_eq!(lines[6 + NAMED], "     The message was there before the backup, and is nowhere after the restore.");
        assert!(lines[8 + NAMED].starts_with("     What to do: Run `restore-drill audit`"), "{lines:?}");
    }

    #[test]
    fn what_follows_from_another_group_does_not_repeat_what_to_do() {
        console::set_colors_enabled_stderr(false);
        let of = |item| Finding { item, outcome: Outcome::Lost, property: None, detail: String::new() };
        let missing = of(Item::Snapshot { volume: "mail".into(), path: ".".into() });
        let files = (0..3).map(|n| of(Item::File { volume: "mail".into(), path: format!("cur/{n}") }));
        let compared = Counts { files: 3, ..Counts::default() };
        let lines = block(&Verdict::from_findings(compared, files.chain([missing]).collect()).by_cause());
        assert_eq!(lines[4], "  1. volume mail is not in the snapshot");
        let second = lines.iter().position(|l| l == "  2. 3 files of volume mail are lost (may follow from 1)").expect("told");
        assert!(lines[..second].iter().any(|l| l.starts_with("     What to do: ")), "{lines:?}");
        assert!(!lines[second..].iter().any(|l| l.starts_with("     What to do: ")), "{lines:?}");
    }
}
