//! A recipe in a repository elsewhere: cloned with its tags into a directory of its own, without a checkout. Address and revision may
//! come from whoever started a build, so nothing of them can be an option of git, or a program that git runs.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use recipe::labels::version::Version;
use reqwest::Url;

use crate::error::{Error, Result};
use crate::stack::alive::Temporary;

/// What git may use to reach a repository. `http` could be changed on the way, and `ext` runs a program.
const PROTOCOLS: &str = "https:ssh:file";
/// The reference that a revision is fetched into, if no branch or tag has it.
const ASKED: &str = "refs/remotes/asked";

/// The most that one transfer may be: what a shell is told, in blocks of 512 bytes, and what is said of it.
const LARGEST: (u32, &str) = (1 << 21, "1 GiB");
/// How long one transfer may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// ssh asks nobody, and does not wait for a host that is silent.
const SSH: &str = "ssh -oBatchMode=yes -oConnectTimeout=30";
/// The digits of a commit.
const COMMIT: usize = 40;

/// The address of a git repository, which is safe to give to git and to a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub url: String,
    /// The repository's name.
    pub name: String,
}

/// A clone, removed with the last copy of it.
#[derive(Debug, Clone)]
pub struct Clone {
    dir: Arc<Temporary>,
    /// The commit that was asked for.
    pub commit: String,
}

impl Clone {
    /// The repository.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Address {
    /// An address, and what is behind `@` in its path; none if it is the name of a recipe or of a folder.
    ///
    /// # Errors
    /// It is the address of something, but of nothing that may be cloned.
    pub fn with_revision(asked: &str) -> Result<Option<(Self, Option<String>)>> {
        let Some((scheme, rest)) = asked.split_once("://") else {
            no_option("a recipe", asked)?;
            return match asked.split_once(':') {
                Some((host, path)) if !host.contains('/') && !Path::new(asked).exists() => Err(refused(
                    asked,
                    &format!("this short form of address is not supported; write ssh://{host}/{}", path.trim_start_matches('/')),
                )),
                _ => Ok(None),
            };
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, revision) = path.split_once('@').map_or((path, None), |(path, revision)| (path, Some(revision)));
        if let Some(revision) = revision {
            check_revision(revision)?;
        }
        let address = Self::parse(&format!("{scheme}://{authority}/{path}"))?;
        Ok(Some((address, revision.map(str::to_owned))))
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Err(refused(text, why));
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(e) => return wrong(&e.to_string()),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/._~@+-[]".contains(c);
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            _ if !text.chars().all(is_plain) => return wrong("it has characters other than letters, digits and :/._~@+-[]"),
            "https" if !url.username().is_empty() => {
                return wrong("it has a user's name in it; leave credentials to git, in ~/.netrc or a credential helper");
            }
            _ if url.password().is_some() => return wrong("it has a password in it; leave credentials to git"),
            "https" | "ssh" if host.is_empty() => return wrong("it names no host"),
            "https" | "ssh" if host.starts_with('-') || url.username().starts_with('-') => {
                return wrong("a host or a user cannot begin with -");
            }
            "file" if !host.is_empty() => return wrong("a file address has no host; write file:///path"),
            "https" | "ssh" | "file" => {}
            _ => return wrong("only https, ssh and file are known"),
        }
        let name = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default().trim_end_matches(".git");
        if !is_name(name) {
            return wrong("its path does not end with a repository's name");
        }
        Ok(Self { name: name.to_owned(), url: text.trim_end_matches('/').to_owned() })
    }

    /// Clones the repository, with all tags. Without a revision, takes the newest commit of the pull request, or of the default branch.
    ///
    /// # Errors
    /// It cannot be reached, or does not have the revision.
    pub async fn clone(&self, revision: Option<&str>, pull_request: Option<u64>) -> Result<Clone> {
        let dir = Temporary::new()?;
        let repository = Repository { dir: dir.path(), url: &self.url };
        repository.git(&["init", "--quiet", "."]).map_err(|why| Error::system("git init", why))?;
        repository
            .fetch(&["--tags", &self.url, "+refs/heads/*:refs/remotes/origin/*"])
            .await
            .map_err(|why| Error::system(format!("cloning {}", self.url), why))?;
        // The commits of a fork are in no branch of the repository.
        let pull = match pull_request {
            Some(number) => repository.pull_request(number).await,
            None => None,
        };
        let commit = match (revision, pull_request) {
            (Some(revision), _) => repository.find(revision).await.ok_or_else(|| {
                Error::Usage(format!("{}: no tag, branch or commit {revision:?}; {}", self.url, repository.versions()))
            })?,
            (None, Some(number)) => pull.ok_or_else(|| Error::Usage(format!("{}: no pull request {number}", self.url)))?,
            (None, None) => repository.find("HEAD").await.ok_or_else(|| Error::Usage(format!("{}: no commits", self.url)))?,
        };
        Ok(Clone { dir: Arc::new(dir), commit })
    }
}

/// Whether it is the plain name of a recipe.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Refuses what git would not take for a revision, or would take for something else (git-check-ref-format, and refspecs).
pub fn check_revision(revision: &str) -> Result<()> {
    no_option("a revision", revision)?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\'\"`$;&|<>(){}!#".contains(c);
    if revision.is_empty() || revision.starts_with('+') || revision.contains(odd) || revision.contains("..") {
        return Err(Error::Usage(format!(
            "the revision {revision:?} has characters that no tag, branch or commit has; expected one such as \
             3.0.2+2024.06.52, main or a commit's digits"
        )));
    }
    Ok(())
}

fn no_option(what: &str, text: &str) -> Result<()> {
    if text.starts_with('-') {
        return Err(Error::Usage(format!("{what} cannot begin with -, as {text:?} does: programs would take it for an option")));
    }
    Ok(())
}

fn refused(address: &str, why: &str) -> Error {
    // What is refused may have a password in it.
    judge::redact::password_in(address).into_iter().for_each(judge::redact::remember_foreign);
    Error::Usage(format!(
        "the recipe {address:?} is not cloned: {why}; expected an address such as https://git.example.org/coop/wiki"
    ))
}

/// A repository that is being filled.
struct Repository<'a> {
    dir: &'a Path,
    url: &'a str,
}

impl Repository<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = recipe::git::command(self.dir);
        command.args(arguments).stdin(Stdio::null());
        command.envs([
            ("GIT_ALLOW_PROTOCOL", PROTOCOLS),
            ("GIT_TERMINAL_PROMPT", "0"),
            // A server that says nothing for a minute has gone.
            ("GIT_HTTP_LOW_SPEED_LIMIT", "1"),
            ("GIT_HTTP_LOW_SPEED_TIME", "60"),
            ("LC_ALL", "C"),
        ]);
        command
    }

    /// Runs git, without the network. What it says on standard error, if it fails.
    fn git(&self, arguments: &[&str]) -> Result<String, String> {
        said(self.command(arguments).output())
    }

    /// Has git fetch, into one file. It ends with its limits of time and size, and with the future.
    async fn fetch(&self, arguments: &[&str]) -> Result<String, String> {
        let fetch = [
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "fetch.unpackLimit=1",
            "fetch",
            "--quiet",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
        ];
        let mut command = self.command(&[&fetch, arguments].concat());
        let is_chosen = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some());
        if !is_chosen && self.git(&["config", "core.sshCommand"]).is_err() {
            command.env("GIT_SSH_COMMAND", SSH);
        }
        let mut command = limited(&command);
        match tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await {
            // SIGXFSZ.
            Ok(output) => said(output)
                .map_err(|why| if why.contains("signal 25") { format!("it is larger than {}: {why}", LARGEST.1) } else { why }),
            Err(_) => Err(format!("git did not end in {} minutes", PATIENCE.as_secs() / 60)),
        }
    }

    fn commit(&self, name: &str) -> Option<String> {
        self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")]).ok()
    }

    /// The newest commit of a pull request, as GitHub, Gitea and GitLab name it.
    async fn pull_request(&self, number: u64) -> Option<String> {
        let kept = format!("refs/remotes/pull/{number}");
        for name in [format!("refs/pull/{number}/head"), format!("refs/merge-requests/{number}/head")] {
            if self.fetch(&[self.url, &format!("+{name}:{kept}")]).await.is_ok() {
                return self.commit(&kept);
            }
        }
        None
    }

    /// The commit of a tag, a branch, a commit's digits, or whatever the server knows under that name. All digits of a commit name that
    /// commit and nothing else, though a tag or branch may be called so.
    async fn find(&self, revision: &str) -> Option<String> {
        let is_hexadecimal = revision.chars().all(|c| c.is_ascii_hexdigit());
        let (is_digits, is_commit) = (is_hexadecimal && revision.len() >= 7, is_hexadecimal && revision.len() == COMMIT);
        let names = [format!("refs/tags/{revision}"), format!("refs/remotes/origin/{revision}")];
        let digits = is_digits.then(|| revision.to_owned());
        let known = names.into_iter().filter(|_| !is_commit).chain(digits).find_map(|name| self.commit(&name));
        if known.is_some() {
            return known;
        }
        self.fetch(&[self.url, &format!("+{revision}:{ASKED}")]).await.ok()?;
        self.commit(ASKED)
    }

    fn versions(&self) -> String {
        let tags = self.git(&["tag", "--list"]).unwrap_or_default();
        let tags: Vec<&str> = tags.lines().filter(|t| Version::parse(t).is_some()).collect();
        if tags.is_empty() { "it has no version tags".to_owned() } else { format!("it has {}", tags.join(", ")) }
    }
}

/// The same command, which may write no larger file than what is allowed.
fn limited(command: &Command) -> tokio::process::Command {
    let mut limited = tokio::process::Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -f {} && exec \"$@\"", LARGEST.0)).arg("sh");
    limited.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// What git printed; what it says on standard error, if it failed.
fn said(output: std::io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|e| format!("git: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|l| !l.is_empty()).take(3).collect();
    Err(lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(asked: &str) -> Result<Option<(String, String, Option<String>)>> {
        Ok(Address::with_revision(asked)?.map(|(address, revision)| (address.url, address.name, revision)))
    }

    #[test]
    fn addresses_are_told_from_names_and_folders() {
        for (asked, url, name, revision) in [
            ("https://git.example.org/coop/mailu.git", "https://git.example.org/coop/mailu.git", "mailu", None),
            (
                "https://git.example.org/coop/mailu@3.0.2+2024.06.52",
                "https://git.example.org/coop/mailu",
                "mailu",
                Some("3.0.2+2024.06.52"),
            ),
            (
                "ssh://git@git.example.org:2222/coop/mailu@feature/x",
                "ssh://git@git.example.org:2222/coop/mailu",
                "mailu",
                Some("feature/x"),
            ),
            ("file:///srv/recipes/mailu/", "file:///srv/recipes/mailu", "mailu", None),
        ] {
            let expected = (url.to_owned(), name.to_owned(), revision.map(str::to_owned));
            assert_eq!(parsed(asked).expect(asked), Some(expected), "{asked}");
        }
        for none in ["mailu", "./mailu@1.0.0+1", "scenarios/mailu", "/srv/a:b"] {
            assert_eq!(parsed(none).expect(none), None, "{none}");
        }
    }

    #[test]
    fn what_could_do_more_than_name_a_repository_is_refused() {
        for (asked, why) in [
            ("-", "cannot begin with -"),
            ("--upload-pack=touch /tmp/x", "cannot begin with -"),
            ("ext::sh -c x", "not cloned"),
            ("ext://sh/x", "only https, ssh and file"),
            ("http://git.example.org/coop/mailu", "only https, ssh and file"),
            ("git://git.example.org/coop/mailu", "only https, ssh and file"),
            ("git@git.example.org:coop/mailu", "write ssh://git@git.example.org/coop/mailu"),
            ("ssh://-oProxyCommand=x/mailu", "characters other than"),
            ("ssh://-oProxyCommand/mailu", "cannot begin with -"),
            ("ssh://%2doProxyCommand/mailu", "characters other than"),
            ("https://token@git.example.org/coop/mailu", "a user's name"),
            ("https://me:secret@git.example.org/coop/mailu", "a user's name"),
            ("https://git.example.org/coop/$(id)", "characters other than"),
            ("https://git.example.org/coop/mailu@--upload-pack=x", "cannot begin with -"),
            ("https://git.example.org/", "a repository's name"),
            ("https://git.example.org/coop/..", "a repository's name"),
            ("file://host/srv/mailu", "no host"),
        ] {
            let said = parsed(asked).expect_err(asked).to_string();
            assert!(said.contains(why), "{asked}: {said}");
        }
        for revision in ["", "-x", "+main", "a:b", "a b", "a..b", "main^", "x\n", "$(id)", "`id`"] {
            check_revision(revision).expect_err(revision);
        }
        for revision in ["main", "3.0.2+2024.06.52", "feature/x", "refs/pull/7/head", "0123abcd"] {
            check_revision(revision).expect(revision);
        }
    }

    /// A repository with a tag, a branch, and a pull request from elsewhere; with the commits of `main`, `branch` and the pull request.
    fn upstream() -> (tempfile::TempDir, [String; 3]) {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("wiki");
        std::fs::create_dir(&folder).expect("made");
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@drill.example", "-c", "core.hooksPath=/dev/null"];
            let output = Command::new("git").arg("-C").arg(&folder).args(identity).args(arguments).output().expect("git runs");
            assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        git(&["init", "-q", "-b", "main"]);
        let commit = |text: &str| {
            git(&["commit", "-q", "--allow-empty", "-m", text]);
            git(&["rev-parse", "HEAD"])
        };
        let main = commit("one");
        git(&["tag", "1.0.0+1"]);
        git(&["checkout", "-q", "-b", "feature/x"]);
        let branch = commit("two");
        git(&["checkout", "-q", "--detach", "main"]);
        let pull = commit("three");
        git(&["update-ref", "refs/pull/7/head", &pull]);
        git(&["checkout", "-q", "main"]);
        // Whoever may push can give a tag or a branch a commit's digits.
        for kind in ["tags", "heads"] {
            git(&["update-ref", &format!("refs/{kind}/{branch}"), &main]);
            git(&["update-ref", &format!("refs/{kind}/{pull}"), &main]);
        }
        (dir, [main, branch, pull])
    }

    #[tokio::test]
    async fn a_clone_finds_tags_branches_commits_and_pull_requests() {
        let (dir, [main, branch, pull]) = upstream();
        let (address, _) =
            Address::with_revision(&format!("file://{}/wiki", dir.path().display())).expect("an address").expect("an address");
        let cloned = async |revision, number| address.clone(revision, number).await.map(|clone| clone.commit);
        for (revision, number, commit) in [
            (None, None, &main),
            (Some("1.0.0+1"), None, &main),
            (Some("feature/x"), None, &branch),
            (Some(&branch[..10]), None, &branch),
            (Some(branch.as_str()), None, &branch),
            (None, Some(7), &pull),
            (Some(pull.as_str()), Some(7), &pull),
            // Known to nobody but the server.
            (Some(pull.as_str()), None, &pull),
            (Some("refs/pull/7/head"), None, &pull),
            (Some("main"), Some(7), &main),
        ] {
            assert_eq!(&cloned(revision, number).await.expect("cloned"), commit, "{revision:?} of {number:?}");
        }
        let said = async |revision, number| cloned(revision, number).await.expect_err("nothing").to_string();
        assert!(said(Some("2.0.0+2"), None).await.contains("no tag, branch or commit \"2.0.0+2\"; it has 1.0.0+1"));
        assert!(said(None, Some(8)).await.contains("no pull request 8"));
        let gone = address.clone(None, None).await.expect("cloned");
        let path = gone.dir().to_owned();
        assert!(path.is_dir());
        drop(gone);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_repository_that_is_not_there_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let (address, _) = Address::with_revision(&format!("file://{}/none", dir.path().display())).expect("one").expect("one");
        let error = address.clone(None, None).await.expect_err("nothing there");
        assert_eq!(error.exit_code(), crate::exit_code::UNKNOWN);
        assert!(error.to_string().contains("/none: fatal: "), "{error}");
    }
}
