//! The bot that a drill deploys for itself.

use std::collections::{BTreeMap, BTreeSet};

use bot::contract::{HIDDEN, PREFIX, STRICT};
use recipe::compose::Compose;
use recipe::fence::closed::Closed;

use crate::error::{Context as _, Result};
use crate::secret::Secret;
use crate::stack::deploy::Stack;
use crate::stack::lease::Lease;
use crate::stack::ownership::{Owned, bot_stack_name};
use crate::stack::run_labels;

/// The bot of a run.
pub(crate) struct OwnBot<'a> {
    /// The folder with its compose file.
    pub(crate) dir: &'a std::path::Path,
    /// Where the engine keeps its volumes, if that is known.
    pub(crate) docker_root: Option<&'a str>,
    /// Whether it follows the specification where the deployed bot does otherwise.
    pub(crate) strict: bool,
}

impl OwnBot<'_> {
    /// Its stack.
    pub(crate) fn stack(&self, run: &str, image: String) -> Result<Stack> {
        let name = bot_stack_name(run);
        let mut env = BTreeMap::from([("STACK_NAME".to_owned(), name.clone())]);
        env.insert(PREFIX.into(), HIDDEN.into());
        if let Some(root) = self.docker_root {
            env.insert("DOCKER_ROOT".into(), root.to_owned());
        }
        if self.strict {
            env.insert(STRICT.into(), "true".into());
        }
        let mut compose = vec![Compose::read(&self.dir.join("compose.yml"))?];
        Closed::default().close(&mut compose);
        Ok(Stack {
            name,
            compose,
            env,
            images: BTreeMap::from([("app".to_owned(), image)]),
            edits: vec![],
            resolvers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            stopped: BTreeSet::new(),
            made: None,
        })
    }
}

/// Deploys the bot's stack, its repository's password first.
pub(crate) async fn deploy_bot(owned: &Owned, bot: &Stack, secret: &Secret, lease: &Lease) -> Result<()> {
    let spec = bollard::models::SecretSpec {
        name: Some(format!("{}_restic_password", bot.name)),
        labels: Some(run_labels(owned.run()).into_iter().collect()),
        data: Some(base64_of(&secret.derive("restic"))),
        ..Default::default()
    };
    let docker = owned.engine().docker.clone();
    owned.create(async move { docker.create_secret(spec).await.context("creating the repository's password") }).await?;
    bot.deploy(owned, lease).await
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
