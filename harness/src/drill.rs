//! A drill: deploy → provision → seed → settle → shape → baseline → backup → audit → wipe → restore → restart → observe → judge →
//! teardown.
//!
//! A [`Drill`] is a run ([`Run`]: corpus, evidence, events) and a deployment ([`Deployment`]: stack, doors, ownership). Each phase
//! is a function that takes both and the earlier phase's proof, and only the phases make proofs, so that phases out of order do
//! not compile. Restoring without a proven wipe:
//!
//! ```compile_fail,E0451
//! use restore_drill::drill::{self, Drill, proof::{BackedUp, Wiped}};
//! async fn skip_the_wipe(drill: &Drill, backup: &BackedUp) {
//!     drill::restore(drill, Wiped { volumes: 0 }, backup).await;
//! }
//! ```
//!
//! The same with a proof that was earned compiles:
//!
//! ```
//! use restore_drill::drill::{self, Drill, proof::{BackedUp, Wiped}};
//! async fn in_order(drill: &Drill, wiped: Wiped, backup: &BackedUp) {
//!     let _ = drill::restore(drill, wiped, backup).await;
//! }
//! ```

mod accounts;
mod backing_up;
mod baseline;
mod deploying;
mod deployment;
pub mod fault;
mod generated;
mod guard;
mod judging;
mod layers;
mod live;
mod logs;
mod looking;
mod needing;
mod observing;
mod options;
mod play;
mod prepare;
pub mod proof;
mod restoring;
mod secrets;
mod seeding;
mod seeing;
mod settling;
mod shaping;
mod stacks;
mod state;
mod trials;
mod upgrading;
mod users;
mod values;
mod wiping;
mod world;

pub use accounts::provision;
pub use backing_up::{audit, backup};
pub use baseline::baseline;
pub use deploying::deploy;
pub use deployment::Deployment;
pub use guard::{Ended, Resources, Sinks, guarded, run};
pub use judging::judge;
pub use needing::needed_secrets;
pub use observing::observe;
pub use options::{BotChoice, ImageChoice, Options, Stored};
pub use play::play;
pub use restoring::{restart, restore};
pub use seeding::seed;
pub use settling::settle;
pub use shaping::shape;
pub use state::{Drill, Run};
pub use trials::{try_after, try_before, write_before};
pub use upgrading::{across, baseline_again, upgrade, upgraded};
pub use users::new_account;
pub use wiping::wipe;

pub(crate) use backing_up::backup_with;
pub(crate) use play::until_baseline;
pub(crate) use restoring::{restore_over, restore_with};
pub(crate) use trials::try_as;
pub(crate) use users::visitor;
pub(crate) use wiping::{not_wiped, wipe_with};
