//! Databases whose files are copied while the server writes them.

use super::dumps::Selected;
use crate::labels::database::{Engine, Server, server, unstored};
use crate::labels::flow::Flow;
use crate::labels::hook::Host;
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Recipe, Service};
use crate::labels::rules::Rule;
use crate::labels::{BACKUP, Hook};

/// Adds databases of which the backup has no dump.
pub(super) fn check(recipe: &Recipe, flows: &[Flow<'_>], found: &mut Mistakes) {
    if !recipe.labels().any(|(.., l)| l.name == BACKUP) {
        return;
    }
    let selected = Selected::of(recipe);
    for (name, server) in without_dump(recipe, flows) {
        if server.is_guess {
            let message = format!(
                "service {name}: volume {} is mounted at {}, where {} keeps its files, and no hook of the service writes a dump",
                server.volume, server.mount.target, server.engine.name
            );
            found.add(Rule::MaybeDatabase, &server.mount.place, message);
            continue;
        }
        let message = match selected.paths(server.volume) {
            None => format!(
                "service {name}: the files of {} in volume {} are copied while it writes them",
                server.engine.name, server.volume
            ),
            Some(paths) => format!(
                "service {name}: of volume {} with {}, only {} is backed up, and no hook of the service writes a dump",
                server.volume,
                server.engine.name,
                paths.join(", ")
            ),
        };
        found.add(Rule::DatabaseWithoutDump, &server.mount.place, message);
    }
    for (name, service) in &recipe.services {
        if let Some(engine) = unstored(service) {
            let message = format!("service {name}: no named volume has the files of {}", engine.name);
            found.add(Rule::DatabaseInNoVolume, &service.place, message);
        }
    }
    for (name, server) in excluded(recipe, &selected, flows) {
        let message = format!(
            "service {name}: volume {} with {} is excluded, and no hook writes a dump",
            server.volume, server.engine.name
        );
        found.add(Rule::DatabaseLeftOut, &server.mount.place, message);
    }
}

/// The servers of a recipe. What only looks like one does not count where a known server has the same volume.
fn servers(recipe: &Recipe) -> Vec<(&str, &Service, Server<'_>)> {
    let all: Vec<_> =
        recipe.services.iter().filter_map(|(name, service)| Some((name.as_str(), service, server(service)?))).collect();
    let is_known = |volume: &str| all.iter().any(|(.., s)| !s.is_guess && s.volume == volume);
    all.iter().filter(|(.., s)| !s.is_guess || !is_known(s.volume)).copied().collect()
}

/// The databases that are excluded and that nothing is seen to dump, unless the inventory says that they need no backup.
fn excluded<'r>(recipe: &'r Recipe, selected: &Selected<'_>, flows: &[Flow<'_>]) -> Vec<(&'r str, Server<'r>)> {
    // A script that cannot be read may dump the database over the network, as may a program that nobody knows.
    let unseen = |flow: &Flow<'_>| flow.is_opaque() || flow.exports() || flow.dumps() && !flow.command.dumps();
    let may_dump = |flow: &Flow<'_>, name: &str, service: &Service, server: &Server<'_>| {
        let own = flow.name == name && (flow.dumps() || flow.is_opaque());
        flow.hook == Hook::BackupPre && !flow.is_idle() && (own || unseen(flow) || reaches(recipe, flow, name, service, server))
    };
    // A service of its own may dump it by a schedule, into a volume that is backed up.
    let is_sidecar = |other: &Service, engine: &Engine| {
        let image = other.image.as_deref().unwrap_or_default();
        let dumps = |word: &String| engine.dumps.iter().any(|tool| word.contains(tool.as_str()));
        (image.contains("backup") || other.program.iter().any(dumps)) && other.volumes().any(|volume| !selected.excludes(volume))
    };
    let is_known = |volume: &str| recipe.inventory.iter().flat_map(|i| &i.volumes).any(|v| v.name == volume);
    let left_out = |(name, service, s): &(&str, &Service, Server<'_>)| {
        let has_sidecar = || recipe.services.iter().any(|(other, of)| other != name && is_sidecar(of, s.engine));
        let is_dumped = || flows.iter().any(|flow| may_dump(flow, name, service, s)) || has_sidecar();
        !s.is_guess && selected.excludes(s.volume) && !is_known(s.volume) && !is_dumped()
    };
    servers(recipe).into_iter().filter(left_out).map(|(name, _, s)| (name, s)).collect()
}

/// The databases that are backed up and that no hook dumps.
pub(in crate::labels) fn without_dump<'r>(recipe: &'r Recipe, flows: &[Flow<'_>]) -> Vec<(&'r str, Server<'r>)> {
    let selected = Selected::of(recipe);
    let is_bare = |(name, service, server): &(&str, &Service, Server<'_>)| {
        let dumps = |flow: &Flow<'_>| {
            flow.hook == Hook::BackupPre
                && (flow.name == *name && !flow.is_idle() || flow.exports() || reaches(recipe, flow, name, service, server))
        };
        !selected.excludes(server.volume) && !flows.iter().any(dumps)
    };
    servers(recipe).into_iter().filter(is_bare).map(|(name, _, server)| (name, server)).collect()
}

/// Whether a hook runs a program that dumps this server's engine, and that may talk to this server: another service's hook reaches it
/// by name.
fn reaches(recipe: &Recipe, flow: &Flow<'_>, name: &str, service: &Service, server: &Server<'_>) -> bool {
    let dumps = |tool: &str| server.engine.dumps.iter().any(|known| known == tool);
    flow.command.runs.iter().filter(|run| dumps(run.tool())).any(|run| match run.host() {
        Host::Local => false,
        Host::Unknown => true,
        Host::Named(host) => is_server(recipe, &host, name, service),
    })
}

/// Whether a host's name is that of a service: its own, an alias, or the stack's name before it. Who a variable names is not known, but
/// for `${STACK_NAME}_` before the name of a service.
fn is_server(recipe: &Recipe, host: &str, name: &str, service: &Service) -> bool {
    let host = host.strip_prefix("tasks.").unwrap_or(host);
    let ends = |name: &&String| host.strip_suffix(name.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('_'));
    match recipe.services.keys().filter(ends).max_by_key(|name| name.len()) {
        Some(found) if found == name => true,
        found => service.aliases.iter().any(|alias| alias == host) || host.contains('$') && found.is_none(),
    }
}
