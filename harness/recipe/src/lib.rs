//! What is written in files: a recipe as its operator deploys it, and the scenario that describes its app. Nothing here asks an
//! engine or the network.
//!
//! - [`compose`]: compose files, their variables, and YAML with the line of every value.
//! - [`scenario`]: a folder that describes one app; [`inventory`]: what its volumes hold; [`rung`]: the ladder's rungs.
//! - [`labels`]: what backupbot's labels select; lint, and what a recipe should have.
//! - [`image`]: the build context of a stand-in image.
//! - [`mod@env`], [`toml_file`], [`git`], [`glob`]: files of variables, TOML files, what git has stored, globs.

pub mod compose;
pub mod env;
pub mod error;
pub mod git;
pub mod glob;
pub mod image;
pub mod inventory;
pub mod labels;
pub mod near;
pub mod rung;
pub mod scenario;
pub mod toml_file;

pub use error::{Error, Result};
