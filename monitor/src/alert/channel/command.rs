//! Alerts for a program of the operator: one run for each alert, which it reads as JSON from its standard input.
//!
//! No shell is between, so nothing in an alert can become a command. The program gets no environment but `PATH` and the members
//! below; its exit code 0 acknowledges the alert. Its standard error is the monitor's.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use client::Error;

use super::{How, NotTaken, Places};
use crate::alert::message::Alert;

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The search path of a system whose monitor was started with none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The program.
#[derive(Debug, Clone)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
    places: Places,
}

impl Command {
    /// The program and its arguments.
    pub fn new(command: &[String], timeout: Duration) -> Result<Command, Error> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Error::malformed("give `command`, such as [\"/usr/local/bin/page-me\", \"--urgent\"]"));
        };
        Ok(Command { program: program.clone(), arguments: arguments.to_vec(), timeout, places: Places::default() })
    }

    /// Runs it with the alert.
    pub async fn send(&self, alert: &Alert) -> Result<(), NotTaken> {
        let (command, json, alert) = (self.clone(), alert.to_json(), alert.clone());
        let run = tokio::task::spawn_blocking(move || command.run(json, &alert));
        run.await.unwrap_or_else(|error| Err(NotTaken::because(format!("the run failed: {error}"))))
    }

    fn run(&self, json: String, alert: &Alert) -> Result<(), NotTaken> {
        let program = &self.program;
        let place = self.places.take()?;
        let child = std::process::Command::new(program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into()))
            .env("CLAIMTRAIL_ALERT_ID", &alert.id)
            .env("CLAIMTRAIL_ALERT_SEVERITY", alert.severity.name())
            .env("CLAIMTRAIL_ALERT_CODE", alert.code.as_deref().unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn();
        let mut child = child.map_err(|e| NotTaken::because(format!("{program} cannot be run: {e}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            // In a thread of its own: a program that does not read must not hold us beyond its time. One that ends without
            // reading breaks the pipe, and its exit code says what that means.
            std::thread::spawn(move || {
                let _unread = stdin.write_all(json.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
                drop(place); // a child of the program that keeps the input open keeps this thread, too
            });
        }
        let status = self.wait(&mut child)?;
        if status.success() {
            return Ok(());
        }
        let message = format!("{program} ended with {status}; 0 would have acknowledged the alert");
        Err(NotTaken::because(message).seen(How::Failed))
    }

    /// Waits for the end; after its time the program is ended by its own id.
    fn wait(&self, child: &mut Child) -> Result<std::process::ExitStatus, NotTaken> {
        let begun = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if begun.elapsed() < self.timeout => std::thread::sleep(LOOK_EVERY),
                Ok(None) => {
                    // It may end by itself in this moment; either way it is waited for, and no process is left behind.
                    let _ended = child.kill();
                    let _ended = child.wait();
                    let (program, seconds) = (&self.program, self.timeout.as_secs());
                    let message = format!("{program} did not end within {seconds} s and was killed");
                    return Err(NotTaken::because(message).seen(How::Failed));
                }
                Err(e) => return Err(NotTaken::because(format!("{} cannot be waited for: {e}", self.program))),
            }
        }
    }
}
