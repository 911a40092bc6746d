//! Proofs that other implementations agree on.

use proto::hash::Hash;
use proto::merkle::{
    CompactRange, NodeReader, consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion,
};
use proto::num::{LeafIndex, TreeSize};

use crate::support::{bytes, hash, hashes, list, number, text, tree, vectors};

#[test]
fn the_tree_of_eight() {
    let Some(known) = vectors("merkle_basic.json") else { return };
    let leaves: Vec<_> = list(&known["leaf_inputs_hex"]).iter().map(|input| Hash::leaf(&bytes(input))).collect();
    assert_eq!(leaves.len(), 8);
    let tree = tree(&leaves);
    let mut range = CompactRange::new();
    for (size, root) in list(&known["roots_by_size"]).iter().enumerate() {
        assert_eq!(root_at(&tree, TreeSize(size as u64)), Ok(hash(root)));
        assert_eq!(range.root(), hash(root));
        if let Some(leaf) = leaves.get(size) {
            range.append(*leaf);
        }
    }
    for (level, nodes) in (0u8..).zip(list(&known["node_hashes_by_level"])) {
        for (index, node) in (0u64..).zip(list(nodes)) {
            assert_eq!(tree.node(level, index), Ok(hash(node)));
        }
    }
    assert_eq!(list(&known["inclusion"]).len(), 36);
    for case in list(&known["inclusion"]) {
        let (index, size) = (LeafIndex(number(&case["index"])), TreeSize(number(&case["size"])));
        assert_eq!(inclusion_proof(&tree, index, size), Ok(hashes(&case["proof"])), "{case}");
    }
    assert_eq!(list(&known["consistency"]).len(), 36);
    for case in list(&known["consistency"]) {
        let (old, new) = (TreeSize(number(&case["size1"])), TreeSize(number(&case["size2"])));
        assert_eq!(consistency_proof(&tree, old, new), Ok(hashes(&case["proof"])), "{case}");
    }
}

#[test]
fn inclusion_probes() {
    let Some(known) = vectors("merkle_inclusion_probes.json") else { return };
    assert_eq!(list(&known["cases"]).len(), 98);
    for case in list(&known["cases"]) {
        let found = verify_inclusion(
            LeafIndex(number(&case["index"])),
            TreeSize(number(&case["size"])),
            leaf_hash(&case["leaf_hash"]),
            &hashes(&case["proof"]),
            &hash(&case["root"]),
        );
        assert_eq!(found.is_ok(), case["valid"] == true, "{}: {found:?}", text(&case["case"]));
    }
}

#[test]
fn consistency_probes() {
    let Some(known) = vectors("merkle_consistency_probes.json") else { return };
    assert_eq!(list(&known["cases"]).len(), 98);
    for case in list(&known["cases"]) {
        let found = verify_consistency(
            TreeSize(number(&case["size1"])),
            TreeSize(number(&case["size2"])),
            &hash(&case["root1"]),
            &hash(&case["root2"]),
            &hashes(&case["proof"]),
        );
        assert_eq!(found.is_ok(), case["valid"] == true, "{}: {found:?}", text(&case["case"]));
    }
}

/// One case has an empty text for both the leaf hash and the root; what stands in for the two must differ.
fn leaf_hash(value: &serde_json::Value) -> Hash {
    if bytes(value).len() == 32 { hash(value) } else { Hash::leaf(&bytes(value)) }
}
