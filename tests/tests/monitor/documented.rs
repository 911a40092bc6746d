//! The tables of the documentation have every code of a finding, and no other.

use std::collections::BTreeMap;

use harness::workspace::root;
use monitor::finding::{Class, Severity, code};

/// The first two cells of the rows under this heading whose first cell is one code.
fn rows(page: &str, heading: &str) -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let from = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = &page[from + 1..];
    let section = section[3..].find("\n## ").map_or(section, |end| &section[..end + 3]);
    let mut found = BTreeMap::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let Some((name, rest)) = line.split_once("` | ") else { continue };
        let second = rest.split(" | ").next().unwrap_or_default();
        assert!(found.insert(name.to_owned(), second.to_owned()).is_none(), "{name} has two rows");
    }
    found
}

#[test]
fn every_code_of_a_finding_has_a_row() {
    let mut rows = rows("monitor.md", "## What is found");
    for class in Class::ALL {
        assert_eq!(rows.remove(class.name()), Some(class.exit_code().to_string()), "{}", class.name());
    }
    for code in code::ALL {
        let class = rows.remove(code).unwrap_or_else(|| panic!("docs/monitor.md has no row for {code}"));
        let severities: Vec<Severity> =
            Class::ALL.iter().filter(|known| known.name() == class).map(|class| class.severity()).collect();
        // What stands for others is as bad as these.
        let worst = if code == code::MANY { Some(Severity::Alarm) } else { severities.first().copied() };
        assert_eq!(code::severity_of(code), worst, "{code} is said to be {class:?}");
    }
    assert_eq!(rows, BTreeMap::new(), "docs/monitor.md has rows for what is no code of a finding");
}

#[test]
fn what_is_late_is_degraded_on_both_pages() {
    let (late, all) = (rows("alerts.md", "## Freshness"), rows("monitor.md", "## What is found"));
    assert!(late.len() >= 4, "{late:?}");
    for code in late.keys() {
        assert_eq!(all.get(code).map(String::as_str), Some(Class::Degraded.name()), "{code}");
    }
}
