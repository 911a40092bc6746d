//! The fold under sequences of claims with valid signatures: some in order, most slightly wrong.
//!
//! The input is not the claims but what to do next, so that nearly every sequence gets past form and signatures to the
//! rules themselves.

mod act;
mod world;

use std::sync::OnceLock;

use arbitrary::Unstructured;
use world::World;

/// Claims of one sequence: enough for recoveries, mandates and chains of a slot to meet.
const MAX_STEPS: usize = 48;

pub(crate) fn fold(data: &[u8]) {
    static FOUNDED: OnceLock<World> = OnceLock::new();
    let mut world = FOUNDED.get_or_init(act::founded).clone();
    let mut input = Unstructured::new(data);
    for _ in 0..MAX_STEPS {
        let Ok(act) = act::next(&mut input, &mut world) else { break };
        world.submit(&act);
    }
    world.refold();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::Dice;

    /// A target that only ever sees refusals would prove nothing.
    #[test]
    fn sequences_reach_the_rules() {
        let mut dice = Dice::new(1);
        let (mut accepted, mut kinds) = (0, std::collections::BTreeSet::new());
        for _ in 0..50 {
            let bytes: Vec<u8> = (0..2048).map(|_| u8::try_from(dice.below(256)).unwrap_or(0)).collect();
            let mut world = act::founded();
            let mut input = Unstructured::new(&bytes);
            while let Ok(act) = act::next(&mut input, &mut world) {
                if world.submit(&act) {
                    accepted += 1;
                    let claim = &act.claim;
                    kinds.insert(format!("{} {}", claim["type"], claim["rel"]["kind"]));
                    for member in ["recovery", "mandate", "revoke", "freeze"] {
                        kinds.extend(claim["body"].get(member).map(|value| format!("{member} {}", value["kind"])));
                    }
                }
            }
            world.refold();
        }
        assert!(accepted > 500, "{accepted}");
        let expected = [
            "\"issuer/v1\" \"new\"",
            "\"log/v1\" \"new\"",
            "\"support/v1\" \"supersede\"",
            "\"release/v1\" \"withdraw\"",
            "\"support/v1\" \"dispute\"",
            "recovery \"start\"",
            "mandate null",
            "revoke null",
            "freeze null",
        ];
        for kind in expected {
            assert!(kinds.contains(kind), "{kind} was never accepted: {kinds:?}");
        }
    }
}
