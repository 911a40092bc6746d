//! Runs the checker over a model and says what came of it.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// Threads of a check. One: what is looked at up to a depth is then the same every time.
const THREADS: usize = 1;

/// How much further than in `make test`: `MODEL_DEPTH=1` adds one to each bound.
pub(crate) fn deeper() -> u8 {
    std::env::var("MODEL_DEPTH").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Tries every order of at most so many actions, and demands that every property holds and that what must be possible is.
pub(crate) fn holds<M>(name: &str, model: M, most: usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let begun = Instant::now();
    let checker = model.checker().threads(THREADS).target_max_depth(most).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let all = if depth < most { "all" } else { "those at most" };
    println!("{name}: {states} states, {all} {depth} deep, {:.1} s", begun.elapsed().as_secs_f64());
    assert!(checker.is_done());
    checker.assert_properties();
}

/// The shortest run that breaks the property of this name. There must be one.
pub(crate) fn counterexample<M>(name: &str, property: &'static str, model: M) -> Vec<M::Action>
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    assert_ne!(model.property(property).expectation, Expectation::Sometimes);
    let wanted = HasDiscoveries::AnyOf([property].into());
    let checker = model.checker().finish_when(wanted).spawn_bfs().join();
    let Some(path) = checker.discovery(property) else {
        panic!("{name}: nothing breaks {property:?} in {} states", checker.unique_state_count())
    };
    let actions = path.into_actions();
    println!("{name}: {property:?} is broken by");
    actions.iter().for_each(|action| println!("  {action:?}"));
    actions
}

/// For models that end by themselves.
pub(crate) const TO_THE_END: usize = 1000;
