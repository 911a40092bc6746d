//! Every animal of the zoo against the real programs: the monitor says the right class, exit code and finding, an audit ends
//! as the table says, and an honest twin is never accused.

mod lists;
mod meet;
mod page;
mod some;
mod withheld;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::zoo::{Animal, animals};

/// Animals that are met at the same time: most of the time is spent waiting for processes and for slow answers.
const AT_ONCE: usize = 4;

#[test]
fn every_animal_is_caught_and_no_twin_is() {
    let all: Vec<&Animal> = animals().collect();
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(animal) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let said = meet::complaints(animal);
                    complaints.lock().unwrap().extend(said.into_iter().map(|said| format!("{}: {said}", animal.name)));
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn animals_have_names_of_their_own() {
    let names: BTreeSet<&str> = animals().map(|animal| animal.name).collect();
    assert_eq!(names.len(), animals().count());
    assert!(names.len() > 40, "{names:?}");
}
