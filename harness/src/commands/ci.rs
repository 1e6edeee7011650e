//! `ci`: climbs a recipe's ladder as a step of a pipeline, keeps what came of it, and posts it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use judge::model::Status;
use recipe::git::git;

use super::ladder::climb;
use super::sinks::runs;
use crate::build::{Build, Server};
use crate::cli::{CiArgs, PullRequest};
use crate::drill;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::forge::client::Client;
use crate::forge::{CommitStatus, Kind, Repository, State};
use crate::interruption::interruptible;
use crate::ladder::Ladder;
use crate::ladder::pinned::Source;
use crate::ladder::remote::{Address, check_revision, is_name};
use crate::report::ci::{COMMENT, Folded, Folds, Results, keep, keep_error, prepare, refuse_link};
use crate::report::history::RUNS;
use crate::report::{JsonLines, markdown};
use crate::{exit_code, output};

/// Where drills find each other.
const STATE: &str = "RESTORE_DRILL_STATE_DIR";

/// How long a build may take if nobody says: an app under test may say nothing for ever, or always something new.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// Where the recipe is.
enum Place {
    /// In a repository elsewhere, which is cloned.
    Remote(Address),
    /// In a folder, or where `ladder` finds a recipe of that name.
    Local(String),
}

impl Place {
    /// The recipe's name, as far as it can be told without looking.
    fn name(&self) -> String {
        match self {
            Self::Remote(address) => address.name.clone(),
            Self::Local(place) => place.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }
}

/// What is asked for, as far as it can be told before anything is cloned.
struct Wanted {
    place: Place,
    revision: Option<String>,
    pull_request: Option<u64>,
    token: Option<String>,
    before: Option<Ladder>,
}

/// A step of a pipeline.
pub(super) async fn ci(mut args: CiArgs, scenarios: PathBuf) -> Result<u8> {
    let build = Build::here();
    if build.as_ref().is_some_and(|b| b.server == Server::Drone) && std::env::var_os(STATE).is_none() {
        output::notice(format_args!(
            "note: {STATE} is not set. drone gives each build its own home directory, so what a killed build left is removed only after \
             a minute. Set it on the runner, in DRONE_RUNNER_ENVIRON."
        ));
    }
    let wanted = Wanted::of(&args, build.as_ref())?;
    let dir = match args.climb.evidence.take() {
        Some(dir) => dir,
        None => {
            refuse_link(Path::new(RUNS))?;
            runs("ladder")?
        }
    };
    args.climb.evidence = Some(dir.clone());
    args.climb.deadline.get_or_insert(LONGEST);
    let step = Step { out: args.out.clone(), dir, build };
    let found = interruptible(wanted.source(&args, &scenarios, step.build.as_ref())).await;
    let (source, commit) = match found.and_then(|source| source.commit().map(|commit| (source, commit))) {
        Ok(found) => found,
        Err(e) => {
            // Whoever asked for a revision that is not there reads the pull request.
            let poster = Poster::of(&args, &wanted, None, step.build.as_ref()).unwrap_or_default();
            return step.ended(e, &format!("restore-drill ladder {}", args.recipe), poster.as_ref()).await;
        }
    };
    let place = commit.iter().fold(source.place.clone(), |place, commit| format!("{place}@{commit}"));
    let reproduce = format!("restore-drill ladder {place}");
    let poster = match Poster::of(&args, &wanted, Some(&source), step.build.as_ref()) {
        Ok(poster) => poster,
        // Nobody is told, but the results are kept.
        Err(e) => return step.ended(e, &reproduce, None).await,
    };
    output::notice(format_args!("recipe {place}"));
    if let Some(poster) = &poster
        && let Err(e) = interruptible(poster.status(State::Pending, "the ladder is under way")).await
    {
        if matches!(e, Error::Signal(_)) {
            return step.ended(e, &reproduce, Some(poster)).await;
        }
        output::notice(format_args!("note: {e}"));
    }
    let server = step.build.as_ref().map(|b| b.server);
    let folded: drill::Sinks =
        Box::new(move |dir| Ok(Events::new(vec![Box::new(Folded::new(Folds::of(server))), Box::new(JsonLines::create(dir)?)])));
    match climb(source, args.climb, scenarios, folded).await {
        Ok((ladder, _)) => step.climbed(&ladder, wanted.before.as_ref(), poster.as_ref()).await,
        Err(e) => step.ended(e, &reproduce, poster.as_ref()).await,
    }
}

impl Wanted {
    /// What the options ask for. All that is wrong with them is said at once.
    fn of(args: &CiArgs, build: Option<&Build>) -> Result<Self> {
        let mut problems = Vec::new();
        let before = noted(&mut problems, args.climb.compare.as_deref().map(Ladder::read).transpose()).flatten();
        let asked = match args.recipe.trim() {
            "" => ".",
            asked => asked,
        };
        let found = noted(&mut problems, place(asked, args.recipes.as_deref()));
        let (place, in_place) = found.unwrap_or_else(|| (Place::Local(asked.to_owned()), None));
        let given = args.revision.as_deref().map(str::trim).filter(|r| !r.is_empty());
        noted(&mut problems, given.map(check_revision).transpose());
        if let (Some(given), Some(other)) = (given, &in_place)
            && given != other
        {
            problems.push(format!("two revisions of the recipe are named: {other:?} after @, and {given:?} in --ref or REF"));
        }
        if args.climb.dirty && (given.is_some() || matches!(place, Place::Remote(_))) {
            problems.push(
                "--dirty takes files as they are in a folder: it goes neither with --ref or REF, nor with an address".into(),
            );
        }
        let token = args.post.and_then(|forge| {
            let token = std::env::var(forge.token_variable()).ok().filter(|t| !t.trim().is_empty());
            if token.is_none() {
                problems.push(format!("--post needs a token in the environment variable {}", forge.token_variable()));
            }
            token
        });
        match (args.post, &args.post_to, &place) {
            (Some(kind), Some(to), _) => {
                noted(&mut problems, Repository::parse(kind, to).map_err(|e| Error::Usage(format!("--post-to: {e}"))));
            }
            (Some(kind), None, Place::Remote(address)) => {
                let trusted = [args.recipes.as_deref(), build.and_then(|b| b.repository_url.as_deref())];
                noted(&mut problems, trusts(kind, &address.url, &trusted));
            }
            _ => {}
        }
        noted(&mut problems, prepare(&args.out));
        if !problems.is_empty() {
            return Err(Error::Usage(problems.join("\n")));
        }
        let revision = given.map(str::to_owned).or(in_place);
        let pull_request = args.pull_request.and_then(|PullRequest(number)| number);
        Ok(Self { place, revision, pull_request, token, before })
    }

    /// The recipe, at the revision that is to be tested.
    async fn source(&self, args: &CiArgs, scenarios: &Path, build: Option<&Build>) -> Result<Source> {
        let place = match &self.place {
            Place::Remote(address) => {
                return Source::cloned(address, self.revision.as_deref(), self.pull_request).await;
            }
            Place::Local(place) => place,
        };
        let source = Source::find(place, scenarios, args.climb.dirty).await?;
        let commit = build.filter(|build| !args.climb.dirty && is_of(&source, build)).and_then(|build| build.commit.clone());
        match &self.revision {
            Some(_) => Ok(source.at(self.revision.clone())),
            None if source.revision().is_some() => Ok(source),
            // What is checked out may be a merge that only the CI server knows.
            None => match commit {
                None => Ok(source),
                Some(commit) => {
                    let source = source.at(Some(commit.clone()));
                    source.commit().map(|_| ()).map_err(|e| {
                        Error::Usage(format!(
                            "{e}. That is the commit of this build: have the build fetch it, and the tags (with actions/checkout, \
                             fetch-depth: 0)"
                        ))
                    })?;
                    Ok(source)
                }
            },
        }
    }
}

/// Refuses to send the token to a server that only the recipe's address names: whoever starts a build may have written that.
fn trusts(kind: Kind, address: &str, trusted: &[Option<&str>]) -> Result<()> {
    let origin = |text: &str| reqwest::Url::parse(text.trim()).ok().map(|url| url.origin()).filter(|origin| origin.is_tuple());
    let own = origin(address);
    if own.is_some() && trusted.iter().flatten().any(|text| origin(text) == own) {
        return Repository::parse(kind, address).map(|_| ());
    }
    Err(Error::Usage(format!(
        "--post: the token is not sent to the server of {address:?}, which is neither that of --recipes nor that of this build's own \
         repository; name the recipe's repository on the forge with --post-to"
    )))
}

/// What is right; a problem is noted.
fn noted<T>(problems: &mut Vec<String>, result: Result<T>) -> Option<T> {
    result.map_err(|e| problems.push(e.to_string())).ok()
}

/// Where a recipe is, and the revision behind `@` in its address.
fn place(asked: &str, recipes: Option<&str>) -> Result<(Place, Option<String>)> {
    let base = recipes.map(str::trim).filter(|base| !base.is_empty());
    let (name, revision) = asked.split_once('@').map_or((asked, None), |(name, revision)| (name, Some(revision)));
    let whole = match base {
        Some(base) if is_name(name) => {
            let revision = revision.map(|r| format!("@{r}")).unwrap_or_default();
            format!("{}/{name}{revision}", base.trim_end_matches('/'))
        }
        _ => asked.to_owned(),
    };
    match Address::with_revision(&whole)? {
        Some((address, revision)) => Ok((Place::Remote(address), revision)),
        None => Ok((Place::Local(whole), None)),
    }
}

/// Whether a recipe is in what the CI server cloned, so that the build's commit is the recipe's.
fn is_of(source: &Source, build: &Build) -> bool {
    let top = |dir: &Path| {
        let top = git(dir, &["rev-parse", "--show-toplevel"]).ok()?;
        Path::new(String::from_utf8_lossy(&top).trim()).canonicalize().ok()
    };
    let workspace = build.workspace.as_deref().filter(|w| w.is_dir()).unwrap_or(Path::new("."));
    !source.is_clone() && top(&source.dir).is_some_and(|recipe| top(workspace) == Some(recipe))
}

/// Who posts results, and where.
struct Poster {
    client: Client,
    commit: Option<String>,
    pull_request: Option<u64>,
    /// The name of the commit's state.
    name: String,
    /// What the comment begins with, so that the next build finds it.
    marker: String,
    link: Option<String>,
}

impl Poster {
    /// Who posts what comes of a recipe, if it was found; nobody without `--post`.
    fn of(args: &CiArgs, wanted: &Wanted, source: Option<&Source>, build: Option<&Build>) -> Result<Option<Self>> {
        let (Some(kind), Some(token)) = (args.post, &wanted.token) else { return Ok(None) };
        let of_build = build.filter(|build| source.is_some_and(|source| is_of(source, build)));
        let repository = match (&args.post_to, &wanted.place, of_build.and_then(|b| b.repository_url.as_deref())) {
            (Some(to), ..) => Repository::parse(kind, to),
            (None, Place::Remote(address), _) => Repository::parse(kind, &address.url),
            (None, Place::Local(_), Some(url)) => {
                Repository::parse(kind, url).map_err(|e| Error::Usage(format!("--post: {e}; name it with --post-to")))
            }
            (None, Place::Local(place), None) => Err(Error::Usage(format!(
                "the repository of the recipe {place:?} on the forge is not known; give it with --post-to ADDRESS"
            ))),
        }?;
        let recipe = source.map_or_else(|| wanted.place.name(), |source| source.name.clone());
        Ok(Some(Self {
            commit: source.map(Source::commit).transpose()?.flatten(),
            pull_request: wanted.pull_request.or_else(|| of_build?.pull_request),
            name: format!("restore-drill/{recipe}"),
            marker: format!("<!-- restore-drill: {recipe} -->"),
            link: build.and_then(|b| web(b.link.as_deref()?)),
            client: Client::new(kind, repository, token)?,
        }))
    }

    async fn status(&self, state: State, description: &str) -> Result<()> {
        let Some(commit) = &self.commit else { return Ok(()) };
        let status = CommitStatus { state, name: &self.name, description, link: self.link.as_deref() };
        self.client.set_status(commit, &status).await
    }

    /// Posts a result. Tries both parts, whatever became of the first.
    async fn post(&self, state: State, description: &str, comment: &str) -> Result<()> {
        let status = self.status(state, description).await;
        let comment = match self.pull_request {
            None => Ok(()),
            Some(number) => {
                let link = self.link.as_ref().map(|link| format!("\nBuild: <{link}>\n")).unwrap_or_default();
                self.client.comment(number, &self.marker, &format!("{comment}{link}")).await.map(|_| ())
            }
        };
        match (status, comment) {
            (Err(status), Err(comment)) => {
                output::notice(format_args!("error: {status}"));
                Err(comment)
            }
            (status, comment) => status.and(comment),
        }
    }
}

/// An address that a browser opens, with nothing in it that would end a link in Markdown.
fn web(link: &str) -> Option<String> {
    let url = reqwest::Url::parse(link).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.as_str().replace('>', "%3E"))
}

/// The step of a build, and where its results go.
struct Step {
    out: PathBuf,
    dir: PathBuf,
    build: Option<Build>,
}

impl Step {
    fn results<'a>(&'a self, exit_code: u8, ladder: Option<&'a Ladder>, reproduce: &'a str) -> Results<'a> {
        Results { exit_code, ladder, reproduce, build: self.build.as_ref() }
    }

    /// What comes of a ladder.
    async fn climbed(&self, ladder: &Ladder, before: Option<&Ladder>, poster: Option<&Poster>) -> Result<u8> {
        let code = exit_code::of(ladder.status());
        let kept = keep(&self.out, &self.dir, &self.results(code, Some(ladder), &ladder.reproduce));
        output::text(ladder.text())?;
        before.iter().try_for_each(|b| output::text(ladder.compared(b)))?;
        let (out, dir) = (self.out.display(), self.dir.display());
        output::notice(format_args!("\nresults:   {out}\nevidence:  {dir}\nreproduce: {}", ladder.reproduce));
        let state = match ladder.status() {
            Status::Held => State::Success,
            Status::Broken => State::Failure,
            Status::Unknown => State::Error,
        };
        let why = ladder.blocked_by().map(|why| format!(": {why}")).unwrap_or_default();
        let level = format!("level {} of {}{why}", ladder.level, recipe::rung::Rung::ALL.len());
        let is_posted = self.posted(poster, state, &level).await;
        kept?;
        if is_posted || code != exit_code::HELD { Ok(code) } else { Ok(exit_code::NOT_POSTED) }
    }

    /// What comes of a ladder that ended before its end.
    async fn ended(&self, error: Error, reproduce: &str, poster: Option<&Poster>) -> Result<u8> {
        let kept = keep_error(&self.out, &self.dir, &error, &self.results(error.exit_code(), None, reproduce));
        let message = error.to_string();
        self.posted(poster, State::Error, message.lines().next().unwrap_or_default()).await;
        kept?;
        Err(error)
    }

    /// Posts the result. If that fails, says so: it changes no verdict.
    async fn posted(&self, poster: Option<&Poster>, state: State, description: &str) -> bool {
        let Some(poster) = poster else { return true };
        let short = |_| format!("## Restore drill\n\n{}\n", markdown::code(description));
        let comment = std::fs::read_to_string(self.out.join(COMMENT)).unwrap_or_else(short);
        match poster.post(state, description, &comment).await {
            Ok(()) => {
                output::notice(format_args!("posted:    {}", poster.client.repository));
                true
            }
            Err(e) => {
                output::notice(format_args!("error: {e}"));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(asked: &str, recipes: Option<&str>) -> (String, Option<String>) {
        match place(asked, recipes).expect(asked) {
            (Place::Remote(address), revision) => (address.url, revision),
            (Place::Local(place), revision) => (place, revision),
        }
    }

    #[test]
    fn a_plain_name_is_taken_from_where_recipes_are() {
        let base = Some("https://git.example.org/coop/");
        let mailu = "https://git.example.org/coop/mailu".to_owned();
        assert_eq!(found("mailu", base), (mailu.clone(), None));
        assert_eq!(found("mailu@1.0.0+1", base), (mailu, Some("1.0.0+1".into())));
        assert_eq!(found("mailu", Some("/srv/recipes")), ("/srv/recipes/mailu".into(), None));
        for (asked, base) in [("./mailu", base), ("mailu", None), ("mailu", Some("")), (".", base), ("../mailu@1.0.0+1", base)] {
            assert_eq!(found(asked, base), (asked.to_owned(), None), "{asked}");
        }
        assert_eq!(found("file:///srv/mailu", base), ("file:///srv/mailu".into(), None));
        assert!(place("mailu", Some("http://git.example.org")).is_err());
    }

    #[test]
    fn the_token_is_for_the_forge_of_the_recipes_or_of_the_build() {
        let address = "https://git.example.org/coop/wiki";
        let build = Some("https://git.example.org/coop/recipe-ci");
        for trusted in [[Some("https://git.example.org/coop"), None], [None, build], [Some("/srv/recipes"), build]] {
            trusts(Kind::Gitea, address, &trusted).expect("trusted");
            for other in [
                "https://evil.example/a/b",
                "https://git.example.org.evil.example/a/b",
                "https://git.example.org:8443/a/b",
                "ssh://git@git.example.org/coop/wiki",
                "file:///srv/wiki",
            ] {
                let said = trusts(Kind::Gitea, other, &trusted).expect_err(other).to_string();
                assert!(said.contains("--post-to"), "{said}");
            }
        }
        trusts(Kind::Gitea, "file:///srv/wiki", &[Some("file:///srv"), None]).expect_err("no forge");
        trusts(Kind::Gitea, address, &[None, None]).expect_err("nobody names it");
    }

    #[test]
    fn a_link_ends_where_it_ends() {
        assert_eq!(web("https://ci.example.org/7").as_deref(), Some("https://ci.example.org/7"));
        assert_eq!(web("https://ci.example.org/a b>c\"").as_deref(), Some("https://ci.example.org/a%20b%3Ec%22"));
        assert_eq!(web("javascript:alert(1)"), None);
    }
}
