//! The directory of a run: `evidence.db`, `events.jsonl`, `logs/`, `summary.json`.
//!
//! Everything that a judgement needs is in `evidence.db`, so that a finished run can be
//! judged again, without Docker. No password, key or secret is: hashes of them at most.

mod audit;
mod coverage;
mod evidence;
mod files;
mod keys;
mod ledger;
mod live;
mod mail;
mod objects;
mod outside;
mod pairs;
mod rows;
mod run;
mod schema;
mod seen;
mod steps;
mod trials;

pub use audit::{Amount, AuditFile, Difference, Side};
pub use evidence::{Evidence, ObservationId};
pub use files::{FileCount, FilePair, FileSeen, Xattrs};
pub use keys::{KeyPair, KeySeen};
pub use ledger::{LedgerLine, Sent};
pub(crate) use live::DELETED;
pub use live::{LiveAction, LiveKind, LiveOp, When};
pub use mail::{AlteredSeen, FolderAttribute, FolderSeen, Login, MessageSeen, Quota};
pub use objects::ObjectSeen;
pub(crate) use objects::{ObjectAlone, ObjectPair, ObjectPairs};
pub use outside::{Layers, Outside};
pub use pairs::{MessagePairs, Own, Unlike};
pub(crate) use rows::RowPairs;
pub use rows::{RowSeen, RowWriter, TableSeen};
pub use run::RunFact;
pub use seen::{FactSeen, ScriptSeen};
pub use trials::TrialSeen;
