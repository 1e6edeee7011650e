//! The options of `bridge`.

use std::time::Duration;

/// The options of `bridge`.
#[derive(Debug, clap::Args)]
pub struct BridgeArgs {
    /// The recipes' repositories, on a Gitea or Forgejo server.
    ///
    /// The token is in GITEA_TOKEN.
    #[arg(required = true, value_name = "ADDRESS")]
    pub recipes: Vec<String>,
    /// A user who may start a drill; can be repeated.
    #[arg(long, value_name = "NAME", required_unless_present = "organization")]
    pub tester: Vec<String>,
    /// Members of this organization may start a drill.
    #[arg(long, value_name = "NAME")]
    pub organization: Option<String>,
    /// The address of drone; its token is in DRONE_TOKEN.
    #[arg(long, env = "DRONE_SERVER", value_name = "ADDRESS")]
    pub drone: String,
    /// The repository that drone builds.
    ///
    /// Its .drone.yml is like docs/ci/drone.yml. The build gets the parameters RECIPE, REF and PR.
    #[arg(long, value_name = "OWNER/NAME")]
    pub build: String,
    /// The branch that is built. Default: the repository's.
    #[arg(long)]
    pub branch: Option<String>,
    /// The comment that asks for a drill.
    #[arg(long, value_name = "WORD", default_value = "!testme")]
    pub word: String,
    /// Look once and exit, for use with a timer.
    #[arg(long)]
    pub once: bool,
    /// How often to look.
    #[arg(long, value_name = "TIME", value_parser = super::data::time, default_value = "1m")]
    pub every: Duration,
}
