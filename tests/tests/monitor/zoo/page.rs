//! The table of the documentation is the table of the tests.

use harness::workspace::root;
use harness::zoo::animals;

/// What stands before the rows.
const HEAD: &str = "| animal | what it does | class, exit code | code | ends | proven by a file | audit |\n|---|---|---|---|---|---|---|\n";

#[test]
fn the_documentation_has_every_animal_as_it_is_caught() {
    let page = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let rows: String = animals().map(|animal| format!("{}\n", animal.row())).collect();
    let table = format!("{HEAD}{rows}\n");
    assert!(page.contains(&table), "docs/reliability.md has another table than the zoo; it should be\n\n{table}");
}
