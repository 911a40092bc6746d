//! Work that goes on when the client hangs up: axum drops a handler's future with its connection, a task goes on.

use std::any::Any;

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::problem::Problem;

/// Runs handlers' work in tasks of their own and knows when all of them have ended. Clones share the tasks.
#[derive(Debug, Clone, Default)]
pub struct Detached {
    tasks: TaskTracker,
}

impl Detached {
    /// No work yet.
    pub fn new() -> Detached {
        Detached::default()
    }

    /// Starts the work in a task of its own as soon as this is first polled, and waits for it. Dropping the wait after
    /// that leaves the work running.
    ///
    /// # Errors
    /// `server.internal` when the work panicked, or when the runtime is shutting down.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
        let guarded = std::panic::AssertUnwindSafe(work).catch_unwind().in_current_span();
        match self.tasks.spawn(guarded).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => {
                Err(Problem::internal(format_args!("a request's work panicked: {}", panic_text(&*panic))))
            }
            Err(stopped) => Err(Problem::internal(format_args!("a request's work was stopped: {stopped}"))),
        }
    }

    /// Waits until all work has ended. Call it after the servers have stopped.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Pieces of work that run now.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }
}

/// What a panic said, as far as it is text.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_ends_though_nobody_waits() {
        let detached = Detached::new();
        let ((go, wait), (done, end)) = (oneshot::channel::<()>(), oneshot::channel());
        let mut handler = Box::pin(detached.run(async move {
            wait.await.expect("told to go on");
            done.send("kept").expect("the test listens");
        }));
        std::future::poll_fn(|cx| {
            assert!(handler.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(handler);
        assert_eq!(detached.running(), 1);
        go.send(()).expect("still there");
        assert_eq!(end.await, Ok("kept"));
        detached.finished().await;
        assert_eq!(detached.running(), 0);
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_problem() {
        let failed = Detached::new().run::<()>(async { panic!("broken {}", 1) }).await;
        let problem = failed.expect_err("it panicked");
        assert_eq!(problem.internal_cause(), Some("a request's work panicked: broken 1"));
    }
}
