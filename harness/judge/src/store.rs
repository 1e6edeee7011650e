//! The directory of a run: `evidence.db`, `events.jsonl`, `logs/`, `summary.json`.
//!
//! Everything that a judgement needs is in `evidence.db`, so that a finished run can be
//! judged again, without Docker. No password, key or secret is: hashes of them at most.

mod audit;
mod evidence;
mod files;
mod live;
mod pairs;
mod seen;

pub use audit::{Amount, AuditFile, Difference, Side};
pub use evidence::{Evidence, FolderSeen, LedgerLine, Login, MessageSeen, ObservationId, Quota, RowSeen, Sent};
pub use files::{FilePair, FileSeen, HARD, SYMBOLIC};
pub use live::{LiveKind, LiveOp, When};
pub use pairs::{MessagePairs, Unlike};
pub use seen::{AlteredSeen, FactSeen, ScriptSeen, TrialSeen};
