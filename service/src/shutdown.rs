//! Stopping in order: the first signal asks everybody to finish, the second ends the process at once.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A signal that stops the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT: somebody pressed Ctrl-C.
    Interrupt,
    /// SIGTERM: a process manager stops us.
    Terminate,
}

impl StopSignal {
    /// The exit code of a process that this signal ended: 128 + the signal's number, as shells report it.
    pub fn exit_code(self) -> i32 {
        match self {
            StopSignal::Interrupt => 130,
            StopSignal::Terminate => 143,
        }
    }
}

/// The wish to stop. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// Nobody wants to stop yet.
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// The token that servers and workers watch.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Asks everybody to finish, as the first signal does.
    pub fn trigger(&self) {
        self.token.cancel();
    }

    /// Listens for SIGINT and SIGTERM from now on. The second one exits the process with its exit code.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, receiver) = mpsc::channel(2);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    Some(()) = interrupt.recv() => StopSignal::Interrupt,
                    Some(()) = terminate.recv() => StopSignal::Terminate,
                    else => return,
                };
                if sender.send(signal).await.is_err() {
                    return;
                }
            }
        });
        let shutdown = self.clone();
        tokio::spawn(async move {
            shutdown.on_each(receiver, |signal| std::process::exit(signal.exit_code())).await;
        });
        Ok(())
    }

    /// Triggers on the first signal of a channel and calls `at_once` with the second. Ends when the channel closes.
    pub async fn on_each(&self, mut signals: mpsc::Receiver<StopSignal>, at_once: impl FnOnce(StopSignal)) {
        let Some(first) = signals.recv().await else { return };
        tracing::info!(signal = ?first, "stopping; running requests are finished, a second signal ends at once");
        self.trigger();
        if let Some(second) = signals.recv().await {
            tracing::warn!(signal = ?second, "second signal, ending at once");
            at_once(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_signal_asks_and_the_second_ends() {
        let shutdown = Shutdown::new();
        let token = shutdown.token();
        let (sender, receiver) = mpsc::channel(2);
        let (ended, end) = tokio::sync::oneshot::channel();
        let watcher = tokio::spawn(async move {
            shutdown.on_each(receiver, |signal| ended.send(signal.exit_code()).expect("the test listens")).await;
        });
        assert!(!token.is_cancelled());
        sender.send(StopSignal::Interrupt).await.expect("watched");
        token.cancelled().await;
        assert!(!watcher.is_finished(), "one signal only asks");
        sender.send(StopSignal::Terminate).await.expect("watched");
        assert_eq!(end.await, Ok(143));
    }

    #[tokio::test]
    async fn works_without_signals() {
        let shutdown = Shutdown::new();
        let token = shutdown.token();
        shutdown.trigger();
        token.cancelled().await;
        assert_eq!(StopSignal::Interrupt.exit_code(), 130);
    }
}
