//! `claimtrail hammer`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::context::{Connection, Context};
use super::hammer_options::{Hammer, Verify};
use super::out;
use crate::error::{Error, ErrorKind};
use crate::hammer::{
    Checks, Claims, Ended, Form, Glimpse, Issuer, Maker, Options, Outcome, Tally, Target, Work, confirm, enrol, run,
    summary,
};
use crate::keyfile;

/// Claims when nothing says how many.
const DEFAULT_COUNT: u64 = 20_000;
/// Claims signed for each second of a closed loop: more than a log takes on the machines that we know.
const SIGNED_PER_SECOND: f64 = 20_000.0;
/// Claims signed at once unless --count says more: at 1 KiB of payload, 2 GB.
const MOST_SIGNED: u64 = 1_000_000;
/// Connections unless told otherwise: enough for full batches, few enough for any limit per address.
const DEFAULT_CONNECTIONS: usize = 64;

pub(super) fn execute(context: &Context, hammer: &Hammer) -> Result<u8, Error> {
    hammer.size()?;
    let mut rounds = Vec::new();
    let mut worst = 0;
    let mut each = |context: &Context, outcome: &Outcome| {
        if context.json() {
            rounds.push(outcome.to_value());
        } else {
            outcome.lines().iter().for_each(out::line);
        }
        let code = exit_code(outcome, hammer.ignore_retry_after);
        worst = if rank(code) > rank(worst) { code } else { worst };
        !matches!(outcome.ended, Ended::Lost(_) | Ended::Interrupted)
    };
    if hammer.add {
        add(context, hammer, &mut each)?
    } else {
        log(context, hammer, &mut each)?
    }
    if context.json() {
        out::json(&match rounds.len() {
            1 => rounds.remove(0),
            _ => Value::Array(rounds),
        });
    }
    Ok(worst)
}

/// Is told of each round; `false` when there should be no more.
type Each<'a> = dyn FnMut(&Context, &Outcome) -> bool + 'a;

/// Loads a log of ours.
fn log(context: &Context, hammer: &Hammer, each: &mut Each<'_>) -> Result<(), Error> {
    let connection = context.connect()?;
    let target = Target::parse(connection.api.http().base())?;
    let mut options = options(hammer, target.clone());
    options.connections = connections(hammer);
    options.trust = Some((connection.trust.clone(), connection.origin.clone()));
    options.checks = match hammer.verify {
        Verify::All => Checks::All,
        Verify::Sample => Checks::Sample(hammer.sample),
        Verify::None => Checks::None,
    };
    if options.connections == 0 {
        options.count = hammer.count.or(hammer.duration.is_none().then_some(DEFAULT_COUNT));
        each(context, &watched(context, options)?);
        return Ok(());
    }
    options.check_times()?; // before the log is changed
    let issuers = issuers(context, hammer, &connection)?;
    let maker = Maker::new(&connection.origin, issuers, hammer.role, hammer.products, hammer.size)?;
    let form = if hammer.stream.is_some() { Form::Lines } else { Form::Requests(target) };
    let count = to_sign(hammer);
    for round in 0..hammer.rounds {
        let bar = context.bar(Some(count), "signing");
        let signed = Claims::sign(&maker, round * count..(round + 1) * count, &form, &|more| bar.inc(more));
        bar.finish_and_clear();
        let (claims, size, streams) = (Arc::new(signed), hammer.size, hammer.stream.is_some());
        context.remark(format!("{} claims with {size} bytes of payload signed, sending", claims.count()));
        let work = if streams { Work::Streams(claims) } else { Work::Claims(claims) };
        let outcome = watched(context, Options { work, ..options.clone() })?;
        if !each(context, &outcome) {
            break;
        }
    }
    Ok(())
}

/// Loads any log that takes bytes at `/add`.
fn add(context: &Context, hammer: &Hammer, each: &mut Each<'_>) -> Result<(), Error> {
    let url =
        context.url().ok_or_else(|| Error::usage("--add needs the log's address: --url http://127.0.0.1:2024"))?;
    if hammer.readers + hammer.proofs > 0 {
        return Err(Error::usage("--add only adds; readers need a log of our own"));
    }
    let mut options = options(hammer, Target::parse(url)?);
    options.connections = hammer.connections.unwrap_or(DEFAULT_CONNECTIONS);
    options.count = hammer.count.or(hammer.duration.is_none().then_some(DEFAULT_COUNT));
    options.work = Work::Add(hammer.size);
    for _ in 0..hammer.rounds {
        let mut outcome = watched(context, options.clone())?;
        if let Some(vkey) = &hammer.vkey {
            outcome.verified = confirm(&outcome, &options.target, vkey, hammer.deadline)?;
        }
        if !each(context, &outcome) {
            break;
        }
    }
    Ok(())
}

fn options(hammer: &Hammer, target: Target) -> Options {
    Options {
        readers: hammer.readers,
        reads: hammer.read.iter().map(|what| (*what).into()).collect(),
        proofs: hammer.proofs,
        rate: hammer.rate,
        count: hammer.count,
        duration: hammer.duration,
        warm_up: hammer.warm_up,
        threads: hammer.threads,
        keeps_retry_after: !hammer.ignore_retry_after,
        timeout: hammer.timeout,
        patience: hammer.patience,
        interrupt: interrupt(),
        ..Options::new(target)
    }
}

/// Connections that send: none when only readers are asked for.
fn connections(hammer: &Hammer) -> usize {
    let only_reads = hammer.readers + hammer.proofs > 0 && hammer.registrar_key.is_none() && hammer.keys.is_none();
    let otherwise = if only_reads { 0 } else { DEFAULT_CONNECTIONS };
    hammer.stream.or(hammer.connections).unwrap_or(otherwise)
}

/// How many claims are signed for a round.
fn to_sign(hammer: &Hammer) -> u64 {
    let needed = hammer.duration.map_or(DEFAULT_COUNT, |duration| {
        let rate = hammer.rate.unwrap_or(SIGNED_PER_SECOND).max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and bounded below")]
        let needed = (duration.as_secs_f64() * rate).ceil() as u64;
        if hammer.rate.is_some() { needed } else { needed.min(MOST_SIGNED) }
    });
    hammer.count.unwrap_or(needed)
}

/// In whose name claims are sent.
fn issuers(context: &Context, hammer: &Hammer, connection: &Connection) -> Result<Vec<Issuer>, Error> {
    let Some(registrar) = &hammer.registrar_key else {
        let folder = hammer.keys.as_ref().ok_or_else(|| {
            Error::usage(
                "in whose name? --registrar-key FILE (the operator's) enrols issuers for the load, --keys DIR has the keys \
                 of issuers that are enrolled",
            )
        })?;
        return Issuer::load(folder);
    };
    let registrar = keyfile::load(registrar)?;
    let issuers = Issuer::make(hammer.issuers)?;
    let bar = context.bar(u64::try_from(issuers.len()).ok(), "enrolling");
    connection.wait(enrol(&connection.api, &connection.origin, &registrar, &issuers, &|| bar.inc(1)))?;
    bar.finish_and_clear();
    if let Some(folder) = &hammer.keys {
        issuers.iter().try_for_each(|issuer| issuer.save(folder))?;
    }
    Ok(issuers)
}

/// Runs with a live view where there is a terminal.
fn watched(context: &Context, options: Options) -> Result<Outcome, Error> {
    let bar = context.bar(None, "");
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {wide_msg}") {
        bar.set_style(style);
    }
    let mut view = View { bar: bar.clone(), last: None };
    let mut watch = |glimpse: &Glimpse| view.show(glimpse);
    let outcome = run(options, (!bar.is_hidden()).then_some(&mut watch));
    bar.finish_and_clear();
    outcome
}

/// The live view: the rate of the last moment, and the percentiles so far.
struct View {
    bar: ProgressBar,
    last: Option<(Duration, u64)>,
}

impl View {
    fn show(&mut self, glimpse: &Glimpse) {
        let Some((kind, tally)) = glimpse.tallies.iter().max_by_key(|(_, tally)| tally.good()) else { return };
        let (before, had) = self.last.unwrap_or_default();
        let seconds = (glimpse.elapsed.saturating_sub(before)).as_secs_f64();
        // A tally with nothing but what came since then has the rate of this moment.
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let now = if seconds > 0.0 { tally.good().saturating_sub(had) as f64 / seconds } else { 0.0 };
        let trouble = if had_trouble(tally) { "  (not all answers are good)" } else { "" };
        let so_far = summary(tally, glimpse.elapsed.as_secs_f64());
        self.bar.set_message(format!("{} now {now:.0}/s  {so_far}{trouble}", kind.name()));
        self.last = Some((glimpse.elapsed, tally.good()));
    }
}

fn had_trouble(tally: &Tally) -> bool {
    tally.with_status(300..=999) > 0 || !tally.failures.is_empty()
}

/// Is set by an interrupt from the keyboard: the run ends and reports.
fn interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = flag.clone();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            shared.store(true, Ordering::Relaxed);
        }
    });
    flag
}

/// What a run's outcome means for whoever called.
fn exit_code(outcome: &Outcome, ignores_retry_after: bool) -> u8 {
    let errors = outcome.sum(|tally| tally.with_status(500..=502) + tally.with_status(504..=999));
    let refused = outcome.sum(|tally| tally.with_status(300..=428) + tally.with_status(430..=499));
    let unanswered = outcome.sum(|tally| tally.unanswered);
    let broken: u64 = outcome.sum(|tally| tally.failures.values().sum());
    let frozen = outcome.sum(|tally| {
        let of =
            |status| tally.answers.get(&status).and_then(|codes| codes.get(proto::code::Code::ModeFrozen.as_str()));
        of(503).copied().unwrap_or(0)
    });
    let told_to_wait = outcome.sum(|tally| tally.with_status(429..=429) + tally.with_status(503..=503));
    let kind = if outcome.verified.failed > 0 || outcome.verified.is_empty_handed() || outcome.places_twice > 0 {
        ErrorKind::NotProven
    } else if matches!(outcome.ended, Ended::Lost(_))
        || errors > 0
        || outcome.placeless() > 0
        || (broken > 0 && unanswered > 0)
    {
        ErrorKind::Unreachable
    } else if refused > 0 || frozen > 0 {
        ErrorKind::Refused
    } else if told_to_wait > 0 && unanswered > 0 && !ignores_retry_after {
        ErrorKind::TryLater
    } else {
        return 0;
    };
    super::exit_code(kind)
}

/// Which of two codes is worse.
fn rank(code: u8) -> u8 {
    [0, 75, 65, 69, 1]
        .iter()
        .position(|known| *known == code)
        .and_then(|rank| u8::try_from(rank).ok())
        .unwrap_or(u8::MAX)
}
