//! Restores that leave what is in the database: the bot restores into a deployed stack, whose database has its tables.

use crate::labels::Hook;
use crate::labels::flow::Flow;
use crate::labels::mistake::Mistakes;
use crate::labels::rules::Rule;

/// Adds loads that do not replace what is there.
pub(super) fn check(flows: &[Flow<'_>], found: &mut Mistakes) {
    let restores = || flows.iter().filter(|f| matches!(f.hook, Hook::RestorePre | Hook::RestorePost));
    for flow in restores() {
        // One hook may make the database anew where another one loads.
        let is_made_anew = restores().any(|f| f.command.drops || f.name == flow.name && f.is_opaque());
        let runs = &flow.command.runs;
        let why = runs.iter().find_map(|run| match run.restores_nowhere() {
            true => Some("pg_restore without --dbname loads nothing"),
            false => run.adds().filter(|_| !is_made_anew),
        });
        let of_text = || {
            let loads = runs.iter().any(|run| run.loads_text()) && !is_made_anew;
            (loads && loads_text_without_drop(flow, flows))
                .then_some("the dump has no DROP, so each table that exists is an error")
        };
        if let Some(why) = why.or_else(of_text) {
            found.add(Rule::RestoreAdds, &flow.label.place, format!("{}: {why}", flow.label.name));
        }
    }
}

/// Whether every dump of pg_dump that a restore may read is SQL text without DROP.
fn loads_text_without_drop(flow: &Flow<'_>, flows: &[Flow<'_>]) -> bool {
    let before = flows.iter().filter(|f| f.hook == Hook::BackupPre && f.files().iter().any(|file| flow.may_read(file)));
    let runs: Vec<_> =
        before.flat_map(|f| &f.command.runs).filter(|run| ["pg_dump", "pg_dumpall"].contains(&run.tool())).collect();
    !runs.is_empty() && runs.iter().all(|run| run.dumps_without_drop())
}
