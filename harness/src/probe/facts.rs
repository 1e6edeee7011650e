//! The facts probe: what commands in the app's containers print, compared as text. For state that has no better
//! door, such as what a spam filter has learnt.

use engine::Engine;
use engine::exec::LIMIT;
use judge::store::{Evidence, FactSeen, ObservationId};
use recipe::scenario::{Fact, Queue};
use seeds::Corpus;

use super::{Probe, Progress, Reading, queue};
use crate::error::Result;
use crate::stack::deploy::Stack;

/// The facts probe.
pub struct Facts {
    /// The engine.
    pub engine: Engine,
    /// The app's stack.
    pub stack: Stack,
    /// What to ask for.
    pub specs: Vec<Fact>,
    /// What they read from.
    pub corpus: Corpus,
    /// The mail queue, whose content is one more fact.
    pub queue: Option<Queue>,
}

impl Probe for Facts {
    fn name(&self) -> &'static str {
        "facts"
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let facts = self.read().await?;
            evidence.put_facts(observation, &facts)?;
            progress(facts.len() as u64, facts.len() as u64);
            Ok(())
        })
    }
}

impl Facts {
    /// What the commands print now.
    pub async fn read(&self) -> Result<Vec<FactSeen>> {
        let mut facts = Vec::new();
        if let Some(spec) = &self.queue {
            let queued = queue::list_whole(&self.engine, &self.stack, spec).await;
            facts.push(FactSeen { fact: judge::MAIL_QUEUE.into(), value: queued.ok().map(|q| queue::content(&q)) });
        }
        for spec in &self.specs {
            let input = spec.message.map(|n| self.corpus.message(n % self.corpus.len().max(1)).bytes);
            let output = self.engine.exec(&self.stack.service(&spec.service), &spec.command, &[], input.as_deref()).await?;
            if output.code != 0 {
                tracing::debug!(fact = spec.name, code = output.code, "{}", output.stderr.trim());
            }
            // Of a longer output the rest is not known.
            let value = (output.code == 0 && output.stdout.len() < LIMIT).then(|| output.stdout.trim_end().to_owned());
            facts.push(FactSeen { fact: spec.name.clone(), value });
        }
        Ok(facts)
    }
}
