//! Databases whose files are copied while the server writes them.

use super::dumps::Selected;
use crate::labels::database::{Server, server};
use crate::labels::flow::Flow;
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::Recipe;
use crate::labels::rules::Rule;
use crate::labels::{BACKUP, Hook};

/// Adds databases of which the backup has no dump.
pub(super) fn check(recipe: &Recipe, flows: &[Flow<'_>], found: &mut Mistakes) {
    if !recipe.labels().any(|(.., l)| l.name == BACKUP) {
        return;
    }
    let selected = Selected::of(recipe);
    for (name, server) in without_dump(recipe, flows) {
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
    for (name, server) in excluded(recipe, &selected, flows) {
        let message = format!(
            "service {name}: volume {} with {} is excluded, and no hook writes a dump",
            server.volume, server.engine.name
        );
        found.add(Rule::DatabaseLeftOut, &server.mount.place, message);
    }
}

/// The databases that are excluded and that nothing is seen to dump, unless the inventory says that they need no backup.
fn excluded<'r>(recipe: &'r Recipe, selected: &Selected<'_>, flows: &[Flow<'_>]) -> Vec<(&'r str, Server<'r>)> {
    // A hook on another service may dump the database over the network, as may a script that cannot be read.
    let may_dump = flows.iter().any(|f| f.hook == Hook::BackupPre && !f.is_idle() && (f.dumps() || f.is_opaque()));
    let servers = recipe.services.iter().filter_map(|(name, service)| Some((name.as_str(), server(service)?)));
    let is_known = |volume: &str| recipe.inventory.iter().flat_map(|i| &i.volumes).any(|v| v.name == volume);
    servers.filter(|(_, s)| !may_dump && selected.excludes(s.volume) && !is_known(s.volume)).collect()
}

/// The databases that are backed up and that no hook dumps.
pub(in crate::labels) fn without_dump<'r>(recipe: &'r Recipe, flows: &[Flow<'_>]) -> Vec<(&'r str, Server<'r>)> {
    let servers = recipe.services.iter().filter_map(|(name, service)| Some((name.as_str(), server(service)?)));
    let selected = Selected::of(recipe);
    servers
        .filter(|(name, server)| {
            let dumps = |flow: &&Flow<'_>| {
                flow.hook == Hook::BackupPre
                    && (flow.name == *name && !flow.is_idle()
                        || flow.command.tools.iter().any(|tool| server.engine.dumps.contains(tool)))
            };
            !selected.excludes(server.volume) && !flows.iter().any(|flow| dumps(&flow))
        })
        .collect()
}
