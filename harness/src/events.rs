//! What a run says while it goes on. The engine emits; sinks (terminal, `events.jsonl`)
//! subscribe, and none of them can steer a run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use judge::ended::Ended;
use judge::model::{Finding, Verdict};
use serde::Serialize;

/// The phases of a drill, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Base and service images: found or built.
    Images,
    /// Waiting until fewer drills are under way on the engine.
    Slot,
    /// The stacks of the app and of the bot, converged and answering.
    Deploy,
    /// Accounts imported, and each logged in to once.
    Provision,
    /// Messages submitted over SMTP.
    Seed,
    /// Waiting for the queue to drain.
    Settle,
    /// Folders, moves, copies, flags, keywords, over IMAP.
    Shape,
    /// Logins, mail, filters, signatures: tried, and what came of them.
    Try,
    /// The first observation: what must come back.
    Baseline,
    /// The version under test deployed over the one before: the ladder alone has it.
    Upgrade,
    /// backupbot creates a snapshot.
    Backup,
    /// Hold the snapshot against the live volumes.
    Audit,
    /// Stack and volumes removed, a fresh one deployed, the absence observed.
    Wipe,
    /// backupbot restores the snapshot.
    Restore,
    /// Services that hold old state in memory, restarted.
    Restart,
    /// The second observation.
    Observe,
    /// The app tried with old secrets, where something is wrong that new ones may have caused.
    Secrets,
    /// The two observations compared.
    Judge,
    /// Everything removed.
    Teardown,
}

impl Phase {
    /// The phases of a drill, in order.
    pub const ALL: [Self; 17] = [
        Self::Images,
        Self::Slot,
        Self::Deploy,
        Self::Provision,
        Self::Seed,
        Self::Settle,
        Self::Shape,
        Self::Try,
        Self::Baseline,
        Self::Backup,
        Self::Audit,
        Self::Wipe,
        Self::Restore,
        Self::Restart,
        Self::Observe,
        Self::Judge,
        Self::Teardown,
    ];

    /// The name in output and in `events.jsonl`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Images => "images",
            Self::Deploy => "deploy",
            Self::Provision => "provision",
            Self::Seed => "seed",
            Self::Settle => "settle",
            Self::Shape => "shape",
            Self::Try => "try",
            Self::Baseline => "baseline",
            Self::Upgrade => "upgrade",
            Self::Backup => "backup",
            Self::Audit => "audit",
            Self::Wipe => "wipe",
            Self::Restore => "restore",
            Self::Restart => "restart",
            Self::Observe => "observe",
            Self::Secrets => "secrets",
            Self::Judge => "judge",
            Self::Teardown => "teardown",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run began.
    Started {
        /// Its id, which is also on every label.
        run: String,
        /// The scenario's name.
        scenario: String,
        /// The profile's name.
        profile: String,
        /// The corpus seed.
        seed: u64,
    },
    /// A phase began.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// How far a phase is.
    Progress {
        /// Which.
        phase: Phase,
        /// Units done.
        done: u64,
        /// Units in all; 0 where not known.
        total: u64,
        /// What a unit is: `messages`, `mailboxes`, ….
        unit: &'static str,
    },
    /// What a phase does now.
    Doing {
        /// Which.
        phase: Phase,
        /// In a few words: `building wiki-web: apt-get update (3 of 9)`.
        what: String,
    },
    /// A phase ended well.
    PhaseFinished {
        /// Which.
        phase: Phase,
        /// How long it took.
        millis: u64,
        /// What came of it, in a few words.
        summary: String,
    },
    /// Something worth knowing.
    Note {
        /// One sentence.
        message: String,
    },
    /// A fault was injected, or none, and what followed was judged.
    FaultJudged {
        /// Its name.
        fault: String,
        /// Where it strikes.
        group: String,
        /// Whether exactly the findings that it must cause were found.
        caught: bool,
        /// How long it took.
        millis: u64,
    },
    /// One difference.
    Found {
        /// Which.
        finding: Finding,
    },
    /// The run ended before its end.
    Ended {
        /// Where and why.
        #[serde(flatten)]
        ended: Ended,
    },
    /// The end: what the run found.
    Finished {
        /// The verdict.
        verdict: Verdict,
    },
}

/// Receives events. Must not block for long and must not fail a run.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);
}

/// Where the engine emits; cheap to clone.
#[derive(Clone, Default)]
pub struct Events {
    sinks: Arc<Vec<Box<dyn Sink>>>,
    course: Arc<Mutex<Course>>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    /// The phase that began last.
    pub last: Option<Phase>,
    /// Whether the restore has begun.
    pub restored: bool,
}

impl Events {
    /// Emits to all of `sinks`.
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self { sinks: Arc::new(sinks), course: Arc::default() }
    }

    /// Emits one event.
    pub fn emit(&self, event: Event) {
        for sink in self.sinks.iter() {
            sink.event(&event);
        }
    }

    /// How far the run has come.
    pub fn course(&self) -> Course {
        *self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Emits a note.
    pub fn note(&self, message: impl Into<String>) {
        self.emit(Event::Note { message: message.into() });
    }

    /// Says what a phase does now.
    pub fn doing(&self, phase: Phase, what: impl Into<String>) {
        self.emit(Event::Doing { phase, what: what.into() });
    }

    /// Begins a phase; [`Running::finish`] ends it.
    pub fn phase(&self, phase: Phase) -> Running {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        *course = Course { last: Some(phase), restored: course.restored || phase == Phase::Restore };
        drop(course);
        self.emit(Event::PhaseStarted { phase });
        Running { events: self.clone(), phase, since: Instant::now() }
    }
}

/// A phase under way.
pub struct Running {
    events: Events,
    phase: Phase,
    since: Instant,
}

impl Running {
    /// Says how far the phase is.
    pub fn progress(&self, done: u64, total: u64, unit: &'static str) {
        self.events.emit(Event::Progress { phase: self.phase, done, total, unit });
    }

    /// Ends the phase and says what came of it.
    pub fn finish(self, summary: impl Into<String>) -> Duration {
        let took = self.since.elapsed();
        let millis = took.as_millis() as u64;
        self.events.emit(Event::PhaseFinished { phase: self.phase, millis, summary: summary.into() });
        took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_course_is_the_last_phase_and_whether_it_was_restored() {
        let events = Events::new(vec![]);
        let come = |phase| {
            events.phase(phase).finish("");
            events.course()
        };
        assert_eq!(events.course(), Course::default());
        assert_eq!(come(Phase::Wipe), Course { last: Some(Phase::Wipe), restored: false });
        assert_eq!(come(Phase::Restore), Course { last: Some(Phase::Restore), restored: true });
        assert_eq!(come(Phase::Observe), Course { last: Some(Phase::Observe), restored: true });
    }
}
