//! Watches the disk, and keeps the figures that are too slow for a scrape.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::log::{Log, ModeCell};
use crate::store::{Store, StoreStats};

/// How often the disk is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Claims are refused while this much is left above the reserve, below which the store itself refuses: about what a log at
/// full rate writes between two looks.
const MARGIN_BYTES: u64 = 128 << 20;

/// Claims are taken again only with this much more, so that the mode does not flicker.
const AGAIN_BYTES: u64 = 128 << 20;

/// What was seen last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Bytes free for the store.
    pub(super) disk_free: Option<u64>,
    /// What its parts take.
    pub(super) stats: StoreStats,
}

/// The watch. Clones see the same.
#[derive(Clone)]
pub(super) struct Watch {
    log: Arc<Log>,
    store: Arc<dyn Store>,
    reserve_bytes: u64,
    seen: Arc<ArcSwap<Seen>>,
}

impl Watch {
    pub(super) fn new(log: Arc<Log>, store: Arc<dyn Store>, reserve_bytes: u64) -> Watch {
        Watch { log, store, reserve_bytes, seen: Arc::default() }
    }

    /// What was seen last.
    pub(super) fn seen(&self) -> Seen {
        **self.seen.load()
    }

    /// Looks until `stop`; `low` is what the first look, before anything was served, said.
    pub(super) async fn run(self, mut low: bool, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let watch = self.clone();
            match tokio::task::spawn_blocking(move || watch.look(low)).await {
                Ok(now_low) => low = now_low,
                Err(error) => tracing::error!(%error, "the disk could not be looked at"),
            }
        }
    }

    /// One look; whether the disk is low.
    pub(super) fn look(&self, was_low: bool) -> bool {
        let (disk_free, stats) = match (self.store.disk_free(), self.store.stats()) {
            (Ok(disk_free), Ok(stats)) => (disk_free, stats),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "the store could not be measured");
                return was_low;
            }
        };
        self.seen.store(Arc::new(Seen { disk_free, stats }));
        let low = is_low(disk_free, self.reserve_bytes, was_low);
        tell(self.log.modes(), was_low, low, disk_free);
        low
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("seen", &self.seen()).finish_non_exhaustive()
    }
}

fn tell(modes: &ModeCell, was_low: bool, low: bool, disk_free: Option<u64>) {
    if low == was_low {
        return;
    }
    modes.set_disk_low(low);
    match low {
        true => tracing::error!(?disk_free, "the disk reserve is reached; no claims are taken until there is room"),
        false => tracing::info!(?disk_free, "there is room on the disk again"),
    }
}

fn is_low(disk_free: Option<u64>, reserve_bytes: u64, was_low: bool) -> bool {
    let Some(free) = disk_free else { return false };
    if reserve_bytes == 0 {
        return false;
    }
    let again = if was_low { AGAIN_BYTES } else { 0 };
    free < reserve_bytes.saturating_add(MARGIN_BYTES).saturating_add(again)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Mode;

    #[test]
    fn low_comes_before_the_reserve_and_goes_with_room_to_spare() {
        let reserve = 1 << 30;
        let free = |above: u64| Some(reserve + above);
        assert!(!is_low(free(MARGIN_BYTES), reserve, false));
        assert!(is_low(free(MARGIN_BYTES - 1), reserve, false));
        assert!(is_low(free(MARGIN_BYTES + AGAIN_BYTES - 1), reserve, true));
        assert!(!is_low(free(MARGIN_BYTES + AGAIN_BYTES), reserve, true));
        assert!(!is_low(Some(0), 0, true), "the check is off");
        assert!(!is_low(None, reserve, false));
    }

    #[test]
    fn the_mode_follows() {
        let modes = ModeCell::default();
        tell(&modes, false, true, Some(1));
        assert_eq!(modes.mode(), Mode::DiskLow);
        tell(&modes, true, true, Some(1));
        tell(&modes, true, false, Some(9));
        assert_eq!(modes.mode(), Mode::Normal);
    }
}
