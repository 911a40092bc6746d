//! Every target over its corpus and over mutations of it, without a fuzzer.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads files of its own"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use proto::hash::Hash;
use targets::mutate::{Dice, mutate};
use targets::{TARGETS, Target, seeds};

/// Bytes of the whole corpus at most: it is in every clone.
const MAX_CORPUS_BYTES: usize = 1_000_000;
/// Mutations of every target in a run: a second or less on one core.
const MUTATIONS: usize = 10_000;
/// Mutations of targets that sign and check many times for each input.
const SLOW_MUTATIONS: usize = 300;
const SLOW: [&str; 2] = ["fold", "formats"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a folder, ascending.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = folder("corpus").join(target);
    names(&folder).iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

/// Runs a target; a panic names the input, so that it can be kept as a regression test.
fn run(name: &str, target: Target, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        panic!("the target {name} fails for {:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn every_target_holds_for_its_corpus_and_mutations_of_it() {
    let mut seeds: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, bytes) in seeds::all() {
        seeds.entry(name).or_default().push(bytes);
    }
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        for input in &inputs {
            run(name, target, input);
        }
        // The same run every time, and another one when the corpus changes.
        let seed = inputs.iter().fold(Hash::of(name.as_bytes()), |all, input| Hash::of_parts(&[&all.0, input]));
        let mut dice = Dice::new(u64::from_be_bytes(seed.0[..8].try_into().unwrap()));
        for _ in 0..if SLOW.contains(&name) { SLOW_MUTATIONS } else { MUTATIONS } {
            // Half of them from seeds, which are whole and good; what the fuzzer found is mostly short and strange.
            let seeds = seeds.get(name).filter(|_| dice.below(2) == 0).unwrap_or(&inputs);
            let mut bytes = seeds[dice.below(seeds.len())].clone();
            mutate(&mut bytes, &inputs[dice.below(inputs.len())], &mut dice);
            run(name, target, &bytes);
        }
    }
}

#[test]
fn the_corpus_holds_every_seed_and_stays_small() {
    for (target, bytes) in seeds::all() {
        let file = folder("corpus").join(target).join(seeds::file_name(&bytes));
        let kept = fs::read(&file).unwrap_or_default();
        assert!(
            kept == bytes,
            "{} is missing or old; run `cargo run -p claimtrail-fuzz --bin fuzz-seeds`",
            file.display()
        );
    }
    let size: usize = TARGETS.iter().flat_map(|(name, _)| corpus(name)).map(|bytes| bytes.len()).sum();
    assert!(size < MAX_CORPUS_BYTES, "the corpus has {size} bytes; `make fuzz ARGS=minimise` makes it smaller");
}

#[test]
fn every_target_has_its_folder_and_its_program() {
    let expected: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(expected.len(), TARGETS.len());
    assert_eq!(names(&folder("corpus")).into_iter().collect::<BTreeSet<_>>(), expected);
    let programs = names(&folder("libfuzzer/fuzz_targets"));
    let stems = programs.iter().map(|name| name.strip_suffix(".rs").unwrap().to_owned());
    assert_eq!(stems.collect::<BTreeSet<_>>(), expected);
    let manifest = fs::read_to_string(folder("libfuzzer/Cargo.toml")).unwrap();
    for name in &expected {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
        let program = fs::read_to_string(folder(&format!("libfuzzer/fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("targets::target(\"{name}\")")), "{name}");
    }
}

/// Seeds are good inputs: a parser that refuses its own seed would only ever be fuzzed with refusals.
#[test]
fn seeds_are_read() {
    let seed = |target: &str| seeds::all().into_iter().find(|(name, _)| *name == target).unwrap().1;
    let text = |target: &str| String::from_utf8(seed(target)).unwrap();
    assert!(proto::note::Note::parse(&seed("note")).is_ok());
    assert!(proto::note::Vkey::parse(&text("vkey")).is_ok());
    assert!(proto::checkpoint::CheckpointText::parse(&text("checkpoint")).is_ok());
    assert!(proto::note::NoteSignature::parse_lines(&text("cosignature")).is_ok());
    assert!(proto::policy::Policy::parse(seed("policy")).is_ok());
    assert!(proto::dsse::Envelope::parse(&seed("dsse")).is_ok());
    assert!(proto::entry::Entry::decode(&seed("entry")).is_ok());
    assert!(proto::receipt::Receipt::parse(&seed("receipt")).is_ok());
    assert!(proto::import::Makers::parse(&seed("makers")).is_ok());
    let proof = proto::tlog_proof::TlogProof::parse(&seed("tlog_proof")).unwrap();
    assert!(proof.verify(seeds::leaf(), &seeds::policy()).is_ok());
    assert!(seeds::policy().check(seeds::head().as_bytes()).is_ok_and(|checked| checked.quorum.met));
    let file = proto::misbehaviour::Misbehaviour::parse(&seed("misbehaviour")).unwrap();
    assert!(file.verify().is_ok());
    let statement = proto::statement::Refusal::verify(&seed("statement"), &seeds::verifier(&seeds::log_signer()));
    assert!(statement.is_ok());
    let mut csaf = 0;
    let makers = proto::import::Makers::none();
    csaf += proto::import::csaf::CsafImport::new(&makers).document("seed", &seed("csaf")).len();
    assert_eq!(csaf, 2, "an advisory about two products");
    let mut firmware = proto::import::firmware::FirmwareImport::new(&makers);
    assert_eq!(firmware.rows("seed", &seed("firmware")).len(), 2);
    let claims = seeds::all().into_iter().filter(|(name, _)| *name == "claim");
    // The constitution's template has places for keys that only its reader can fill in.
    let read = claims.filter(|(_, bytes)| proto::claim::Claim::parse(bytes).is_ok()).count();
    assert_eq!(read, proto::claim::ClaimType::KNOWN.len());
}
