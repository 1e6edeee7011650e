//! A guarded run: whatever ends it, what it created is removed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::Engine;
use judge::ended::Ended as EndedEarly;
use judge::model::Verdict;
use judge::redact::redact;
use judge::store::{Evidence, RunFact};
use recipe::scenario::{Deadlines, Scenario};
use seeds::{Corpus, Profile};

use super::options::{BotChoice, Options, Stored};
use super::prepare::Ground;
use super::state::Drill;
use super::{accounts, backing_up, logs, play};
use crate::error::{Error, Result, Signal};
use crate::events::{Course, Event, Events, Phase};
use crate::interruption::Interruptions;
use crate::secret::Secret;
use crate::stack::lease::Lease;
use crate::stack::ownership::Owned;
use crate::stack::reading::{self, Said};
use crate::stack::{bot_labels, ensure_swarm, gc};

/// How long an existing bot may take to say, or to remove, what it has of a run.
const ASKING: Duration = Duration::from_secs(120);

/// Makes the sinks of a run, once its directory is known.
pub type Sinks = Box<dyn FnOnce(&std::path::Path) -> Result<Events> + Send>;

/// Runs a whole drill and gives its verdict. Tears down on every way out.
pub async fn run(options: Options, sinks: Sinks) -> Result<Ended<Verdict>> {
    let fault = options.fault.clone();
    let ended = guarded(options, sinks, move |drill| async move { play::play(&drill, fault.as_deref()).await }).await?;
    ended.events.emit(Event::Finished { verdict: ended.value.clone() });
    Ok(ended)
}

/// What this process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// CPU time, milliseconds.
    pub cpu_ms: u64,
    /// The most memory that it had at once, KiB.
    pub peak_kib: u64,
}

impl Resources {
    /// As Linux tells it; none elsewhere.
    pub fn used() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may have spaces; user and system time are the 12th and 13th field after it, in hundredths.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Self { cpu_ms: ticks * 10, peak_kib: peak.trim().trim_end_matches(" kB").parse().ok()? })
    }
}

/// A run after its teardown.
pub struct Ended<T> {
    /// What came of it.
    pub value: T,
    /// Where what was seen is stored.
    pub evidence: Arc<Evidence>,
    /// Where it is said.
    pub events: Events,
}

/// Prepares a drill, hands it to `play`, and tears down on every way out of it: return,
/// error, panic, signal, the loss of the parent, the deadline.
pub async fn guarded<T, F, R>(options: Options, sinks: Sinks, play: F) -> Result<Ended<T>>
where
    F: FnOnce(Arc<Drill>) -> R + Send + 'static,
    R: Future<Output = Result<T>> + Send,
    T: Send + 'static,
{
    let secret = Secret::random()?;
    let Input { profile, scenario, before, corpus } =
        Input::checked(&options, &secret).inspect_err(|_| options.remember_operators())?;
    let Deadlines { command, removal, .. } = scenario.spec.deadlines;
    let engine = Engine::connect().await?.with_patience(Duration::from_secs(command));
    let run = secret.derive("run id")[..8].to_owned();
    let dir = options.evidence.clone().unwrap_or_else(|| PathBuf::from("runs").join(&run));
    let evidence = Arc::new(Evidence::create(&dir)?);
    let events = sinks(&dir)?;
    let (name, seed) = (scenario.name.clone(), options.seed);
    events.emit(Event::Started { run: run.clone(), scenario: name, profile: profile.name.clone(), seed });
    store_options(&evidence, &run, &profile, &options, &scenario)?;

    let mut interruptions = Interruptions::listen()?;
    let owned = Owned::new(engine, &run);
    let lease = match lease(&owned, &scenario.name, &events).await {
        Ok(lease) => Arc::new(lease),
        Err(error) => {
            remember(&evidence, &events, &error);
            return Err(error);
        }
    };
    let (keep, given, forgets) = (options.keep, options.deadline, options.forget_snapshot);
    let existing = options.backupbot == BotChoice::Existing;
    let service = scenario.spec.doors.first().map_or_else(String::new, |door| door.service.clone());
    let ground = Ground {
        run: run.clone(),
        corpus,
        options,
        scenario,
        before,
        evidence: evidence.clone(),
        events: events.clone(),
        owned: owned.clone(),
        secret: secret.clone(),
        lease: lease.clone(),
    };
    let prepared = Arc::new(OnceLock::new());
    let preparing = prepared.clone();
    let mut work = tokio::spawn(async move {
        let options = ground.options.clone();
        let drill = Arc::new(ground.prepare().await.inspect_err(|_| options.remember_operators())?);
        let _ = preparing.set(drill.clone());
        let result = play(drill.clone()).await;
        logs::keep_logs(&drill).await;
        result
    });
    let result = tokio::select! {
        joined = &mut work => joined.unwrap_or_else(|e| Err(Error::bug(e))),
        signal = interruptions.next() => Err(Error::Signal(signal)),
        seconds = over(given) => Err(Error::Deadline { seconds }),
        () = lease.lost() => Err(Error::EndedFromOutside { run: run.clone() }),
    };
    // Whatever came of it, it is not the app's doing where somebody removed the deployment under it.
    let result = if lease.is_held().await { result } else { Err(Error::EndedFromOutside { run: run.clone() }) };
    if let Err(error) = &result {
        remember(&evidence, &events, error);
    }
    let is_cut_short = matches!(result, Err(Error::Signal(_) | Error::Deadline { .. } | Error::EndedFromOutside { .. }));
    if let Err(Error::Signal(signal)) = &result {
        events.note(format!("{signal}: tearing down. A second signal ends at once and leaves the rest to `restore-drill gc`."));
    }
    // It may be over, as the loss of the lease is asked for after it.
    if is_cut_short && !work.is_finished() {
        evidence.end();
        work.abort();
        // What cannot be ended does not keep the deployment.
        let _ = tokio::time::timeout(ASKING, work).await;
    }
    if let Some(drill) = prepared.get().filter(|_| existing) {
        // On every way out: the bot no longer sees the run, and what is in somebody else's repository is told, or removed.
        let hiding = bot_labels::hide_again(&drill.app.owned, &drill.app.stack.name);
        if !matches!(tokio::time::timeout(ASKING, hiding).await, Ok(Ok(()))) {
            events.note("The bot may see the drill's labels until the drill is removed.");
        }
        if tokio::time::timeout(ASKING, backing_up::left_behind(drill, forgets)).await.is_err() {
            events.note("The bot did not answer, so it is not known whether a snapshot of this run is in its repository.");
        }
    }
    let marker = (keep && !is_cut_short).then(|| gc::keep_secret(&run, &secret.derive("kept")));
    if let Some(Ok(marker)) = marker {
        match lease.keep().await {
            Ok(()) => kept(&events, &run, &service, &marker),
            Err(e) => events.note(format!("The deployment may not be kept: {e}")),
        }
    } else {
        if let Some(Err(e)) = marker {
            events.note(format!("The deployment cannot be kept: {e}"));
        }
        let signals = u8::from(matches!(result, Err(Error::Signal(Signal::Interrupt | Signal::Terminate))));
        tear_down(&lease, Duration::from_secs(removal), &events, &mut interruptions, signals).await;
    }
    if let Some(Resources { cpu_ms, peak_kib }) = Resources::used() {
        evidence.set_number(RunFact::CpuMs, cpu_ms)?;
        evidence.set_number(RunFact::PeakMemoryKib, peak_kib)?;
    }
    result.map(|value| Ended { value, evidence, events })
}

/// What a run is made from.
struct Input {
    profile: Profile,
    scenario: Scenario,
    before: Option<Scenario>,
    corpus: Corpus,
}

impl Input {
    /// Reads it. Everything that can be wrong with it is found here, before anything is created.
    fn checked(options: &Options, secret: &Secret) -> Result<Self> {
        let profile = options.profile()?;
        let scenario = options.read()?;
        if options.live.is_some() && scenario.spec.mail.is_none() {
            return Err(Error::Usage(format!(
                "--live: scenario {:?} has no [mail] to write to while the backup is taken",
                scenario.name
            )));
        }
        if let Some(fault) = options.fault.as_ref().filter(|f| options.backupbot == BotChoice::Existing && f.needs_own_bot()) {
            return Err(Error::Usage(format!(
                "--fault {} works only with the drill's own bot, because it acts on the bot, on its repository or through it: remove \
                 --backupbot existing",
                fault.name()
            )));
        }
        let before = options.from.as_ref().map(|dir| options.read_with(Some(dir))).transpose()?;
        for scenario in [Some(&scenario), before.as_ref()].into_iter().flatten() {
            if let Said::Refused(why) = reading::recipe(&scenario.compose, &scenario.values)? {
                let files: Vec<String> = scenario.compose.iter().map(|c| c.file.display().to_string()).collect();
                return Err(Error::Usage(format!("docker refuses {}: {why}", files.join(" with "))));
            }
        }
        let corpus = Corpus::new(options.seed, profile.clone());
        if let Some(mail) = &scenario.spec.mail {
            accounts::configuration(&scenario.dir.join(&mail.accounts.template), corpus.accounts(), secret)?;
        }
        Ok(Self { profile, scenario, before, corpus })
    }
}

/// Stores what is drilled, and how.
fn store_options(evidence: &Evidence, run: &str, profile: &Profile, options: &Options, scenario: &Scenario) -> Result<()> {
    for (fact, value) in [
        (RunFact::Run, run),
        (RunFact::Scenario, &scenario.name),
        (RunFact::Profile, &profile.name),
        (RunFact::Reproduce, &options.reproduce()),
    ] {
        evidence.set(fact, value)?;
    }
    evidence.set_number(RunFact::Seed, options.seed)?;
    evidence.set_json(RunFact::Options, &Stored::of(options, scenario))?;
    let databases: Vec<&str> = scenario.spec.databases.iter().map(|d| d.name.as_str()).collect();
    evidence.set(RunFact::Databases, &databases.join("\n"))?;
    evidence.set_json(RunFact::Checks, &scenario.checks)?;
    evidence.set_json(RunFact::MayBeEmpty, &scenario.spec.may_be_empty())?;
    if let Some(places) = scenario.spec.users.as_ref().and_then(|u| u.places.as_ref()) {
        evidence.set_json(RunFact::Users, places)?;
    }
    Ok(())
}

/// Takes the lease of a run. An engine that is in no swarm becomes one first.
async fn lease(owned: &Owned, scenario: &str, events: &Events) -> Result<Lease> {
    ensure_swarm(owned.engine(), events).await?;
    Lease::take(owned, scenario).await
}

/// Removes what the run created, its lease last, unless a person's second signal ends that; `signals` came already.
async fn tear_down(lease: &Lease, deadline: Duration, events: &Events, interruptions: &mut Interruptions, mut signals: u8) {
    let mut torn = std::pin::pin!(lease.end(deadline));
    let phase = events.phase(Phase::Teardown);
    loop {
        tokio::select! {
            torn = &mut torn => {
                match torn {
                    Ok(()) => { phase.finish("nothing left"); }
                    Err(e) => events.note(format!("teardown failed: {e}. `restore-drill gc` tries again.")),
                }
                return;
            }
            signal = interruptions.next() => match signal {
                Signal::Interrupt | Signal::Terminate => signals += 1,
                // They come with a first signal: whoever ends a terminal or a CI step ends its shell too.
                Signal::HangUp | Signal::Orphaned => continue,
            },
        }
        if signals > 1 {
            events.note(format!("Teardown cut short; `restore-drill gc` removes what run {} left.", lease.run()));
            return;
        }
        events.note("Tearing down already. A second signal ends at once and leaves the rest to `restore-drill gc`.");
    }
}

/// Waits until the time that a whole run is given is over. Gives it in seconds.
async fn over(given: Option<Duration>) -> u64 {
    let Some(given) = given else { return std::future::pending().await };
    tokio::time::sleep(given).await;
    given.as_secs()
}

/// Stores and says why the run ends before its end.
fn remember(evidence: &Evidence, events: &Events, error: &Error) {
    let Course { last, restored } = events.course();
    let phase = last.map_or("start", Phase::name).to_owned();
    let ended = EndedEarly { phase, why: redact(&error.to_string()).into_owned(), restored };
    if let Err(e) = ended.store(evidence) {
        events.note(format!("why the run ended could not be stored: {e}"));
    }
    events.emit(Event::Ended { ended });
}

/// Tells how to look into a run that was kept, by one of its services, and how to remove it.
fn kept(events: &Events, run: &str, service: &str, marker: &std::path::Path) {
    events.note(format!(
        "Kept: `docker service ls --filter label=restore-drill.run={run}` lists it, \
         `docker exec -it $(docker ps -q -f label=restore-drill.run={run} -f name=_{service}) sh` looks inside; \
         `restore-drill gc --run {run}` removes it (and {}).",
        marker.display()
    ));
}
