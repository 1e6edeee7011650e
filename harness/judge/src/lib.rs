//! What a drill saw, and what it means. The store ([`store`]) keeps what was seen, and the judges read nothing else: no engine, no
//! network, no clock. So an old run can be judged again at any time, and gets the same verdict.
//!
//! - [`model`]: item, outcome, finding, verdict; the ids of messages, the kinds of trials, the steps of the bot.
//! - [`store`]: `evidence.db`, and what each kind of observation looks like in it; [`redact`] keeps secrets out.
//! - [`judge()`], [`across`], [`audited`], [`seeding`]: verdicts. Behind them is one judge for each kind of state: mail, rows,
//!   files, facts, and [`audit`] and [`live`].
//! - [`secrets`]: which secrets had new values after the restore, and which of the old ones it needs.
//! - [`checks`]: what was compared, beside what the scenario declares. [`coverage`]: how much of what there is that was. [`ended`]:
//!   why a run ended before its end. [`meaning`]: what a finding means and what to do about it. [`model::Group`]: findings by cause.

pub mod audit;
mod check;
pub mod checks;
pub mod count;
pub mod coverage;
mod covered;
mod declared;
pub mod ended;
pub mod error;
mod facts;
mod files;
mod folder;
mod groups;
mod kept;
mod keys;
mod layers;
mod links;
pub mod live;
mod mail;
pub mod meaning;
mod message_id;
pub mod model;
pub mod property;
pub mod redact;
mod rows;
mod say;
pub mod secrets;
mod stage;
mod step;
mod steps;
pub mod store;
#[cfg(test)]
mod tests;
mod trial;
mod verdict;
mod word;

pub use count::{counted, grouped};
pub use error::{Error, Result};
pub use facts::trials;
pub use rows::{ABSENT, AS_QUERIED, FILE, NOT_FILLED, READABLE, SETTINGS};
pub use stage::{BASELINE, FRESH, INSTALLED, MAIL_QUEUE, RESTORED, UPGRADED, WIPED};
pub use verdict::{across, audited, database_as, judge, may_need_secrets, old_secrets_mend, seeding};
