//! The directory of a run: `evidence.db`, `events.jsonl`, `logs/`, `summary.json`.
//!
//! Everything that a judgement needs is in `evidence.db`, so that a finished run can be
//! judged again, without Docker. No password, key or secret is: hashes of them at most.

mod audit;
mod evidence;
mod files;
mod keys;
mod ledger;
mod live;
mod mail;
mod pairs;
mod rows;
mod run;
mod schema;
mod seen;
mod steps;
mod trials;

pub use audit::{Amount, AuditFile, Difference, Side};
pub use evidence::{Evidence, ObservationId};
pub use files::{FilePair, FileSeen, HARD, SYMBOLIC};
pub use keys::{KeyPair, KeySeen};
pub use ledger::{LedgerLine, Sent};
pub(crate) use live::DELETED;
pub use live::{LiveAction, LiveKind, LiveOp, When};
pub use mail::{AlteredSeen, FolderSeen, Login, MessageSeen, Quota};
pub use pairs::{MessagePairs, Unlike};
pub use rows::RowSeen;
pub use run::RunFact;
pub use seen::{FactSeen, ScriptSeen};
pub use trials::TrialSeen;
