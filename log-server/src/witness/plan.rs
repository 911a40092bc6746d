//! Whom to ask and what is enough, read from the operator's policy file.

use proto::note::Verifier;
use proto::policy::{BadPolicy, CheckError, Policy, Witness};

/// Why a policy cannot be used to ask witnesses.
#[derive(Debug, thiserror::Error)]
pub enum BadPlan {
    /// It is no policy.
    #[error(transparent)]
    Policy(#[from] BadPolicy),
    /// A key in it is no good.
    #[error(transparent)]
    Key(#[from] CheckError),
    /// It is about other logs.
    #[error("the policy has no line `log {0}`: it must list this log with its own key")]
    OtherLog(String),
    /// There is nobody to ask.
    #[error("the policy has no witness that could be asked: a witness line needs a URL and a key of type 04")]
    Nobody,
    /// All of them together are not enough.
    #[error(
        "the quorum cannot be met even if every witness that can be asked cosigns ({0}): the others lack a URL, or have keys \
         of a type that this version cannot check"
    )]
    TooFew(String),
}

/// A witness that is asked.
#[derive(Debug, Clone)]
pub(super) struct PlanSeat {
    /// Its place among the witnesses of the policy.
    pub(super) place: usize,
    /// Its name there.
    pub(super) name: String,
    /// What checks its lines.
    pub(super) verifier: Verifier,
    /// Where it is asked.
    pub(super) url: String,
}

/// A policy under which this log can ask for cosignatures.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) policy: Policy,
    pub(super) seats: Vec<PlanSeat>,
}

impl Plan {
    /// Reads a policy file for the log of this vkey.
    pub fn read(text: &[u8], log_vkey: &str) -> Result<Plan, BadPlan> {
        let policy = Policy::parse(text)?;
        policy.check_keys()?;
        if !policy.logs().iter().any(|log| log.vkey().to_string() == log_vkey) {
            return Err(BadPlan::OtherLog(log_vkey.to_owned()));
        }
        let seats: Vec<PlanSeat> =
            policy.witnesses().iter().enumerate().filter_map(|(place, witness)| seat(place, witness)).collect();
        if seats.is_empty() {
            return Err(BadPlan::Nobody);
        }
        if !policy.is_met_by(|place, witness| seat(place, witness).is_some()) {
            let names: Vec<&str> = seats.iter().map(|seat| seat.name.as_str()).collect();
            return Err(BadPlan::TooFew(names.join(", ")));
        }
        Ok(Plan { policy, seats })
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many witnesses are asked.
    pub fn asked(&self) -> usize {
        self.seats.len()
    }
}

fn seat(place: usize, witness: &Witness) -> Option<PlanSeat> {
    if witness.time_key_of().is_some() {
        return None; // the log's own time key, which its signer uses
    }
    let (verifier, url) = (witness.verifier().ok()?.clone(), witness.url()?.to_owned());
    Some(PlanSeat { place, name: witness.name().to_string(), verifier, url })
}

#[cfg(test)]
mod tests {
    use proto::cosignature::Cosigner;
    use proto::note::KeyName;

    use super::*;
    use crate::testing::{key, log_keys};

    fn vkey(number: u8) -> String {
        let name = KeyName::parse(&format!("w{number}.example")).unwrap();
        Cosigner::new(name, key(number)).unwrap().vkey().to_string()
    }

    #[test]
    fn a_policy_that_can_never_be_met_is_refused_at_the_start() {
        let log = log_keys().log_vkey();
        let lines = format!("log {log}\nwitness a {} http://a.example\nwitness b {}\n", vkey(20), vkey(21));
        let read = |quorum: &str| Plan::read(format!("{lines}{quorum}").as_bytes(), &log);
        let plan = read("group g any a b\nquorum g\n").unwrap();
        assert_eq!((plan.asked(), plan.seats[0].place, plan.seats[0].name.as_str()), (1, 0, "a"));
        assert_eq!(read("quorum none\n").unwrap().asked(), 1);
        let error = read("group g all a b\nquorum g\n").unwrap_err().to_string();
        assert!(error.contains("cannot be met") && error.contains("(a)"), "{error}");
    }

    #[test]
    fn the_log_itself_must_be_listed_and_somebody_to_ask() {
        let log = log_keys();
        let text = format!("log {}\nwitness t {}\nquorum none\n", log.log_vkey(), log.time_vkey());
        assert!(matches!(Plan::read(text.as_bytes(), &log.log_vkey()), Err(BadPlan::Nobody)));
        assert!(matches!(Plan::read(text.as_bytes(), "other"), Err(BadPlan::OtherLog(_))));
        assert!(matches!(Plan::read(b"quorum none", "x"), Err(BadPlan::Policy(_))));
    }
}
