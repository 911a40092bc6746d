//! One round of gossip, for a monitor that looks once and ends: what it was shown is shown to the peers, and theirs to it.

use std::sync::Arc;
use std::time::Duration;

use super::core::Input;
use super::log::now;
use super::peer::Peer;
use super::pull::Listed;
use super::run::Gossip;
use crate::config::Config;
use crate::witness::WitnessKeys;

/// How long such a round may take. Each answer has its own deadline; this bounds what follows from answers.
const ROUND_TIME: Duration = Duration::from_secs(60);

/// The name of this monitor's witness key, when no witness is open.
pub(super) fn name_of_key(config: &Config) -> Option<String> {
    WitnessKeys::load(&config.witness.as_ref()?.keys).ok()?.name()
}

impl Gossip {
    /// Pushes the own heads and the evidence to every peer, asks each for its newest heads and its evidence, and does what
    /// follows from that.
    pub async fn once(self: Arc<Self>) {
        for log in &self.logs {
            self.feed(log, |log| {
                let mut acts = log.grown(now())?;
                acts.extend(log.more_evidence(now())?);
                acts.extend(log.refused_again(now())?);
                acts.extend(log.feed(Input::Tick, now())?);
                Ok(acts)
            })
            .await;
        }
        for log in &self.logs {
            self.read_unread(log).await;
        }
        for peer in &self.peers {
            self.tasks.spawn(self.clone().pull_once(peer.clone()));
        }
        self.tasks.close();
        if tokio::time::timeout(ROUND_TIME, self.tasks.wait()).await.is_err() {
            tracing::warn!("peers that take too long are given up; the next run asks again");
        }
        // What peers brought is evidence for the others. Their heads below the newest one are held against its tiles now: there is no
        // later look.
        for log in &self.logs {
            self.read_unread(log).await;
            self.feed(log, |log| log.more_evidence(now())).await;
        }
        if tokio::time::timeout(ROUND_TIME, self.tasks.wait()).await.is_err() {
            tracing::warn!("evidence is not sent to every peer; the next run goes on");
        }
        for peer in &self.peers {
            if let Some(error) = peer.seen().last_error {
                tracing::warn!(peer = peer.config.name, error, "a peer does not answer");
            }
        }
    }

    async fn pull_once(self: Arc<Self>, peer: Arc<Peer>) {
        for log in &self.logs {
            self.pull_heads(log, &peer, &mut Listed::from_now()).await;
            self.pull_evidence(log, &peer, 0).await;
            self.pull_statements(log, &peer, None).await;
        }
    }
}
