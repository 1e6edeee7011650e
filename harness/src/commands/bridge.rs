//! `bridge`: starts builds for comments.

use crate::bridge::{Bridge, Drone, Testers};
use crate::cli::BridgeArgs;
use crate::error::{Error, Result};
use crate::exit_code;
use crate::forge::client::Client;
use crate::forge::{Kind, Repository};

/// Looks for comments, once or until it is ended.
pub(super) async fn bridge(args: BridgeArgs) -> Result<u8> {
    let bridge = prepared(&args)?;
    let mut ticks = tokio::time::interval(args.every);
    loop {
        ticks.tick().await;
        let failed = bridge.round().await;
        if args.once {
            return Ok(if failed == 0 { exit_code::HELD } else { exit_code::NOT_POSTED });
        }
    }
}

/// What the options ask for. All that is wrong with them is said at once.
fn prepared(args: &BridgeArgs) -> Result<Bridge> {
    let mut problems = Vec::new();
    let mut token = |name: &str| {
        let token = std::env::var(name).unwrap_or_default();
        if token.trim().is_empty() {
            problems.push(format!("the environment variable {name} is not set; put the token there"));
        }
        token
    };
    let (gitea, drone) = (token("GITEA_TOKEN"), token("DRONE_TOKEN"));
    let mut repositories = Vec::new();
    for address in &args.recipes {
        match Repository::parse(Kind::Gitea, address) {
            Ok(repository) => repositories.push(repository),
            Err(e) => problems.push(e.to_string()),
        }
    }
    // The same rules hold for the repository that is built.
    if let Err(e) = Repository::parse(Kind::Gitea, &format!("{}/{}", args.drone.trim_end_matches('/'), args.build)) {
        problems.push(format!("--drone and --build: {e}"));
    }
    for name in args.tester.iter().chain(&args.organization).filter(|n| !crate::ladder::remote::is_name(n)) {
        problems.push(format!("{name:?} is not a valid name of a user or an organization"));
    }
    if !problems.is_empty() {
        return Err(Error::Usage(problems.join("\n")));
    }
    let recipes =
        repositories.into_iter().map(|repository| Client::new(Kind::Gitea, repository, &gitea)).collect::<Result<_>>()?;
    let testers = Testers { names: args.tester.clone(), organization: args.organization.clone() };
    let drone = Drone::new(&args.drone, &args.build, args.branch.as_deref(), &drone)?;
    Ok(Bridge { recipes, testers, drone, word: args.word.clone() })
}
