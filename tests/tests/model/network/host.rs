//! A monitor as a host of the simulated network: HTTP by hyper over its TCP, the real machine, and a disk that outlives crashes.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use monitor::gossip::core::{Input, Source, Whom};
use turmoil::net::{TcpListener, TcpStream};

use super::wire::{self, Log};
use crate::gossip::node::{Message, Node, What};

pub(crate) const PORT: u16 = 80;
/// Within which a request must be answered: as `gossip.answer` of a monitor.
const ANSWER: Duration = Duration::from_secs(5);
/// How often a monitor looks at the log.
pub(crate) const POLL: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(1);
/// What clocks say when the simulation begins.
const BEGIN_SECONDS: u64 = 1_000_000;

/// What the log shows at this moment, to a monitor that is shown this history.
pub(crate) type Shows = dyn Fn(bool, Duration) -> u8 + Send + Sync;

/// A monitor and what it stands on.
pub(crate) struct Host {
    pub(crate) log: Arc<Log>,
    pub(crate) shows: Arc<Shows>,
    /// When in a round it looks at the log.
    pub(crate) phase: Duration,
    pub(crate) disk: Mutex<Disk>,
}

/// What outlives the process. The machine in it is made anew at each start.
pub(crate) struct Disk {
    pub(crate) node: Node,
    /// The files of the evidence, in its order.
    pub(crate) files: Vec<Vec<u8>>,
    /// Since when it has evidence.
    pub(crate) since: Option<Duration>,
}

pub(crate) fn name(node: u8) -> String {
    format!("monitor-{node}")
}

impl Host {
    /// Runs until it crashes.
    pub(crate) async fn run(self: Arc<Self>) -> turmoil::Result {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        let inputs = {
            let mut disk = self.disk.lock().unwrap();
            disk.node.restart(&self.log.histories)
        };
        inputs.into_iter().for_each(|input| self.input(input));
        tokio::spawn(self.clone().poll());
        tokio::spawn(self.clone().tick());
        loop {
            let (stream, from) = listener.accept().await?;
            let peer = turmoil::reverse_lookup(from.ip()).and_then(|name| number(&name));
            let host = self.clone();
            let service = service_fn(move |request| {
                let host = host.clone();
                async move { Ok::<_, Infallible>(host.answer(peer, request).await) }
            });
            tokio::spawn(async move {
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    /// Looks at the log again and again. The log is no host: what it shows is at hand.
    async fn poll(self: Arc<Self>) {
        tokio::time::sleep(self.phase).await;
        loop {
            let grown = {
                let mut disk = self.disk.lock().unwrap();
                let size = (self.shows)(disk.node.fork, elapsed());
                let is_larger = size > disk.node.kept.size;
                is_larger.then(|| {
                    disk.node.kept.size = size;
                    disk.node.own(&self.log.histories).head(size)
                })
            };
            if let Some(own) = grown {
                self.input(Input::Grew { own });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn tick(self: Arc<Self>) {
        loop {
            tokio::time::sleep(TICK).await;
            self.input(Input::Tick);
        }
    }

    /// The machine takes an input; what it sends goes out in tasks.
    fn input(self: &Arc<Self>, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let (sent, follow) = {
                let mut disk = self.disk.lock().unwrap();
                let done = disk.node.step(&self.log.histories, BEGIN_SECONDS + elapsed().as_secs(), input);
                disk.file(&self.log);
                done
            };
            inputs.extend(follow);
            for message in sent {
                let host = self.clone();
                tokio::spawn(async move { host.send(message).await });
            }
        }
    }

    /// Sends a request, and tells the machine what came of it.
    async fn send(self: Arc<Self>, message: Message) {
        let Message { to, what, .. } = message;
        let peer = self.disk.lock().unwrap().node.id(to);
        let input = match what {
            What::Push { head, proof } => {
                let body = self.log.push(head, proof.as_ref());
                match ask(to, Method::POST, "/v1/gossip".to_owned(), body).await {
                    Some(answer) => {
                        let theirs = self.log.head(&answer);
                        Input::Answered { peer, pushed: head, theirs, random: 0 }
                    }
                    None => Input::Unanswered { peer },
                }
            }
            What::Ask { head, from } => {
                let answer = ask(to, Method::GET, wire::question(head, from), Vec::new()).await;
                let whom = Whom::Peer(peer);
                match answer.and_then(|answer| wire::proof_of(&answer)) {
                    Some(proof) => Input::Proven { head, whom, proof },
                    None => Input::NotProven { head, whom },
                }
            }
            What::Evidence { number, .. } => {
                let file = self.disk.lock().unwrap().files[usize::try_from(number).unwrap() - 1].clone();
                match ask(to, Method::POST, "/v1/evidence".to_owned(), file).await {
                    Some(_) => Input::EvidenceTaken { peer, number },
                    None => Input::Unanswered { peer },
                }
            }
            answer => unreachable!("{answer:?} goes back over the connection of its request"),
        };
        self.input(input);
    }

    /// Answers a request.
    async fn answer(self: Arc<Self>, from: Option<u8>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let answer = match path.as_str() {
            "/v1/gossip" => self.take_head(from, &body),
            "/v1/proof" => self.prove(&query),
            "/v1/evidence" => self.take_evidence(&body),
            _ => None,
        };
        let status = if answer.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        let body = Full::new(Bytes::from(answer.unwrap_or_default()));
        Response::builder().status(status).body(body).unwrap()
    }

    fn take_head(self: &Arc<Self>, from: Option<u8>, body: &[u8]) -> Option<Vec<u8>> {
        let (head, proof) = self.log.pushed(body)?;
        let (source, own) = {
            let disk = self.disk.lock().unwrap();
            let peer = from.filter(|peer| disk.node.peers.contains(peer)).map(|peer| disk.node.id(peer));
            (peer.map_or(Source::Anyone, Source::Peer), disk.node.core.own())
        };
        self.input(Input::Received { head, source, proof, random: 0 });
        Some(own.map(|own| self.log.note(own)).unwrap_or_default())
    }

    fn prove(&self, query: &str) -> Option<Vec<u8>> {
        let (head, from) = wire::asked(&self.log.histories, query)?;
        let proof = self.disk.lock().unwrap().node.own(&self.log.histories).proof(from, head)?;
        Some(wire::proof_text(&proof, head.size))
    }

    fn take_evidence(self: &Arc<Self>, file: &[u8]) -> Option<Vec<u8>> {
        let fork = self.log.convicts(file)?;
        let new = {
            let mut disk = self.disk.lock().unwrap();
            let new = disk.node.keep(fork);
            if new.is_some() {
                disk.files.push(file.to_vec());
                disk.since = Some(elapsed());
            }
            new
        };
        new.into_iter().for_each(|input| self.input(input));
        Some(Vec::new())
    }
}

impl Disk {
    /// Evidence that the machine found becomes a file, which must convict the log.
    fn file(&mut self, log: &Log) {
        if let Some(fork) = self.node.kept.evidence.get(self.files.len()) {
            let file = log.file(&self.node.own(&log.histories), fork);
            assert!(log.convicts(&file).is_some(), "{fork:?}");
            self.files.push(file);
            self.since = Some(elapsed());
        }
    }
}

fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

fn number(name: &str) -> Option<u8> {
    name.strip_prefix("monitor-")?.parse().ok()
}

/// One request on a connection of its own; nothing when there is no answer in time, or it is a refusal.
async fn ask(to: u8, method: Method, path: String, body: Vec<u8>) -> Option<Vec<u8>> {
    let exchange = async {
        let stream = TcpStream::connect((name(to), PORT)).await.ok()?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", name(to));
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body))).ok()?).await.ok()?;
        let is_taken = answer.status().is_success();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        is_taken.then(|| body.to_vec())
    };
    tokio::time::timeout(ANSWER, exchange).await.ok().flatten()
}
