//! The options of `ci`.

use std::path::PathBuf;
use std::str::FromStr;

use super::ladder::ClimbArgs;
use crate::forge::Kind;

/// The number of a pull request; none if a build's parameter is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullRequest(pub Option<u64>);

impl FromStr for PullRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Ok(Self(None)),
            text => match text.parse() {
                Ok(number) if number > 0 => Ok(Self(Some(number))),
                _ => Err("expected a pull request's number, such as 7".into()),
            },
        }
    }
}

/// The options of `ci`.
#[derive(Debug, clap::Args)]
pub struct CiArgs {
    /// The recipe, as for ladder. With --recipes, its name.
    #[arg(value_name = "RECIPE[@REVISION]", env = "RECIPE", default_value = ".")]
    pub recipe: String,
    /// The recipe's tag, branch or commit.
    ///
    /// Default: the newest commit of --pull-request; else the build's commit, if the build cloned the recipe; else the newest one.
    #[arg(long = "ref", env = "REF", value_name = "REVISION")]
    pub revision: Option<String>,
    /// The recipe's pull request.
    ///
    /// It is fetched if the recipe is cloned, and --post comments on it. Default: the build's, if the build cloned the recipe.
    #[arg(long, env = "PR", value_name = "NUMBER")]
    pub pull_request: Option<PullRequest>,
    /// The address or folder to add recipes' names to.
    ///
    /// A recipe that is only a name is then taken from there.
    #[arg(long, env = "RESTORE_DRILL_RECIPES", value_name = "ADDRESS")]
    pub recipes: Option<String>,
    /// What to climb, and with which data.
    #[command(flatten)]
    pub climb: ClimbArgs,
    /// Where results go.
    ///
    /// A directory outside of the build's workspace outlives the build.
    #[arg(long, value_name = "DIR", default_value = "restore-drill-results")]
    pub out: PathBuf,
    /// Post the result to a forge.
    ///
    /// The state of the recipe's commit, and one comment on the pull request, which later builds change.
    #[arg(long, env = "RESTORE_DRILL_POST", value_enum, value_name = "FORGE")]
    pub post: Option<Kind>,
    /// The recipe's repository on that forge.
    ///
    /// Default: where the recipe was cloned from.
    #[arg(long, env = "RESTORE_DRILL_POST_TO", value_name = "ADDRESS", requires = "post")]
    pub post_to: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_empty_names_no_pull_request() {
        assert_eq!(PullRequest::from_str("7"), Ok(PullRequest(Some(7))));
        assert_eq!(PullRequest::from_str(" "), Ok(PullRequest(None)));
        for wrong in ["0", "-1", "x", "7;id"] {
            PullRequest::from_str(wrong).expect_err(wrong);
        }
    }
}
