//! The build of a CI server that this process is a step of, as the server's environment variables describe it.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// A CI server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// drone: `DRONE_*`.
    Drone,
    /// Woodpecker: `CI_*`.
    Woodpecker,
    /// Forgejo Actions: `GITHUB_*` and `FORGEJO_ACTIONS`.
    Forgejo,
    /// Gitea Actions: `GITHUB_*` and `GITEA_ACTIONS`.
    Gitea,
    /// GitHub Actions: `GITHUB_*`.
    Github,
    /// GitLab: `CI_*` and `GITLAB_CI`.
    Gitlab,
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The CI server.
    pub server: Server,
    /// The repository that was cloned, `owner/name`.
    pub repository: Option<String>,
    /// Where people see that repository.
    pub repository_url: Option<String>,
    /// The build's number in its link.
    pub number: Option<String>,
    /// Where people see the build.
    pub link: Option<String>,
    /// What started it, in the server's word.
    pub event: Option<String>,
    /// The commit that it is of. For a pull request, the newest one of its branch, not what the server merged.
    pub commit: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// The tag.
    pub tag: Option<String>,
    /// The number of the pull request.
    pub pull_request: Option<u64>,
    /// The directory that was cloned into.
    pub workspace: Option<PathBuf>,
    /// drone's own variables, which `results.json` has had from its beginning.
    drone: Map<String, Value>,
}

/// What an environment variable holds; none if it is empty.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    /// The first that is set.
    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    fn server(&self) -> Option<Server> {
        // drone sets some of Woodpecker's variables, and a Woodpecker server may set some of drone's. Each of the others
        // sets those of GitHub too.
        Some(match () {
            () if self.get("CI").is_some_and(|name| name == "woodpecker") => Server::Woodpecker,
            () if self.first(&["DRONE", "DRONE_BUILD_NUMBER"]).is_some() => Server::Drone,
            () if self.get("FORGEJO_ACTIONS").is_some() => Server::Forgejo,
            () if self.get("GITEA_ACTIONS").is_some() => Server::Gitea,
            () if self.get("GITHUB_ACTIONS").is_some() => Server::Github,
            () if self.get("GITLAB_CI").is_some() => Server::Gitlab,
            () => return None,
        })
    }
}

impl Build {
    /// The one that the environment describes.
    pub fn here() -> Option<Self> {
        Self::of(&|name| std::env::var(name).ok())
    }

    /// The one that such variables describe.
    pub fn of(variables: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let variables = Variables(variables);
        let server = variables.server()?;
        Some(match server {
            Server::Drone => drone(&variables),
            Server::Woodpecker => woodpecker(&variables),
            Server::Forgejo | Server::Gitea | Server::Github => actions(server, &variables),
            Server::Gitlab => gitlab(&variables),
        })
    }

    /// As `results.json` has it.
    pub fn json(&self) -> Map<String, Value> {
        let mut all = self.drone.clone();
        all.insert("server".into(), json!(self.server));
        all.insert("pull_request".into(), json!(self.pull_request));
        for (name, value) in [
            ("repository", &self.repository),
            ("number", &self.number),
            ("link", &self.link),
            ("event", &self.event),
            ("commit", &self.commit),
            ("branch", &self.branch),
            ("tag", &self.tag),
        ] {
            all.insert(name.into(), json!(value));
        }
        all
    }
}

/// The number in `refs/pull/7/head`, or in GitLab's `refs/merge-requests/7/head`.
fn pull_request(reference: &str) -> Option<u64> {
    let rest = ["refs/pull/", "refs/merge-requests/"].iter().find_map(|before| reference.strip_prefix(before))?;
    rest.split('/').next()?.parse().ok()
}

/// As drone's runner sets them (`environ.go` of drone/runner-go).
fn drone(variables: &Variables<'_>) -> Build {
    const OLDER: [&str; 7] = [
        "DRONE_REPO",
        "DRONE_BUILD_NUMBER",
        "DRONE_BUILD_LINK",
        "DRONE_BUILD_EVENT",
        "DRONE_COMMIT_SHA",
        "DRONE_BRANCH",
        "DRONE_TAG",
    ];
    let get = |name: &str| variables.get(name);
    // A promotion has no DRONE_PULL_REQUEST, though it may be of one.
    let number = get("DRONE_PULL_REQUEST").and_then(|n| n.parse().ok());
    Build {
        server: Server::Drone,
        repository: get("DRONE_REPO"),
        repository_url: get("DRONE_REPO_LINK"),
        number: get("DRONE_BUILD_NUMBER"),
        link: get("DRONE_BUILD_LINK"),
        event: get("DRONE_BUILD_EVENT"),
        commit: get("DRONE_COMMIT_SHA"),
        branch: get("DRONE_BRANCH"),
        tag: get("DRONE_TAG"),
        pull_request: number.or_else(|| pull_request(&get("DRONE_COMMIT_REF")?)),
        workspace: get("DRONE_WORKSPACE").map(PathBuf::from),
        drone: OLDER.into_iter().filter_map(|name| Some((name.to_lowercase(), json!(get(name)?)))).collect(),
    }
}

/// As <https://woodpecker-ci.org/docs/usage/environment> lists them; before its version 1, builds had no `CI_PIPELINE_*`.
fn woodpecker(variables: &Variables<'_>) -> Build {
    let get = |name: &str| variables.get(name);
    // A deployment may have no CI_COMMIT_PULL_REQUEST, though it is of one.
    let number = get("CI_COMMIT_PULL_REQUEST").and_then(|n| n.parse().ok());
    Build {
        server: Server::Woodpecker,
        repository: get("CI_REPO"),
        repository_url: variables.first(&["CI_REPO_URL", "CI_REPO_LINK"]),
        number: variables.first(&["CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER"]),
        link: variables.first(&["CI_PIPELINE_URL", "CI_PIPELINE_LINK", "CI_BUILD_LINK"]),
        event: variables.first(&["CI_PIPELINE_EVENT", "CI_BUILD_EVENT"]),
        commit: get("CI_COMMIT_SHA"),
        branch: get("CI_COMMIT_BRANCH"),
        tag: get("CI_COMMIT_TAG"),
        pull_request: number.or_else(|| pull_request(&get("CI_COMMIT_REF")?)),
        workspace: get("CI_WORKSPACE").map(PathBuf::from),
        drone: Map::new(),
    }
}

/// As GitHub's runner sets them, and the runners of Gitea and Forgejo after it.
fn actions(server: Server, variables: &Variables<'_>) -> Build {
    let get = |name: &str| variables.get(name);
    // For a pull request, GITHUB_SHA is a merge that only the server knows.
    let event: Value = get("GITHUB_EVENT_PATH")
        .and_then(|file| std::fs::read_to_string(file).ok())
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let (pull, issue) = (&event["pull_request"], &event["issue"]);
    // A comment starts a build of the default branch, whatever it is about: that branch's commit is not what somebody asked for.
    let sha = get("GITHUB_SHA").filter(|_| issue.is_null());
    let commented = issue["number"].as_u64().filter(|_| !issue["pull_request"].is_null());
    let repository = get("GITHUB_REPOSITORY");
    let url = get("GITHUB_SERVER_URL").zip(repository.clone()).map(|(server, name)| format!("{server}/{name}"));
    // A run's address has its id at GitHub, and its number at Gitea and Forgejo.
    let run = get(if server == Server::Github { "GITHUB_RUN_ID" } else { "GITHUB_RUN_NUMBER" });
    let named = |kind: &str| get("GITHUB_REF_NAME").filter(|_| get("GITHUB_REF_TYPE").is_some_and(|t| t == kind));
    Build {
        server,
        repository,
        link: url.as_ref().zip(run).map(|(url, run)| format!("{url}/actions/runs/{run}")),
        repository_url: url,
        number: get("GITHUB_RUN_NUMBER"),
        event: get("GITHUB_EVENT_NAME"),
        commit: pull["head"]["sha"].as_str().map(str::to_owned).or(sha),
        branch: get("GITHUB_HEAD_REF").or_else(|| named("branch")),
        tag: named("tag"),
        pull_request: pull["number"].as_u64().or(commented).or_else(|| pull_request(&get("GITHUB_REF")?)),
        workspace: get("GITHUB_WORKSPACE").map(PathBuf::from),
        drone: Map::new(),
    }
}

/// As <https://docs.gitlab.com/ci/variables/predefined_variables/> lists them.
fn gitlab(variables: &Variables<'_>) -> Build {
    let get = |name: &str| variables.get(name);
    Build {
        server: Server::Gitlab,
        repository: get("CI_PROJECT_PATH"),
        repository_url: get("CI_PROJECT_URL"),
        number: get("CI_PIPELINE_ID"),
        link: variables.first(&["CI_PIPELINE_URL", "CI_JOB_URL"]),
        event: get("CI_PIPELINE_SOURCE"),
        // The first is set only where CI_COMMIT_SHA is a merge that only the server knows.
        commit: variables.first(&["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"]),
        branch: variables.first(&["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"]),
        tag: get("CI_COMMIT_TAG"),
        pull_request: get("CI_MERGE_REQUEST_IID").and_then(|n| n.parse().ok()),
        workspace: get("CI_PROJECT_DIR").map(PathBuf::from),
        drone: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Build> {
        Build::of(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    /// Server, number, link, commit, pull request.
    fn seen(variables: &[(&str, &str)]) -> (Server, String, String, String, Option<u64>) {
        let build = of(variables).expect("a build");
        let text = |value: Option<String>| value.unwrap_or_default();
        (build.server, text(build.number), text(build.link), text(build.commit), build.pull_request)
    }

    #[test]
    fn no_server_is_none() {
        assert_eq!(of(&[("CI", "true"), ("GITHUB_ACTIONS", "")]), None);
    }

    #[test]
    fn a_promotion_of_a_pull_request_in_drone_is_of_the_pull_request() {
        let mut variables = vec![
            ("CI", "true"),
            ("DRONE", "true"),
            ("DRONE_BUILD_NUMBER", "7"),
            ("DRONE_BUILD_LINK", "https://drone.example.org/coop/mailu/7"),
            ("DRONE_COMMIT_SHA", "abc"),
            ("DRONE_COMMIT_REF", "refs/pull/12/head"),
            // What drone sets beside its own.
            ("CI_BUILD_NUMBER", "8"),
        ];
        let expected = (Server::Drone, "7".into(), "https://drone.example.org/coop/mailu/7".into(), "abc".into(), Some(12));
        assert_eq!(seen(&variables), expected);
        let json = of(&variables).expect("a build").json();
        assert_eq!(
            (&json["server"], &json["drone_build_number"], &json["pull_request"]),
            (&json!("drone"), &json!("7"), &json!(12))
        );
        variables[5].1 = "refs/heads/main";
        assert_eq!(seen(&variables).4, None);
    }

    #[test]
    fn woodpecker_is_not_taken_for_drone_or_gitlab() {
        let mut variables = [
            ("CI", "woodpecker"),
            ("DRONE_BUILD_NUMBER", "1"),
            ("CI_PIPELINE_NUMBER", "8"),
            ("CI_PIPELINE_URL", "https://ci.example.org/repos/3/pipeline/8"),
            ("CI_COMMIT_SHA", "abc"),
            ("CI_COMMIT_PULL_REQUEST", "5"),
        ];
        let expected =
            (Server::Woodpecker, "8".into(), "https://ci.example.org/repos/3/pipeline/8".into(), "abc".into(), Some(5));
        assert_eq!(seen(&variables), expected);
        variables[5] = ("CI_COMMIT_REF", "refs/pull/5/head");
        assert_eq!(seen(&variables), expected, "a deployment of a pull request");
        variables[5].1 = "refs/heads/main";
        assert_eq!(seen(&variables).4, None);
    }

    #[test]
    fn actions_of_each_forge_have_their_own_link_and_the_pull_requests_own_commit() {
        let event = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(event.path(), r#"{"pull_request": {"number": 5, "head": {"sha": "abc"}}}"#).expect("written");
        let path = event.path().to_str().expect("a path");
        for (more, server, run) in [
            (&["GITHUB_ACTIONS"][..], Server::Github, "900"),
            (&["GITHUB_ACTIONS", "GITEA_ACTIONS"], Server::Gitea, "8"),
            (&["GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS"], Server::Forgejo, "8"),
        ] {
            let mut variables = vec![
                ("GITHUB_SERVER_URL", "https://git.example.org"),
                ("GITHUB_REPOSITORY", "coop/mailu"),
                ("GITHUB_RUN_ID", "900"),
                ("GITHUB_RUN_NUMBER", "8"),
                ("GITHUB_SHA", "merged"),
                ("GITHUB_REF", "refs/pull/5/merge"),
                ("GITHUB_EVENT_PATH", path),
            ];
            variables.extend(more.iter().map(|name| (*name, "true")));
            let link = format!("https://git.example.org/coop/mailu/actions/runs/{run}");
            assert_eq!(seen(&variables), (server, "8".into(), link, "abc".into(), Some(5)));
        }
        std::fs::write(event.path(), r#"{"issue": {"number": 6, "pull_request": {"url": "x"}}}"#).expect("written");
        let comment =
            [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "main"), ("GITHUB_REF", "refs/heads/main"), ("GITHUB_EVENT_PATH", path)];
        let build = of(&comment).expect("a build");
        assert_eq!((build.commit, build.pull_request), (None, Some(6)), "what was checked out is what is tested");
        let pushed =
            [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "abc"), ("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "1.0.0+1")];
        let build = of(&pushed).expect("a build");
        assert_eq!((build.commit.as_deref(), build.tag.as_deref(), build.branch), (Some("abc"), Some("1.0.0+1"), None));
    }

    #[test]
    fn gitlab_says_which_commit_is_the_merge_requests() {
        let mut variables = vec![
            ("GITLAB_CI", "true"),
            ("CI_PIPELINE_ID", "8"),
            ("CI_PIPELINE_URL", "https://gitlab.example.org/coop/mailu/-/pipelines/8"),
            ("CI_COMMIT_SHA", "merged"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "abc"),
            ("CI_MERGE_REQUEST_IID", "5"),
        ];
        let link = "https://gitlab.example.org/coop/mailu/-/pipelines/8";
        assert_eq!(seen(&variables), (Server::Gitlab, "8".into(), link.into(), "abc".into(), Some(5)));
        variables[4].1 = "";
        assert_eq!(seen(&variables).3, "merged");
    }
}
