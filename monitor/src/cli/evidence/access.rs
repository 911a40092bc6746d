//! A running monitor holds its databases, so it is asked at its admin address; a stopped one is read from its files.

use std::sync::Arc;
use std::time::Duration;

use client::http::Http;
use proto::misbehaviour::MAX_FILE_BYTES;
use tokio::runtime::Runtime;

use super::super::beside::stopped_or_running;
use super::super::{Exit, Failure, follow, logs_folder, open_stop_files};
use crate::clock;
use crate::config::Config;
use crate::evidence::{EvidenceId, Kept, Refused, Source, take_evidence};
use crate::follow::FollowedLog;
use crate::http::{Branches, EvidencePage, TakenAnswer};

/// A page of 200 files, each described in below 16 KiB, stays below this.
const MAX_PAGE_BYTES: usize = 4 << 20;
/// Files read at once from a stopped monitor.
const PAGE: usize = 200;
/// Eight branches of 65,536 leaf hashes for each of ten logs stay below this.
const MAX_BRANCHES_BYTES: usize = 256 << 20;
/// The most that an answer to a file handed in says.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// How long a running monitor is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a proven file was not taken.
pub(super) struct NotTaken(pub(super) String);

fn new_runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)
}

/// Where evidence is.
pub(super) enum Access {
    /// Its tiles hold on to a runtime, which must outlive them.
    Stopped {
        logs: Vec<Arc<FollowedLog>>,
        _runtime: Runtime,
    },
    Running {
        http: Http,
        runtime: Runtime,
        origins: Vec<String>,
    },
}

impl Access {
    pub(super) fn open(config: &Config, admin: Option<&str>) -> Result<Access, Failure> {
        let logs = config.logs()?;
        follow::check(config, &logs)?;
        let origins: Vec<String> = logs.iter().map(|log| log.origin.clone()).collect();
        let running = |url: &str| -> Result<Access, Failure> {
            let http = Http::new(url)?.with_deadline(PATIENCE);
            Ok(Access::Running { http, runtime: new_runtime()?, origins: origins.clone() })
        };
        if let Some(url) = admin {
            return running(url);
        }
        let stopped = || -> Result<Access, Failure> {
            let (folder, runtime) = (logs_folder(config), new_runtime()?);
            let open = |log| FollowedLog::open(log, &folder, &config.poll, runtime.handle().clone());
            let logs: Vec<_> = logs.into_iter().map(open).collect::<Result<_, _>>()?;
            open_stop_files(config, &logs)?;
            Ok(Access::Stopped { logs, _runtime: runtime })
        };
        stopped_or_running(config, stopped, |url| {
            let access = running(url)?;
            access.list(None)?;
            Ok(access)
        })
    }

    /// Everything that is kept, log by log.
    pub(super) fn list(&self, only: Option<&str>) -> Result<Vec<(String, Kept)>, Failure> {
        let origins: Vec<&str> = match self {
            Access::Stopped { logs, .. } => logs.iter().map(|log| log.origin()).collect(),
            Access::Running { origins, .. } => origins.iter().map(String::as_str).collect(),
        };
        let mut all = Vec::new();
        for origin in origins.into_iter().filter(|origin| only.is_none_or(|only| only == *origin)) {
            let mut from = Some(1);
            while let Some(number) = from {
                let page = self.page(origin, number)?;
                all.extend(page.evidence.into_iter().map(|kept| (origin.to_owned(), kept)));
                from = page.next.filter(|next| *next > number);
            }
        }
        Ok(all)
    }

    fn page(&self, origin: &str, from: u64) -> Result<EvidencePage, Failure> {
        match self {
            Access::Stopped { logs, .. } => {
                let of_it = logs.iter().find(|log| log.origin() == origin);
                let evidence = of_it.map_or(Ok(Vec::new()), |log| log.store.evidence_from(from, PAGE))?;
                let next = evidence.last().map(|last| last.number + 1).filter(|_| evidence.len() == PAGE);
                Ok(EvidencePage { origin: origin.to_owned(), evidence, next })
            }
            Access::Running { http, runtime, .. } => {
                let origin = client::http::encode_segment(origin);
                let path = format!("/v1/evidence?origin={origin}&from={from}&limit={PAGE}");
                let answer = runtime.block_on(http.get(&path, MAX_PAGE_BYTES))?;
                serde_json::from_slice(&answer.body).map_err(|error| nonsense(http, &error))
            }
        }
    }

    /// The bytes of a file.
    pub(super) fn file(&self, id: EvidenceId) -> Result<Vec<u8>, Failure> {
        let found = match self {
            Access::Stopped { logs, .. } => {
                logs.iter().find_map(|log| log.store.evidence(id).transpose()).transpose()?.map(|(_, bytes)| bytes)
            }
            Access::Running { http, runtime, .. } => {
                let answer = runtime.block_on(http.get(&format!("/v1/evidence/{id}"), MAX_FILE_BYTES));
                match answer {
                    Ok(answer) => Some(answer.body.to_vec()),
                    Err(error) if error.problem.as_ref().is_some_and(|problem| problem.status == 404) => None,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        found.ok_or_else(|| {
            Failure::new(Exit::Usage, format!("no evidence {id} is kept; `evidence list` shows what is"))
        })
    }

    /// The histories that contradict the followed ones.
    pub(super) fn branches(&self) -> Result<Vec<Branches>, Failure> {
        match self {
            Access::Stopped { logs, .. } => {
                let of_log = |log: &Arc<FollowedLog>| {
                    Ok(Branches { origin: log.origin().to_owned(), branches: log.store.branches()? })
                };
                logs.iter().map(of_log).collect()
            }
            Access::Running { http, runtime, .. } => {
                let answer = runtime.block_on(http.get("/v1/branches", MAX_BRANCHES_BYTES))?;
                serde_json::from_slice(&answer.body).map_err(|error| nonsense(http, &error))
            }
        }
    }

    /// Hands in a file that was verified; the inner error says why it is not for this monitor.
    pub(super) fn take(&self, bytes: &[u8]) -> Result<Result<TakenAnswer, NotTaken>, Failure> {
        match self {
            Access::Stopped { logs, .. } => match take_evidence(logs, bytes, Source::Report, clock::now()) {
                Ok(stored) => Ok(Ok(TakenAnswer::new(stored))),
                Err(Refused::Own(error)) => Err(error.into()),
                Err(why) => Ok(Err(NotTaken(why.to_string()))),
            },
            Access::Running { http, runtime, .. } => {
                let body = bytes.to_vec().into();
                let posted = http.post("/v1/evidence", "application/json", body, MAX_ANSWER_BYTES);
                match runtime.block_on(posted) {
                    Ok(answer) => serde_json::from_slice(&answer.body).map(Ok).map_err(|error| nonsense(http, &error)),
                    Err(error) if error.problem.as_ref().is_some_and(|problem| problem.status == 404) => {
                        Ok(Err(NotTaken(error.message)))
                    }
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

fn nonsense(http: &Http, error: &serde_json::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("{} does not answer as a monitor does: {error}", http.base()))
}
