//! restore-drill proves that a backup restores.
//!
//! It deploys an app as its operators do (a Docker Swarm stack from the recipe's compose
//! file), fills it with synthetic data whose every byte it can recompute, has backupbot back
//! it up, destroys it, restores, and compares what is back with what was there, through the
//! doors a user has.
//!
//! - [`drill`]: the phases, each of which takes the earlier one's proof.
//! - [`scenario`]: a folder that describes one app.
//! - [`stack`]: Docker Swarm; [`stack::ownership`] is the one place that removes anything.
//! - [`backup`]: the client of backupbot; [`labels`]: what its labels select; [`audit`]: what its snapshots hold;
//!   [`conformance`]: what any such bot must do.
//! - [`probe`]: reads one kind of state; [`evidence`] stores what it saw.
//! - [`judge`]: compares two stored observations; [`model`]: outcome, finding, verdict.
//! - [`ladder`]: the rungs that a recipe earns, from install to lint.
//! - [`fault`]: deliberate defects, with the findings that they must cause.
//! - [`events`] and [`report`]: what a run says, and to whom.

pub mod again;
pub mod audit;
pub mod backup;
pub mod cli;
pub mod config;
pub mod conformance;
pub mod drill;
pub mod error;
pub mod events;
pub mod evidence;
pub mod exit_code;
pub mod fault;
pub(crate) mod git;
pub mod images;
pub mod judge;
pub mod labels;
pub mod ladder;
pub mod model;
pub mod probe;
pub mod report;
pub mod scenario;
pub mod secret;
pub mod stack;
pub mod tls;

pub use error::{Error, Result};
