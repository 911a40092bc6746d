//! `export`: files that others can read.

use claimtrail_log::testing::{acme, support};
use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::merkle::CompactRange;
use proto::tile::Bundle;

use crate::support::{Serving, TestFolder, body_of};

/// Entries of the log: one full bundle and a partial one.
const ENTRIES: usize = 258;

#[test]
fn tiles_and_lines_are_the_log() {
    let folder = TestFolder::with_log();
    let promises = (2..ENTRIES).map(|n| support(&format!("CAM-{n}"), "2031-03"));
    folder.grow(&std::iter::once(acme()).chain(promises).collect::<Vec<_>>());
    folder.run(&["export", "log", "--out", "tiles"]).expect(0, &["258 entries"]);
    let read =
        |name: &str| std::fs::read(folder.path().join("tiles").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let checkpoint = String::from_utf8(read("checkpoint")).unwrap();
    let text = checkpoint.split_once("\n\n").unwrap().0;
    let head = CheckpointText::parse(&format!("{text}\n")).unwrap();
    let (first, second) = (read("tile/entries/000"), read("tile/entries/001.p/2"));
    let bundles = [Bundle::parse(&first, 256).unwrap(), Bundle::parse(&second, 2).unwrap()];
    let hashes: Vec<Hash> = bundles.iter().flat_map(|bundle| bundle.leaf_hashes().collect::<Vec<_>>()).collect();
    let mut range = CompactRange::new();
    for hash in &hashes {
        range.append(*hash);
    }
    assert_eq!((range.size(), range.root()), (head.size(), head.root()));
    let leaves: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    assert_eq!([read("tile/0/000"), read("tile/0/001.p/2")].concat(), leaves);
    assert_eq!(read("tile/1/000.p/1").len(), 32);

    folder.run(&["export", "log", "--format", "ndjson", "--out", "log.ndjson"]).expect(0, &[]);
    let lines = std::fs::read_to_string(folder.path().join("log.ndjson")).unwrap();
    let said = folder.run(&["export", "log", "--format", "ndjson", "--out", "-"]).expect(0, &[]);
    assert_eq!(said.out, lines);
    for (n, line) in lines.lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["index"], n);
        assert_eq!(Hash::leaf(&proto::b64::decode(line["entry"].as_str().unwrap()).unwrap()), hashes[n]);
    }
    assert_eq!(lines.lines().count(), ENTRIES);
    folder.run(&["export", "log", "--out", "tiles"]).expect(64, &["there already"]);
    assert!(folder.names().iter().all(|name| !name.contains("export")), "{:?}", folder.names());

    let server = Serving::start(&folder);
    let served = server.get("/checkpoint");
    let served = body_of(&served, 200);
    assert_eq!(served.lines().take(3).collect::<Vec<_>>(), checkpoint.lines().take(3).collect::<Vec<_>>());
    assert!(server.stop().success());
}
