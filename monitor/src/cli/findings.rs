//! `findings`: what is open, and that the operator knows of a finding that does not end, beside a running monitor (its admin
//! address answers) or in a stopped one's files.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use client::http::Http;
use serde_json::json;
use tokio::runtime::Runtime;

use super::beside::stopped_or_running;
use super::status::write_open;
use super::{Exit, Failure, Place, alert, follow, logs_folder, say};
use crate::acknowledge::{Acknowledge, Everywhere, OpenAt};
use crate::clock;
use crate::config::Config;
use crate::finding::{Open, Reason};
use crate::follow::FollowedLog;

/// Thousands of open findings, each with two heads, stay below this.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// How long a running monitor is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct FindingsArgs {
    #[command(subcommand)]
    command: FindingsCommand,
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// Only at this log; the monitor's own name for what is wrong with the monitor itself.
    #[arg(long)]
    origin: Option<String>,
    /// The admin address of the running monitor, if it is not the one of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Write JSON for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum FindingsCommand {
    /// List what is open, with the names of the findings.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Say that a finding is known and may stay: it stays open and shown, but exit codes no longer count it. With new evidence,
    /// in a worse class, or begun anew, it counts again. A log that is not cosigned stays so.
    Acknowledge {
        /// The finding's name, or its first characters.
        id: String,
        /// Why it may stay; recorded, shown by `status`, and told by the channels of alerts.
        #[arg(long, value_name = "TEXT")]
        because: String,
        #[command(flatten)]
        common: Common,
    },
}

pub(super) fn run(args: &FindingsArgs) -> Result<(), Failure> {
    match &args.command {
        FindingsCommand::List { common } => list(common),
        FindingsCommand::Acknowledge { id, because, common } => acknowledge(id, because, common),
    }
}

/// Where findings are.
enum Access {
    /// The logs hold on to a runtime, which must outlive them.
    Stopped {
        everywhere: Everywhere,
        _runtime: Runtime,
    },
    Running(Http, Runtime),
}

impl Access {
    fn open(config: &Config, admin: Option<&str>) -> Result<Access, Failure> {
        follow::check(config, &config.logs()?)?;
        if let Some(url) = admin {
            return Access::running(url);
        }
        let stopped = || -> Result<Access, Failure> {
            let runtime = Runtime::new().map_err(Failure::internal)?;
            let (folder, handle) = (logs_folder(config), runtime.handle());
            let logs = config.logs()?.into_iter();
            let logs = logs.map(|log| FollowedLog::open(log, &folder, &config.poll, handle.clone()));
            let logs: Vec<Arc<FollowedLog>> = logs.collect::<Result<_, _>>()?;
            let alerts = runtime.block_on(alert::open(config, &logs))?;
            let everywhere = Everywhere::new(logs, alerts.map(|alerts| alerts.outbox().clone()));
            Ok(Access::Stopped { everywhere, _runtime: runtime })
        };
        stopped_or_running(config, stopped, |url| {
            let access = Access::running(url)?;
            access.list()?;
            Ok(access)
        })
    }

    fn running(url: &str) -> Result<Access, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Access::Running(Http::new(url)?.with_deadline(PATIENCE), runtime.map_err(Failure::internal)?))
    }

    fn list(&self) -> Result<Vec<OpenAt>, Failure> {
        match self {
            Access::Stopped { everywhere, .. } => Ok(everywhere.open()?),
            Access::Running(http, runtime) => {
                let answer = runtime.block_on(http.get("/v1/findings", MAX_ANSWER_BYTES))?;
                serde_json::from_slice(&answer.body).map_err(|error| nonsense(http, &error))
            }
        }
    }

    /// Nothing when it is not open any more.
    fn acknowledge(&self, asked: &Acknowledge) -> Result<Option<Open>, Failure> {
        match self {
            Access::Stopped { everywhere, .. } => Ok(everywhere.acknowledge(asked, clock::now())?),
            Access::Running(http, runtime) => {
                let body = json!(asked).to_string().into();
                let posted = http.post("/v1/findings/acknowledge", "application/json", body, MAX_ANSWER_BYTES);
                match runtime.block_on(posted) {
                    Ok(answer) => {
                        serde_json::from_slice(&answer.body).map(Some).map_err(|error| nonsense(http, &error))
                    }
                    Err(error) if error.problem.as_ref().is_some_and(|problem| problem.status == 404) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

fn nonsense(http: &Http, error: &serde_json::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("{} does not answer as a monitor does: {error}", http.base()))
}

/// What is open, at one place or everywhere.
fn open_at(access: &Access, origin: Option<&str>) -> Result<Vec<OpenAt>, Failure> {
    let mut all = access.list()?;
    if let Some(origin) = origin
        && all.iter().all(|at| at.origin != origin)
    {
        let known: Vec<&str> = all.iter().map(|at| at.origin.as_str()).collect();
        return Err(Failure::new(Exit::Usage, format!("{origin} is none of {}", known.join(", "))));
    }
    all.retain(|at| origin.is_none_or(|origin| origin == at.origin));
    Ok(all)
}

fn list(common: &Common) -> Result<(), Failure> {
    let access = Access::open(&common.place.load([])?, common.admin.as_deref())?;
    let all = open_at(&access, common.origin.as_deref())?;
    if common.json {
        return say(&format!("{:#}\n", json!({ "findings": all })));
    }
    let mut out = String::new();
    for OpenAt { origin, open } in &all {
        let nothing = if open.is_empty() { " nothing is open" } else { "" };
        let _ = writeln!(out, "{origin}:{nothing}"); // writing to a string cannot fail
        for one in open {
            write_open(&mut out, one);
            let _ = writeln!(out, "    finding {}", one.finding.id);
        }
    }
    say(&out)
}

/// The origin and the whole name of an open finding, from its first characters.
fn find(all: &[OpenAt], given: &str) -> Result<(String, String), Failure> {
    let named = |is_it: &dyn Fn(&str) -> bool| -> Vec<(String, String)> {
        let names = all.iter().flat_map(|at| at.open.iter().map(move |open| (&at.origin, &open.finding.id)));
        names.filter(|(_, name)| is_it(name)).map(|(origin, name)| (origin.clone(), name.clone())).collect()
    };
    let exact = named(&|name| name == given);
    let found = if exact.is_empty() { named(&|name| !given.is_empty() && name.starts_with(given)) } else { exact };
    let message = match found.as_slice() {
        [one] => return Ok(one.clone()),
        [] => format!("no finding {given:?} is open; `findings list` shows what is"),
        [(first, _), rest @ ..] if rest.iter().any(|(origin, _)| origin != first) => {
            format!("findings of several logs begin with {given:?}; say which log with --origin")
        }
        _ => format!("several findings begin with {given:?}; give more of the name"),
    };
    Err(Failure::new(Exit::Usage, message))
}

fn acknowledge(id: &str, because: &str, common: &Common) -> Result<(), Failure> {
    let because = Reason::try_from(because.to_owned()).map_err(|why| Failure::new(Exit::Usage, why))?;
    let access = Access::open(&common.place.load([])?, common.admin.as_deref())?;
    let (origin, finding) = find(&open_at(&access, common.origin.as_deref())?, id)?;
    let asked = Acknowledge { origin, finding, because };
    let Some(open) = access.acknowledge(&asked)? else {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} is over by now; there is nothing to acknowledge", asked.finding),
        ));
    };
    if common.json {
        return say(&format!("{:#}\n", json!({ "origin": asked.origin, "open": open })));
    }
    let mut out = format!("{}:\n", asked.origin);
    write_open(&mut out, &open);
    say(&out)
}

#[cfg(test)]
mod tests {
    use proto::num::Millis;

    use super::*;
    use crate::finding::{Class, Finding, code};

    #[test]
    fn a_name_or_its_beginning_names_one_finding() {
        let open = |names: &[&str]| -> Vec<Open> {
            let one = |name: &&str| Open::new(Millis(1), Finding::new(Class::Tamper, code::FORK, "x").named(name));
            names.iter().map(one).collect()
        };
        let at = |origin: &str, names: &[&str]| OpenAt { origin: origin.into(), open: open(names) };
        let all = [at("a", &["5", "55", "6"]), at("b", &["6", "7"])];
        let found = |name: &str| find(&all, name).map(|(origin, name)| origin + " " + &name);
        assert_eq!(
            found("head.fork:5").unwrap(),
            "a head.fork:5",
            "the whole name is one, also of a longer one's beginning"
        );
        assert_eq!(found("head.fork:7").unwrap(), "b head.fork:7");
        assert_eq!(find(&all[1..], "head.fork:6").unwrap().0, "b");
        for (name, why) in [("head.fork:6", "--origin"), ("", "no finding"), ("x", "no finding")] {
            let failure = found(name).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.message.contains(why), "{name:?}: {}", failure.message);
        }
        assert!(find(&all[..1], "head").unwrap_err().message.contains("more of the name"));
    }
}
