//! In whose name claims are sent: issuers made for the run and enrolled with the registrar's key, or those of a folder.

use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _};
use proto::claim::{IssuerId, Role};
use proto::ed25519::SecretKey;
use serde_json::json;

use super::random;
use crate::api::Api;
use crate::clock;
use crate::compose;
use crate::error::Error;
use crate::files;
use crate::keyfile;
use crate::random as system;

/// Enrolments under way at once: a few, so that a log takes them in few batches.
const AT_ONCE: usize = 16;
/// Files of keys in a folder are named `<issuer>.sign.key`.
const SIGN_KEY: &str = ".sign.key";
/// The key that manages the others; loads do not need it.
const ADMIN_KEY: &str = ".admin.key";

/// An issuer and its keys.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its id.
    pub id: String,
    /// What it signs claims with.
    pub sign: SecretKey,
    /// What manages its keys; only where the issuer was made here.
    pub admin: Option<SecretKey>,
}

impl Issuer {
    /// New issuers with keys of their own. Their ids tell that they are of a load test, and no two runs share one.
    pub fn make(count: usize) -> Result<Vec<Issuer>, Error> {
        let run = random::nonce()?;
        (0..count)
            .map(|number| {
                let (sign, admin) = (SecretKey::from_seed(&*system::seed()?), SecretKey::from_seed(&*system::seed()?));
                Ok(Issuer { id: format!("hammer-{run:016x}-{number}.example"), sign, admin: Some(admin) })
            })
            .collect()
    }

    /// The issuers whose signing keys are in a folder, as `<issuer>.sign.key`, in the order of their names.
    pub fn load(folder: &Path) -> Result<Vec<Issuer>, Error> {
        let cannot = |e: std::io::Error| Error::local(format!("{} cannot be read: {e}", folder.display()));
        let mut issuers = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some(id) = name.strip_suffix(SIGN_KEY) else { continue };
            IssuerId::parse(id).map_err(|e| {
                Error::usage(format!(
                    "{}: {id:?} is not an issuer's id: {e}; name it <issuer>{SIGN_KEY}",
                    path.display()
                ))
            })?;
            issuers.push(Issuer { id: id.to_owned(), sign: keyfile::load(&path)?, admin: None });
        }
        issuers.sort_by(|a, b| a.id.cmp(&b.id));
        match issuers.is_empty() {
            true => Err(Error::usage(format!("{} has no file <issuer>{SIGN_KEY}", folder.display()))),
            false => Ok(issuers),
        }
    }

    /// Writes the keys into a folder, for the next run.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        files::make_folder(folder)?;
        keyfile::write(&folder.join(format!("{}{SIGN_KEY}", self.id)), &self.sign)?;
        match &self.admin {
            Some(admin) => keyfile::write(&folder.join(format!("{}{ADMIN_KEY}", self.id)), admin),
            None => Ok(()),
        }
    }

    /// The signed wish to be enrolled, as a replayed issuer: readers see that nobody's word is meant. `None` for an
    /// issuer that was not made here.
    fn enrolment(&self, origin: &str, registrar: &SecretKey) -> Option<String> {
        let admin = self.admin.as_ref()?;
        let key = |key: &SecretKey, key_use: &str| json!({"alg": "ed25519", "spki": proto::b64::encode(key.public().to_spki()), "use": key_use});
        let claim = json!({
            "type": "issuer/v1",
            "logs": [{"origin": origin}],
            "issuer": self.id,
            "role": Role::Manufacturer.as_str(),
            "asserted_at": clock::rfc3339(clock::now()),
            "rel": {"kind": "new"},
            "body": {
                "legal_name": "Load test",
                "roles": [Role::Manufacturer.as_str()],
                "keys": [key(admin, "admin"), key(&self.sign, "sign")],
                "identity": {"method": "paper", "checked_at": clock::day(clock::now())},
                "replay": true,
            },
        });
        Some(compose::sign(claim.to_string().as_bytes(), &[admin, &self.sign, registrar]).to_json())
    }
}

/// Enrols issuers that were made here, with the registrar's key; `each` is told of every one that is done.
pub async fn enrol(
    api: &Api,
    origin: &str,
    registrar: &SecretKey,
    issuers: &[Issuer],
    each: &(dyn Fn() + Sync),
) -> Result<(), Error> {
    let wishes = issuers.iter().filter_map(|issuer| issuer.enrolment(origin, registrar));
    futures_util::stream::iter(wishes.map(|wish| api.submit(wish.into())))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| {
            each();
            std::future::ready(Ok(()))
        })
        .await
        .map_err(|e| Error { message: format!("an issuer for the load cannot be enrolled: {}", e.message), ..e })
}

#[cfg(test)]
mod tests {
    use proto::claim::Claim;
    use proto::dsse::Envelope;

    use super::*;

    #[test]
    fn keys_are_kept_for_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let made = Issuer::make(3).unwrap();
        made.iter().for_each(|issuer| issuer.save(&keys).unwrap());
        let mut ids: Vec<_> = made.iter().map(|issuer| (issuer.id.clone(), issuer.sign.public().id())).collect();
        ids.sort();
        let loaded = Issuer::load(&keys).unwrap();
        assert_eq!(loaded.iter().map(|i| (i.id.clone(), i.sign.public().id())).collect::<Vec<_>>(), ids);
        assert!(Issuer::load(folder.path()).unwrap_err().message.contains("sign.key"));
    }

    #[test]
    fn enrolments_have_the_form_of_claims_and_say_replay() {
        let issuer = Issuer::make(1).unwrap().remove(0);
        // A test key.
        let envelope = issuer.enrolment("log.example", &SecretKey::from_seed(&[4; 32])).unwrap();
        let envelope = Envelope::parse(envelope.as_bytes()).unwrap();
        let claim = Claim::parse(&envelope.payload).unwrap();
        assert_eq!((claim.issuer.as_str(), envelope.signatures.len()), (issuer.id.as_str(), 3));
        assert!(matches!(claim.body, proto::claim::Body::Issuer(body) if body.replay));
    }
}
