//! A backup while others write: the recipe's hooks hold under it, and without them a torn database is found.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use judge::model::{Item, Outcome, Status, Verdict};
use judge::store::{Evidence, LiveKind, RunFact, When};
use restore_drill::drill::{self, Drill};
use restore_drill::fault;

use common::assert_nothing_left;

async fn drill(name: Option<&str>) -> (tempfile::TempDir, Verdict, Arc<Evidence>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = common::options(&dir.path().join("run"), "smoke");
    options.live = Some(12);
    if let Some(name) = name {
        options.fault = Some(fault::named(&common::scenarios(), "mailu", name).expect("a fault of Mailu"));
    }
    let fault = options.fault.clone();
    let play = |drill: Arc<Drill>| async move { drill::play(&drill, fault.as_deref()).await };
    let (verdict, evidence) = common::guarded(options, play).await.expect("a verdict");
    assert_nothing_left(&evidence.get(RunFact::Run).expect("read").expect("a run")).await;
    (dir, verdict, evidence)
}

/// What was written, by kind and by when.
fn written(evidence: &Evidence) -> BTreeSet<(LiveKind, When)> {
    let window = evidence.live_backup().expect("read").expect("others wrote");
    evidence.live().expect("read").iter().map(|op| (op.action.kind(), op.when(window))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_holds_while_others_write() {
    let (_dir, verdict, evidence) = drill(None).await;
    let wrong: Vec<String> = verdict.findings.iter().filter(|f| f.outcome.weight().is_some()).map(ToString::to_string).collect();
    assert_eq!((verdict.status, wrong), (Status::Held, vec![]));
    let written = written(&evidence);
    for kind in LiveKind::ALL {
        assert!(written.contains(&(kind, When::Before)), "no {} before the backup", kind.name());
    }
    for kind in [LiveKind::Deliver, LiveKind::Flag, LiveKind::Expunge] {
        assert!(written.contains(&(kind, When::During)), "no {} during the backup", kind.name());
    }
    assert!(written.contains(&(LiveKind::Deliver, When::After)), "no mail after the backup");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_hooks_a_torn_database_is_found() {
    let (_dir, verdict, _) = drill(Some("database-copied-live")).await;
    assert_eq!(verdict.status, Status::Broken);
    let torn = verdict.findings.iter().find(|f| matches!(f.item, Item::Database { .. }) && f.outcome == Outcome::Altered);
    let torn = torn.unwrap_or_else(|| panic!("the database is not torn: {:#?}", verdict.findings));
    assert_eq!(torn.property.as_deref(), Some("file"));
    assert!(torn.detail.contains("malformed"), "{torn}");
}
