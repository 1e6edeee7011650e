//! restore-drill proves that a backup restores.
//!
//! It deploys an app as its operators do (a Docker Swarm stack from the recipe's compose
//! file), fills it with synthetic data whose every byte it can recompute, has backupbot back
//! it up, destroys it, restores, and compares what is back with what was there, through the
//! doors a user has.
//!
//! - [`drill`]: the phases, each of which takes the earlier one's proof.
//! - [`probe`]: reads one kind of state; [`judge::store`] keeps what it saw, and [`judge`] compares.
//! - [`backup`]: the client of backupbot; [`audit`]: what its snapshots hold; [`conformance`]: what any such bot must do.
//! - [`stack`]: stacks, volumes, and what a run owns; [`stack::ownership`] is the one place that removes anything.
//! - [`doctor`]: what this machine lacks for a drill.
//! - [`images`]: stand-in images, built on the spot.
//! - [`ladder`]: the rungs that a recipe earns, from install to lint.
//! - [`fault`]: deliberate defects, with the findings that they must cause.
//! - [`installation`]: what comes with the program.
//! - [`cli`]: the command line; [`commands`]: what its commands do.
//! - [`build`]: the CI server's build; [`forge`]: where its result is posted; [`bridge`]: what starts builds for comments.
//! - [`events`] and [`report`]: what a run says, and to whom. [`output`]: what commands print.
//!
//! What is written in files is read by [`recipe`]; the corpus is made by [`seeds`]; the engine is asked through [`engine`].

pub mod again;
pub mod audit;
pub mod backup;
pub mod bridge;
pub mod build;
pub mod cli;
pub mod commands;
pub mod config;
pub mod conformance;
pub mod doctor;
pub mod drill;
pub mod error;
pub mod events;
pub mod exit_code;
pub mod fault;
pub mod forge;
pub mod images;
pub mod installation;
pub mod interruption;
pub mod ladder;
pub mod output;
pub mod probe;
pub mod report;
pub mod secret;
pub mod stack;
pub mod tls;

pub use error::{Error, Result};
