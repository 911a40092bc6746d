//! Every small tree against the definition, larger ones by chance, and proofs that were tampered with.

use proptest::prelude::*;
use proto::hash::Hash;
use proto::merkle::{
    BadProof, CompactRange, MAX_PROOF_HASHES, consistency_proof, frontier, inclusion_proof, root_at,
    verify_consistency, verify_inclusion,
};
use proto::num::{LeafIndex, MAX_TREE_SIZE, TreeSize};

use crate::support::{defined_consistency, defined_inclusion, defined_root, leaves, tree};

/// Every tree up to this size is checked in full: past the second power of two above 32, with room on both sides.
const EXHAUSTIVE: usize = 70;

#[test]
fn every_small_tree_is_as_defined() {
    let leaves = leaves(EXHAUSTIVE);
    let tree = tree(&leaves);
    let mut range = CompactRange::new();
    for n in 0..=EXHAUSTIVE {
        let size = TreeSize(n as u64);
        let root = defined_root(&leaves[..n]);
        assert_eq!(root_at(&tree, size), Ok(root));
        assert_eq!(range.root(), root);
        assert_eq!(frontier(&tree, size), Ok(range.clone()));
        for i in 0..n {
            let index = LeafIndex(i as u64);
            let proof = inclusion_proof(&tree, index, size).expect("a proof");
            assert_eq!(proof, defined_inclusion(i, &leaves[..n]), "{i} in {n}");
            assert_eq!(verify_inclusion(index, size, leaves[i], &proof, &root), Ok(()));
        }
        for m in 1..=n {
            let old = TreeSize(m as u64);
            let proof = consistency_proof(&tree, old, size).expect("a proof");
            assert_eq!(proof, defined_consistency(m, &leaves[..n], true), "{m} to {n}");
            assert_eq!(verify_consistency(old, size, &defined_root(&leaves[..m]), &root, &proof), Ok(()));
        }
        if let Some(leaf) = leaves.get(n) {
            assert_eq!(range.append(*leaf), size.next_index());
        }
    }
}

/// A proof proves for one leaf at one place in one tree and for nothing else.
#[test]
fn an_inclusion_proof_holds_for_nothing_else() {
    const SIZES: usize = 20;
    let leaves = leaves(SIZES);
    let tree = tree(&leaves);
    let roots: Vec<Hash> = (0..=SIZES).map(|n| defined_root(&leaves[..n])).collect();
    for n in 1..=SIZES {
        for i in 0..n {
            let proof = inclusion_proof(&tree, LeafIndex(i as u64), TreeSize(n as u64)).expect("a proof");
            for j in 0..=SIZES {
                let elsewhere = verify_inclusion(LeafIndex(j as u64), TreeSize(n as u64), leaves[i], &proof, &roots[n]);
                assert_eq!(elsewhere.is_ok(), i == j, "proof of {i} in {n} at {j}");
                if let Some(other) = leaves.get(j).filter(|_| j != i) {
                    let at = LeafIndex(i as u64);
                    assert!(verify_inclusion(at, TreeSize(n as u64), *other, &proof, &roots[n]).is_err());
                }
                let root = verify_inclusion(LeafIndex(i as u64), TreeSize(n as u64), leaves[i], &proof, &roots[j]);
                assert_eq!(root.is_ok(), j == n, "proof of {i} in {n} under the root of {j}");
            }
        }
    }
}

/// Both roots count, at every pair of sizes.
#[test]
fn a_consistency_proof_holds_for_no_other_roots() {
    let leaves = leaves(EXHAUSTIVE);
    let tree = tree(&leaves);
    let other = Hash::of(b"another root");
    for n in 2..=EXHAUSTIVE {
        for m in 1..n {
            let (old, new) = (TreeSize(m as u64), TreeSize(n as u64));
            let (old_root, new_root) = (defined_root(&leaves[..m]), defined_root(&leaves[..n]));
            let proof = consistency_proof(&tree, old, new).expect("a proof");
            assert!(verify_consistency(old, new, &other, &new_root, &proof).is_err());
            assert_eq!(
                verify_consistency(old, new, &old_root, &other, &proof),
                Err(BadProof::NewRoot { computed: new_root })
            );
            let none = verify_consistency(old, new, &old_root, &new_root, &[]);
            assert!(matches!(none, Err(BadProof::Length { found: 0, .. })), "{none:?}");
        }
    }
}

/// What may happen to a proof on its way.
#[derive(Debug, Clone)]
enum Damage {
    FlipBit { hash: prop::sample::Index, bit: u8 },
    Drop(prop::sample::Index),
    Insert(prop::sample::Index, [u8; 32]),
    Repeat(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(hash, bit)| Damage::FlipBit { hash, bit }),
        place().prop_map(Damage::Drop),
        (place(), any::<[u8; 32]>()).prop_map(|(at, hash)| Damage::Insert(at, hash)),
        place().prop_map(Damage::Repeat),
        (place(), place()).prop_map(|(a, b)| Damage::Swap(a, b)),
    ]
}

/// The proof after the damage; `None` when there is nothing that could be damaged so.
fn damaged(proof: &[Hash], damage: &Damage) -> Option<Vec<Hash>> {
    let mut damaged = proof.to_vec();
    match damage {
        Damage::Insert(at, hash) => damaged.insert(at.index(proof.len() + 1), Hash(*hash)),
        _ if proof.is_empty() => return None,
        Damage::FlipBit { hash, bit } => damaged[hash.index(proof.len())].0[usize::from(bit / 8)] ^= 1 << (bit % 8),
        Damage::Drop(at) => drop(damaged.remove(at.index(proof.len()))),
        Damage::Repeat(at) => damaged.insert(at.index(proof.len()), proof[at.index(proof.len())]),
        Damage::Swap(a, b) => damaged.swap(a.index(proof.len()), b.index(proof.len())),
    }
    (damaged != proof).then_some(damaged)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_inclusion_proofs_are_refused(size in 1usize..600, at: prop::sample::Index, damage in damage()) {
        let leaves = leaves(size);
        let index = at.index(size);
        let (at, size) = (LeafIndex(index as u64), TreeSize(size as u64));
        let root = defined_root(&leaves);
        let proof = inclusion_proof(&tree(&leaves), at, size).expect("a proof");
        prop_assert_eq!(verify_inclusion(at, size, leaves[index], &proof, &root), Ok(()));
        if let Some(damaged) = damaged(&proof, &damage) {
            prop_assert!(verify_inclusion(at, size, leaves[index], &damaged, &root).is_err());
        }
    }

    #[test]
    fn damaged_consistency_proofs_are_refused(new in 2usize..600, old: prop::sample::Index, damage in damage()) {
        let leaves = leaves(new);
        let old = 1 + old.index(new - 1);
        let (old_root, new_root) = (defined_root(&leaves[..old]), defined_root(&leaves));
        let (old, new) = (TreeSize(old as u64), TreeSize(new as u64));
        let proof = consistency_proof(&tree(&leaves), old, new).expect("a proof");
        prop_assert_eq!(verify_consistency(old, new, &old_root, &new_root, &proof), Ok(()));
        if let Some(damaged) = damaged(&proof, &damage) {
            prop_assert!(verify_consistency(old, new, &old_root, &new_root, &damaged).is_err());
        }
    }

    /// Nothing that comes from outside makes a verifier panic, at the edges of the numbers above all.
    #[test]
    fn any_numbers_are_answered(
        a in edge_number(), b in edge_number(), proof in prop::collection::vec(any::<[u8; 32]>(), 0..=MAX_PROOF_HASHES + 1)
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
        let root = Hash::of(b"root");
        prop_assert!(verify_inclusion(LeafIndex(a), TreeSize(b), root, &proof, &Hash::EMPTY_ROOT).is_err());
        prop_assert!(verify_consistency(TreeSize(a), TreeSize(b), &root, &Hash::EMPTY_ROOT, &proof).is_err());
    }
}

fn edge_number() -> impl Strategy<Value = u64> {
    let near = |edge: u64| (0u64..4).prop_map(move |less| edge.saturating_sub(less));
    prop_oneof![near(3), near(MAX_TREE_SIZE), near(MAX_TREE_SIZE + 2), near(u64::MAX), any::<u64>()]
}
