//! The witnesses of a log that is served, as its configuration has them.

use std::sync::Arc;

use client::files;
use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use proto::policy::{MAX_POLICY_BYTES, Policy};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure};
use crate::clock::SystemTime;
use crate::config::Config;
use crate::log::Log;
use crate::witness::{BadRecord, CannotAsk, Plan, Witnesses, differences};

/// Whoever asks, and what it shows.
pub(super) struct Asking {
    pub(super) witnesses: Witnesses,
    pub(super) task: BoxFuture<'static, ()>,
}

/// Reads the policy and takes up where the last run ended; nothing when no witnesses are configured.
pub(super) fn open(
    config: &Config,
    log: &Arc<Log>,
    registry: &mut Registry,
    stop: CancellationToken,
) -> Result<Option<Asking>, Failure> {
    let Some(witness) = &config.witness else {
        say_differences(log, None);
        return Ok(None);
    };
    let bad = |why: &dyn std::fmt::Display| {
        Failure::new(Exit::Config, format!("witness.policy, {}: {why}", witness.policy.display()))
    };
    let text = files::read(&witness.policy, MAX_POLICY_BYTES)?;
    let plan = Plan::read(&text, &log.vkeys().0).map_err(|why| bad(&why))?;
    tracing::info!(witnesses = plan.asked(), without_quorum = ?witness.without_quorum, "witnesses are asked to cosign");
    say_differences(log, Some(plan.policy()));
    let options = witness.options();
    let opened = Witnesses::open(log, plan, &options, Arc::new(SystemTime::new()), registry, stop);
    let (witnesses, task) = opened.map_err(|why| match why {
        CannotAsk::Address { .. } => bad(&why),
        CannotAsk::Record(BadRecord::File(why)) => Failure::new(Exit::Io, why),
        CannotAsk::Record(why) => Failure::new(Exit::Different, why.to_string()),
    })?;
    Ok(Some(Asking { witnesses, task: Box::pin(task) }))
}

/// Warns where whom this log asks is not what its constitution says.
fn say_differences(log: &Log, policy: Option<&Policy>) {
    let constitution = &log.published().constitution.current;
    for difference in differences(&constitution.witnesses, constitution.quorum, policy) {
        tracing::warn!("witnesses: {difference}");
    }
}
