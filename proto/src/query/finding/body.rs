//! What bodies show, alone and against the one before.

use super::{Place, Severity, Shown};
use crate::claim::body::{
    Artifact, ConformityStatus, ContactBody, ReleaseBody, SupportBody, SupportDate, VulnerabilityBody,
    VulnerabilityState,
};
use crate::claim::{Body, Claim};

/// Days between publication and log after which a release came late: whoever publishes once a month is not told.
const LATE_DAYS: i64 = 35;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a claim shows without another one.
pub(super) fn alone(place: Place<'_>) -> Option<Shown> {
    match &place.claim.body {
        Body::Release(body) if !place.replay => logged_late(body, place),
        Body::Conformity(body) if body.status != ConformityStatus::Issued => {
            let status = match body.status {
                ConformityStatus::Suspended => "suspended",
                ConformityStatus::Withdrawn => "withdrawn",
                _ => "expired",
            };
            let certificate = body.certificate_id.as_deref().unwrap_or("without a number");
            let message = format!("the {} certificate {certificate} is {status}", body.scheme);
            Some(Shown::new(
                "K1",
                Severity::Warning,
                message,
                "the product is no longer sold, or a new certificate exists",
            ))
        }
        Body::Issuer(body) => body.ceases_on.as_ref().map(|date| {
            let message = format!("{} ceases on {}", place.claim.issuer, date.as_str());
            Shown::new("I1", Severity::Notice, message, "a successor is declared by an entry of its own")
        }),
        _ => None,
    }
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

/// What a claim shows against the one that it takes the place of.
pub(super) fn changed(before: &Claim, after: &Claim) -> Vec<Shown> {
    match (&before.body, &after.body) {
        (Body::Support(old), Body::Support(new)) => support(old, new).into_iter().collect(),
        (Body::Release(old), Body::Release(new)) => release(old, new).into_iter().collect(),
        (Body::Contact(old), Body::Contact(new)) => contact(old, new).into_iter().collect(),
        (Body::Vulnerability(old), Body::Vulnerability(new)) => {
            let documents = advisory_documents(before, after, old, new);
            [justified(old, new), same_version(old, new), documents].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

fn support(old: &SupportBody, new: &SupportBody) -> Option<Shown> {
    let earlier = match (&old.security_until, &new.security_until) {
        (SupportDate::Date(old), SupportDate::Date(new)) => new.last_instant() < old.last_instant(),
        (SupportDate::Date(_) | SupportDate::Tba, SupportDate::None | SupportDate::Ended) => true,
        _ => false,
    };
    earlier.then(|| {
        let (from, to) = (old.security_until.as_str(), new.security_until.as_str());
        let message = format!("the end of security updates moved earlier: from {from} to {to}");
        Shown::new("S1", Severity::Alarm, message, "the first date was a mistake and was corrected")
    })
}

fn release(old: &ReleaseBody, new: &ReleaseBody) -> Option<Shown> {
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

fn contact(old: &ContactBody, new: &ContactBody) -> Option<Shown> {
    let times = [
        ("ack_days", old.ack_days, new.ack_days),
        ("status_days", old.status_days, new.status_days),
        ("fix_days", old.fix_days, new.fix_days),
    ];
    let longer = times.into_iter().find(|(_, old, new)| match (old, new) {
        (Some(old), Some(new)) => new > old,
        (Some(_), None) => true,
        _ => false,
    });
    longer.map(|(name, old, new)| {
        let shown = |days: Option<u32>| days.map_or_else(|| "no promise".to_owned(), |days| format!("{days} days"));
        let message = format!("the promise {name} became weaker: from {} to {}", shown(old), shown(new));
        Shown::new("C2", Severity::Notice, message, "the first promise could not be kept and was made honest")
    })
}

fn justified(old: &VulnerabilityBody, new: &VulnerabilityBody) -> Option<Shown> {
    let was_affected = |version: &String| {
        let affected = old.status.iter().filter(|row| row.state == VulnerabilityState::Affected);
        affected.into_iter().any(|row| row.versions.contains(version))
    };
    let unjustified = new
        .status
        .iter()
        .filter(|row| row.state == VulnerabilityState::NotAffected && row.justification.is_none())
        .find_map(|row| row.versions.iter().find(|version| was_affected(version)))?;
    let message = format!("version {unjustified} was affected and is said not to be, without a justification");
    Some(Shown::new(
        "V2",
        Severity::Warning,
        message,
        "the first assessment was wrong and the reason stands in the advisory",
    ))
}

/// Whether both speak under one version of one advisory.
fn is_one_version(old: &VulnerabilityBody, new: &VulnerabilityBody) -> bool {
    matches!((&old.advisory, &new.advisory), (Some(old), Some(new)) if old == new && old.version.is_some())
}

fn same_version(old: &VulnerabilityBody, new: &VulnerabilityBody) -> Option<Shown> {
    if !is_one_version(old, new) {
        return None;
    }
    let parts = [
        ("severity", old.severity != new.severity),
        ("ids", old.ids != new.ids),
        ("remediation", old.remediation != new.remediation),
    ];
    let changed: Vec<&str> = parts.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect();
    (!changed.is_empty()).then(|| {
        let message = format!("{} changed under one version of the advisory", changed.join(", "));
        Shown::new("V3", Severity::Warning, message, "the importer reads more of the advisory than before")
    })
}

fn advisory_documents(
    before: &Claim,
    after: &Claim,
    old: &VulnerabilityBody,
    new: &VulnerabilityBody,
) -> Option<Shown> {
    if !is_one_version(old, new) {
        return None;
    }
    let digest = |claim: &Claim| claim.docs.iter().find(|doc| doc.rel == "advisory").map(|doc| doc.sha256);
    let (old, new) = digest(before).zip(digest(after))?;
    (old != new).then(|| {
        let message = format!("the advisory's document changed under one version: from {old} to {new}");
        Shown::new("V8", Severity::Warning, message, "white space or a signature in the document was made anew")
    })
}
