//! What the operator sees of requests and connections. Labels are bounded: route templates, a few methods, five classes.

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::caps::CapReached;

/// Fastest bucket: a cached tile takes less, and what is below needs no telling apart.
const FIRST_BUCKET_S: f64 = 0.000_25;
/// Sixteen doublings reach 8 s, beyond every answer that is not a stream.
const BUCKETS: u16 = 16;
/// The route of requests that match none; their paths are the client's invention and would be labels without end.
const UNMATCHED: &str = "unmatched";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum MethodLabel {
    Get,
    Head,
    Post,
    Options,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    method: MethodLabel,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cap {
    cap: &'static str,
}

/// Counters of one listening address. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    answers: Family<Answer, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    running: Gauge,
    connections: Gauge,
    refused: Family<Cap, Counter>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(FIRST_BUCKET_S, 2.0, BUCKETS))
}

impl Metrics {
    /// New counters, registered.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            answers: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            running: Gauge::default(),
            connections: Gauge::default(),
            refused: Family::default(),
        };
        registry.register(
            "http_requests",
            "Requests answered, by route, method and status class",
            metrics.answers.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's head to the head of its answer",
            metrics.seconds.clone(),
        );
        registry.register("http_requests_running", "Requests being answered", metrics.running.clone());
        registry.register("http_connections", "Open connections", metrics.connections.clone());
        registry.register(
            "http_connections_refused",
            "Connections refused, by the cap they met",
            metrics.refused.clone(),
        );
        metrics
    }

    pub(crate) fn answered(&self, route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let route = route.unwrap_or(UNMATCHED).to_owned();
        self.seconds.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        let answer = Answer { route, method: method_label(method), status: class(status) };
        self.answers.get_or_create(&answer).inc();
    }

    pub(crate) fn request(&self) -> InGauge {
        InGauge::new(&self.running)
    }

    pub(crate) fn connection(&self) -> InGauge {
        InGauge::new(&self.connections)
    }

    pub(crate) fn refused_connection(&self, reached: CapReached) {
        let cap = match reached {
            CapReached::Global => "global",
            CapReached::Address => "address",
        };
        self.refused.get_or_create(&Cap { cap }).inc();
    }
}

fn method_label(method: &Method) -> MethodLabel {
    match *method {
        Method::GET => MethodLabel::Get,
        Method::HEAD => MethodLabel::Head,
        Method::POST => MethodLabel::Post,
        Method::OPTIONS => MethodLabel::Options,
        _ => MethodLabel::Other,
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// One more in a gauge while it lives.
#[derive(Debug)]
pub(crate) struct InGauge(Gauge);

impl InGauge {
    fn new(gauge: &Gauge) -> InGauge {
        gauge.inc();
        InGauge(gauge.clone())
    }
}

impl Drop for InGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}
