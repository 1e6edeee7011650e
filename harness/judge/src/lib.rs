//! What a drill saw, and what it means. The store ([`store`]) keeps what was seen; the judges read nothing else: no engine, no
//! network, no clock, so that an old run can be judged again.
//!
//! - [`model`]: item, outcome, finding, verdict.
//! - [`store`]: `evidence.db`, and what each kind of observation looks like in it; [`redact`] keeps secrets out.
//! - [`judge`], [`across`], [`audited`], [`seeding`]: verdicts; one judge for each kind of state is behind them, mail, rows,
//!   files, facts, and [`audit`] and [`live`].
//! - [`checks`]: what was compared beside what was declared; [`meaning`]: what a finding means and what to do.

pub mod audit;
mod check;
pub mod checks;
mod count;
pub mod error;
mod facts;
mod files;
pub mod live;
mod mail;
pub mod meaning;
mod message_id;
pub mod model;
pub mod property;
pub mod redact;
mod rows;
mod say;
mod stage;
mod step;
pub mod store;
#[cfg(test)]
mod tests;
mod trial;
mod verdict;
mod word;

pub use count::counted;
pub use error::{Error, Result};
pub use facts::trials;
pub use stage::{BASELINE, INSTALLED, MAIL_QUEUE, RESTORED, REVISION, UPGRADED};
pub use verdict::{across, audited, judge, seeding};
