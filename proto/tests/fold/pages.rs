//! What one page of an answer costs: entries read, and bytes held.

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::ControlFlow;

use proto::fold::State;
use proto::num::{LeafIndex, TreeSize};
use proto::query::search::{self, Source};
use proto::query::standing::Standings;
use proto::query::trail::{self, TrailFilter, TrailPlace};
use proto::query::{self, Direction, EachRow, MAX_PAGE_BYTES, Reader};
use serde_json::json;

use crate::world::{World, related, set, support};

const SIGN: &str = "acme.example/sign";

/// A world that counts the entries that are read.
struct Counted<'a>(&'a World, Cell<usize>);

impl State for Counted<'_> {
    type Error = Infallible;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        self.0.state.read(key)
    }
}

impl Reader for Counted<'_> {
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachRow<'_>,
    ) -> Result<(), Infallible> {
        assert_eq!(direction, Direction::Forward);
        let after = after.unwrap_or_default();
        let rows = self.0.rows.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_slice() > after);
        for (key, value) in rows {
            if let ControlFlow::Break(()) = each(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Vec<u8>>, Infallible> {
        self.1.set(self.1.get() + 1);
        Ok(usize::try_from(index.0).ok().and_then(|index| self.0.entries.get(index).cloned()))
    }
}

/// Acme's one slot with so many claims, each about the one before.
fn one_slot(claims: usize) -> World {
    let mut world = World::settled();
    let mut last = world.ok(&support("2031-01"), &[SIGN]).id;
    for n in 1..claims {
        let until = format!("20{}-{:02}", 31 + n / 12, 1 + n % 12);
        last = world.ok(&related(support(&until), "supersede", &last), &[SIGN]).id;
    }
    world
}

/// A claim of some 50 KiB on `CAM-3`.
fn large(n: usize) -> serde_json::Value {
    let artifact = |a: usize| json!({"role": "firmware", "sha512": "ab".repeat(64), "filename": format!("{a:090}")});
    let artifacts: Vec<_> = (0..200).map(artifact).collect();
    let mut claim = set(support("tba"), "/body", json!({"version": format!("1.{n}"), "artifacts": artifacts}));
    claim["type"] = json!("release/v1");
    claim
}

fn by_acme() -> Source {
    Source::Issuer("acme.example".into())
}

#[test]
fn a_page_walks_a_slot_once_and_not_once_an_item() {
    const CLAIMS: usize = 60;
    let world = one_slot(CLAIMS);
    let reader = Counted(&world, Cell::new(0));
    let size = TreeSize(world.entries.len() as u64 - 1); // the slot has moved on since
    let page = search::claims(&reader, &by_acme(), &TrailFilter::default(), size, 3, 50).unwrap();
    assert_eq!(page.items.len(), 50);
    assert!(page.items.iter().all(|logged| logged.standing.is_some_and(|standing| !standing.current)));
    assert!(reader.1.get() <= page.items.len() + CLAIMS, "{} entries were read", reader.1.get());
    let (items, next) = search::changes(&reader, size, size.0 - 1, 50).unwrap();
    assert_eq!((items.len(), next), (1, size.0));
    assert!(items[0].standing.unwrap().current, "the last one below the size");
}

#[test]
fn the_walks_of_an_answer_have_one_budget() {
    let world = one_slot(20);
    let reader = Counted(&world, Cell::new(0));
    let size = TreeSize(world.entries.len() as u64 - 1);
    let id = query::claim::without_standing(&reader, LeafIndex(3)).unwrap().id;
    for (budget, told) in [(20, true), (19, false)] {
        reader.1.set(0);
        let mut standings = Standings::walking(size, budget);
        for _ in 0..3 {
            assert_eq!(standings.of(&reader, &id).unwrap().is_some(), told);
        }
        assert_eq!(reader.1.get(), budget, "given up once is given up");
    }
}

#[test]
fn a_page_of_large_entries_ends_before_its_limit() {
    const CLAIMS: usize = 90;
    let mut world = World::settled();
    for n in 0..CLAIMS {
        world.ok(&large(n), &[SIGN]);
    }
    let reader = Counted(&world, Cell::new(0));
    let size = TreeSize(world.entries.len() as u64);
    let (mut from, mut seen, mut pages) = (Some(3), 0, 0);
    while let Some(begin) = from {
        let page = search::claims(&reader, &by_acme(), &TrailFilter::default(), size, begin, 200).unwrap();
        let bytes: usize = page.items.iter().map(|logged| logged.entry.payload.len()).sum();
        assert!(!page.items.is_empty() && bytes <= MAX_PAGE_BYTES + 65_536, "{bytes} bytes");
        let (again, next) = search::changes(&reader, size, begin, 200).unwrap();
        assert_eq!((again.len(), next), (page.items.len(), page.next.unwrap_or(size.0)));
        (from, seen, pages) = (page.next, seen + page.items.len(), pages + 1);
    }
    assert_eq!(seen, CLAIMS);
    assert!(pages > 1);
}

#[test]
fn a_trail_of_large_entries_comes_in_pages() {
    const CLAIMS: usize = 50;
    let mut world = World::settled();
    for n in 0..CLAIMS {
        world.ok(&large(n), &[SIGN]);
    }
    let reader = Counted(&world, Cell::new(0));
    let size = TreeSize(world.entries.len() as u64);
    let product = proto::claim::ProductKey::parse("acme.example", "CAM-3").unwrap();
    let (mut place, mut seen, mut pages) = (Some(TrailPlace::START), 0, 0);
    while let Some(at) = place {
        let page = trail::trail(&reader, &product, size, &TrailFilter::default(), at, 200).unwrap().unwrap();
        let bytes: usize = page.current.iter().chain(&page.history).map(|logged| logged.entry.payload.len()).sum();
        assert!(bytes <= MAX_PAGE_BYTES + 2 * 65_536, "{bytes} bytes");
        (place, seen, pages) = (page.next, seen + page.history.len(), pages + 1);
    }
    assert_eq!(seen, CLAIMS);
    assert!(pages > 1);
}

#[test]
fn claims_of_a_type_are_found_without_reading_the_others() {
    let world = one_slot(30);
    let reader = Counted(&world, Cell::new(0));
    let size = TreeSize(world.entries.len() as u64);
    for (claim_type, expected) in [("log/v1", vec![0]), ("issuer/v1", vec![1, 2]), ("release/v1", vec![])] {
        reader.1.set(0);
        let source = Source::Type(claim_type.into());
        let page = search::claims(&reader, &source, &TrailFilter::default(), size, 0, 50).unwrap();
        let found: Vec<u64> = page.items.iter().map(|logged| logged.index.0).collect();
        assert_eq!((&found, page.next), (&expected, None));
        assert_eq!(reader.1.get(), expected.len());
    }
}
