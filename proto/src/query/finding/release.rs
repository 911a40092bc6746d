//! What releases show, and what others see of them.

use super::{Place, Severity, Shown};
use crate::claim::Body;
use crate::claim::body::{Artifact, ObservationBody, ObservationKind, ReleaseBody};

/// Days between publication and log after which a release came late: whoever publishes once a month is not told.
const LATE_DAYS: i64 = 35;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a release shows alone.
pub(super) fn alone(body: &ReleaseBody, place: Place<'_>) -> Vec<Shown> {
    let late = if place.replay { None } else { logged_late(body, place) };
    late.into_iter().chain(backwards(body)).collect()
}

fn logged_late(body: &ReleaseBody, place: Place<'_>) -> Option<Shown> {
    let published = body.published_at.as_ref()?;
    let logged = i64::try_from(place.time.0).unwrap_or(i64::MAX);
    let days = logged.saturating_sub(published.last_instant()) / DAY_MS;
    (days > LATE_DAYS).then(|| {
        let message =
            format!("version {} was published on {} and logged {days} days later", body.version, published.as_str());
        Shown::new(
            "U4",
            Severity::Notice,
            message,
            "older releases are entered when a manufacturer begins to use a log",
        )
    })
}

/// U2: what it replaces has a higher version.
fn backwards(body: &ReleaseBody) -> Option<Shown> {
    let replaced = body.replaces.as_deref()?;
    let (new, old) = (numbers(&body.version)?, numbers(replaced)?);
    // Versions of another form, such as a year's, have no order with these.
    (new.len() == old.len() && new < old).then(|| {
        let message = format!("version {} replaces version {replaced}, which is the higher one", body.version);
        Shown::new("U2", Severity::Notice, message, "a faulty version was taken back, or two branches are kept up")
    })
}

/// A version of numbers and dots alone, perhaps behind a `v`. Nothing else is ordered.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let version = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    version.split('.').map(number).collect()
}

/// U5: somebody saw that it is gone before the day until which it was promised.
pub(super) fn gone(body: &ObservationBody, place: Place<'_>) -> Option<Shown> {
    if body.kind != ObservationKind::Removed {
        return None;
    }
    place.beside.iter().find_map(|release| {
        let Body::Release(release) = &release.body else { return None };
        let until = release.available_until.as_ref()?;
        (body.observed_at.last_instant() < until.first_instant()).then(|| {
            let (version, seen, until) = (&release.version, body.observed_at.as_str(), until.as_str());
            let message =
                format!("version {version} was seen to be gone on {seen}, and was to stay available until {until}");
            Shown::new("U5", Severity::Warning, message, "it moved to another address, or the page was down for a day")
        })
    })
}

/// U1: one version, two contents.
pub(super) fn changed(old: &ReleaseBody, new: &ReleaseBody) -> Option<Shown> {
    // A role can have several files; names tell them apart.
    let differs = |artifact: &&Artifact| {
        let is_twin = |other: &&Artifact| other.role == artifact.role && other.filename == artifact.filename;
        let mut twins = new.artifacts.iter().filter(is_twin).peekable();
        twins.peek().is_some() && twins.all(|twin| contradicts(artifact, twin))
    };
    let changed = old.artifacts.iter().find(differs)?;
    let name = changed.filename.as_deref().unwrap_or("without a name");
    let message = format!(
        "version {} has another digest than before for an artifact ({name}): one version, two contents",
        new.version
    );
    Some(Shown::new("U1", Severity::Alarm, message, "a wrong digest was entered first and was corrected"))
}

/// Whether two artifacts have different digests of one kind.
fn contradicts(one: &Artifact, other: &Artifact) -> bool {
    let sha256 = one.sha256.zip(other.sha256).is_some_and(|(a, b)| a != b);
    sha256 || one.sha512.zip(other.sha512).is_some_and(|(a, b)| a != b)
}
