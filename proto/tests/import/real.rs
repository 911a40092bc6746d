//! All CSAF documents and all firmware rows.

use std::collections::{BTreeMap, HashMap, HashSet};

use proto::claim::{Body, Claim, Role};
use proto::import::csaf::CsafImport;
use proto::import::firmware::FirmwareImport;
use proto::import::{Draft, Makers, Report};
use serde_json::Value;

use crate::data::{files, folder, frame};

/// What the source says, counted without the importer: documents, and (vulnerability, vendor, product name) that stand
/// in a status list.
fn rows_in(bytes: &[u8]) -> usize {
    let document: Value = serde_json::from_slice(bytes).unwrap();
    let mut names: HashMap<&str, (&str, &str)> = HashMap::new();
    for vendor in document["product_tree"]["branches"].as_array().unwrap() {
        for product in vendor["branches"].as_array().unwrap() {
            for version in product["branches"].as_array().unwrap() {
                let id = version["product"]["product_id"].as_str().unwrap();
                names.insert(id, (vendor["name"].as_str().unwrap(), product["name"].as_str().unwrap()));
            }
        }
    }
    let mut rows = 0;
    for vulnerability in document["vulnerabilities"].as_array().unwrap() {
        let lists = vulnerability["product_status"].as_object().unwrap().values();
        let ids = lists.flat_map(|list| list.as_array().unwrap()).map(|id| id.as_str().unwrap());
        rows += ids.map(|id| names[id]).collect::<HashSet<_>>().len();
    }
    rows
}

/// A document's bytes and what was made of it.
type Imported = (Vec<u8>, Vec<Draft>);

/// Every document of both years with its drafts, and the report.
fn import_all(makers: &Makers) -> Option<(Vec<Imported>, Report)> {
    let folder = folder()?;
    let mut import = CsafImport::new(makers);
    let mut found = Vec::new();
    for file in ["2018", "2022"].iter().flat_map(|year| files(&folder.join("csaf").join(year))) {
        let bytes = std::fs::read(&file).unwrap();
        let drafts = import.document(&file.file_name().unwrap().to_string_lossy(), &bytes);
        found.push((bytes, drafts));
    }
    Some((found, import.into_report()))
}

#[test]
fn all_advisories_become_claims() {
    let makers = Makers::replay();
    let Some((documents, report)) = import_all(&makers) else { return };
    let frame = frame("replay.cisa.example", Role::Csirt);
    let mut sizes = Vec::new();
    let mut slots = HashSet::new();
    let mut expected = 0;
    for (bytes, drafts) in &documents {
        expected += rows_in(bytes);
        let digest = proto::hash::Hash::of(bytes);
        for draft in drafts {
            let payload = draft.payload(&frame).unwrap();
            let claim = Claim::parse(&payload).unwrap();
            assert_eq!(claim.docs[0].sha256, digest);
            assert!(slots.insert((claim.product().unwrap(), claim.slot_key().unwrap())), "one claim a slot");
            let Body::Vulnerability(body) = &claim.body else { panic!("another body") };
            assert!(body.ids[0].starts_with("CVE-") && body.advisory.is_some() && !body.status.is_empty());
            sizes.push(payload.len());
        }
    }
    sizes.sort_unstable();
    eprintln!(
        "{} documents, {} claims, {} bytes in the median, {} at most, {} in all",
        documents.len(),
        sizes.len(),
        sizes[sizes.len() / 2],
        sizes[sizes.len() - 1],
        sizes.iter().sum::<usize>()
    );
    for (kind, entry) in &report.not_mapped {
        eprintln!("  not mapped: {kind}: {} ({})", entry.count, entry.why);
    }
    eprintln!("  makers without an id: {:?}", report.unplaced_makers);
    assert!(report.adds_up());
    assert_eq!((report.documents, report.documents_read), (607, 607));
    assert_eq!(report.rows, u64::try_from(expected).unwrap(), "as counted without the importer");
    assert_eq!((report.claims, report.refused.len(), report.seen_again.len()), (9_610, 0, 0));
    assert_eq!(sizes.len(), 9_610);
    // DECISIONS 32: 1.6 KB in the median, the largest a few KB, far from an entry's 65,535 bytes.
    assert!((1_200..2_000).contains(&sizes[sizes.len() / 2]), "{} in the median", sizes[sizes.len() / 2]);
    assert!((4_000..16_384).contains(sizes.last().unwrap()), "{} at most", sizes.last().unwrap());
}

#[test]
fn the_table_of_makers_moves_no_claim_away() {
    let none = Makers::none();
    let Some((_, report)) = import_all(&none) else { return };
    assert_eq!(report.claims, 9_610);
    assert!(report.placed_makers.is_empty());
    assert_eq!(report.unplaced_makers.values().sum::<u64>(), 9_610);
    let spelled = report.unplaced_makers.len();
    let Some((_, report)) = import_all(&Makers::replay()) else { return };
    let counted = report.placed_makers.values().sum::<u64>() + report.unplaced_makers.values().sum::<u64>();
    assert_eq!((counted, spelled), (9_610, 159));
    assert!(report.placed_makers.contains_key("replay.geutebrueck.example"), "a damaged spelling is known");
    assert!(report.unplaced_makers.contains_key("n/a"), "nobody stays nobody");
}

#[test]
fn the_same_documents_give_the_same_bytes_and_come_once() {
    let Some(folder) = folder() else { return };
    let makers = Makers::replay();
    let frame = frame("replay.cisa.example", Role::Csirt);
    let file = &files(&folder.join("csaf/2022"))[7];
    let bytes = std::fs::read(file).unwrap();
    let payloads = |drafts: Vec<Draft>| drafts.iter().map(|d| d.payload(&frame).unwrap()).collect::<Vec<_>>();
    let mut import = CsafImport::new(&makers);
    let first = payloads(import.document("a", &bytes));
    assert!(!first.is_empty());
    assert!(import.document("b", &bytes).is_empty());
    assert_eq!(import.report().documents_seen_again.len(), 1);
    assert!(import.report().adds_up());
    // The same text with a line feed more is another document that says the same about the same slots.
    let mut longer = bytes.clone();
    longer.push(b'\n');
    assert!(import.document("c", &longer).is_empty());
    assert_eq!(import.report().seen_again.len(), first.len());
    assert!(import.report().adds_up());
    assert_eq!(payloads(CsafImport::new(&makers).document("other name", &bytes)), first);
}

#[test]
fn all_firmware_rows_become_claims() {
    let Some(folder) = folder() else { return };
    let bytes = std::fs::read(folder.join("firmware-releases.jsonl")).unwrap();
    let makers = Makers::replay();
    let mut import = FirmwareImport::new(&makers);
    let drafts = import.rows("firmware-releases.jsonl", &bytes);
    let report = import.into_report();
    assert!(report.adds_up());
    assert_eq!((report.rows, report.claims, report.seen_again.len(), report.refused.len()), (624, 622, 2, 0));
    let frame = frame("replay.observer.example", Role::Researcher);
    let mut digests: BTreeMap<_, HashSet<[u8; 64]>> = BTreeMap::new();
    let mut beyond_31_bits = 0;
    for draft in &drafts {
        let claim = Claim::parse(&draft.payload(&frame).unwrap()).unwrap();
        let Body::Release(body) = &claim.body else { panic!("another body") };
        assert!(body.published_at.is_none() && body.observed_at.is_some() && body.urls.len() == 1);
        beyond_31_bits += usize::from(body.version.parse::<u64>().unwrap() > u64::from(u32::MAX / 2));
        digests
            .entry((claim.product().unwrap(), body.version.clone()))
            .or_default()
            .insert(body.artifacts[0].sha512.unwrap());
    }
    assert!(beyond_31_bits > 0, "versions need all 32 bits");
    assert_eq!(digests.values().filter(|digests| digests.len() > 1).count(), 6, "one version, two digests");
    eprintln!("makers without an id: {:?}; not mapped: {:?}", report.unplaced_makers, report.not_mapped);
    assert_eq!(report.not_mapped["vendor_dir"].count, 624);
    // Holders of codes that are makers of chips or have no id, and codes that the table does not know.
    let unknown = report.unplaced_makers.keys().filter(|maker| maker.starts_with("zigbee manufacturer "));
    assert_eq!((report.unplaced_makers.len(), unknown.count()), (8, 3), "{:?}", report.unplaced_makers);
}
