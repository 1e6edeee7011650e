//! What is written in files: a recipe as its operator deploys it, and the scenario that describes its app to a drill.
//!
//! This crate reads, checks and edits files. It never asks a Docker engine or the network, so its tests run anywhere in seconds. (One
//! test compares the interpolation of variables with the docker command line, if that is installed.)
//!
//! # Where to start
//!
//! | to … | see |
//! | --- | --- |
//! | load a scenario, with everything that is wrong in it | [`scenario::Scenario::load`] |
//! | learn what `scenario.toml` and `inventory.toml` may say | [`scenario::Spec`], [`inventory::Inventory`] |
//! | make a new scenario from a compose file | [`scenario::scaffold::new`] |
//! | read a recipe's folder as abra does | [`recipe_folder::RecipeFolder`], [`env::EnvFile`] |
//! | read a recipe's labels as backupbot does | [`labels::selection`], [`labels::enabled`] |
//! | find mistakes in labels, and correct them | [`labels::lint::lint`], [`labels::suggest::suggest`] |
//! | add a rule for labels | `labels/rules.toml`, then [`labels::rules::Rule`] and a file in `labels/lint/` |
//! | parse YAML and keep the line of every value | [`compose::yaml::Node`] |
//! | replace variables as `docker stack deploy` does | [`compose::variable::interpolate`] |
//!
//! # Example
//!
//! ```
//! use recipe::labels::{lint::lint, recipe::RecipeFiles};
//!
//! let compose = "services:\n  app:\n    image: nginx:1.27\n    volumes: [\"data:/data\"]\nvolumes:\n  data:\n";
//! let recipe = RecipeFiles::default().parse(vec![("compose.yml".into(), compose.into())])?;
//! let messages: Vec<String> = lint(&recipe, None).into_iter().map(|mistake| mistake.message).collect();
//! assert_eq!(messages[0], "no service has a backupbot label");
//! # Ok::<(), recipe::Error>(())
//! ```
//!
//! # Errors
//!
//! [`Error`] tells apart what the user can correct (a file that is wrong, a name that does not exist, a file that cannot be read)
//! from what they cannot (a full disk). An error about files lists every problem, each with its file and line.

pub mod compose;
pub mod env;
pub mod error;
pub mod fence;
pub mod git;
pub mod glob;
pub mod image;
pub mod inventory;
pub mod labels;
pub mod near;
pub mod recipe_folder;
pub mod rung;
pub mod scenario;
pub mod secret_version;
pub mod toml_file;

pub use error::{Error, Result};
