//! Paths and parameters of reads.

use crate::table::Row;
use crate::world::World;

pub(crate) fn rows(world: &World) -> Vec<Row> {
    [zeros(), beyond(), indices(), decimals(world)].into_iter().flatten().collect()
}

const NO_TILE: &str = "This is not the name of a tile or entry bundle: write tile/<level>/<index>, or tile/entries/<index>, \
                       with the index in groups of three digits (x001/234) and .p/<width> for a partial one.";

fn zeros() -> Vec<Row> {
    let paths = [
        "/tile/00/000",
        "/tile/0/0000",
        "/tile/0/x000/000",
        "/tile/0/000.p/01",
        "/tile/0/000.p/0",
        "/tile/entries/x000/000",
        "/tile/entries/000.p/001",
        "/tile/0/%3000",
    ];
    let row = |path| Row::get("tile paths with leading zeros", path, path).says(404, "request.not_found", NO_TILE);
    let mut rows: Vec<Row> = paths.into_iter().map(row).collect();
    rows.push(Row::get("tile paths with leading zeros", "//tile/0/000", "//tile/0/000.p/2").says(
        404,
        "request.not_found",
        "There is nothing at this path; docs/api.md lists what there is, and a log does so at /openapi.json.",
    ));
    rows
}

fn beyond() -> Vec<Row> {
    let row = |path: &'static str| {
        let name = path.trim_start_matches('/');
        let says = format!("The tree has {{size}} entries now; {name} is beyond it or is not complete yet.");
        Row::get("tile paths beyond the tree", path, path).says(404, "request.beyond_tree", says)
    };
    let mut rows: Vec<Row> = [
        "/tile/0/001",
        "/tile/0/x001/000",
        "/tile/1/000",
        "/tile/1/000.p/200",
        "/tile/2/000.p/1",
        "/tile/7/000.p/1",
        "/tile/63/000.p/1",
        "/tile/entries/001.p/1",
        "/tile/entries/x999/x999/x999/999",
    ]
    .into_iter()
    .map(row)
    .collect();
    rows.extend(
        ["/tile/64/000", "/tile/0/x999/x999/x999/x999/x999/x999/999"]
            .map(|path| Row::get("tile paths beyond the tree", path, path).says(404, "request.not_found", NO_TILE)),
    );
    rows
}

fn indices() -> Vec<Row> {
    const LINE: &str = "index beyond size";
    vec![
        Row::get(LINE, "an entry", "/v1/entries/1000000").says(
            404,
            "request.beyond_tree",
            "There is no entry 1000000 yet; the tree has {size} entries, with indices from 0.",
        ),
        Row::get(LINE, "the greatest index", "/v1/entries/9223372036854775807").says(
            404,
            "request.beyond_tree",
            "There is no entry 9223372036854775807 yet; the tree has {size} entries, with indices from 0.",
        ),
        Row::get(LINE, "changes", "/v1/changes?from=1000000").says(
            404,
            "request.beyond_tree",
            "There is no entry 1000000 yet; the tree has {size} entries, with indices from 0.",
        ),
        Row::get(LINE, "a product's trail", "/v1/products/acme.example/CAM-1?as_of_size=1000000").says(
            404,
            "request.beyond_tree",
            "The tree has {size} entries now; `as_of_size` is beyond that.",
        ),
    ]
}

fn decimals(world: &World) -> Vec<Row> {
    const LINE: &str = "non-canonical decimals";
    let number = "not a canonical decimal number (digits only, no leading zero, at most 2^63-1)";
    let index = |case, text: &str| {
        Row::get(LINE, case, format!("/v1/entries/{text}")).says(
            400,
            "request.invalid",
            format!("The index is {number}."),
        )
    };
    let parameter = |case, path: &str, name: &str| {
        Row::get(LINE, case, path).says(400, "request.invalid", format!("`{name}`: {number}."))
    };
    vec![
        index("an index with a leading zero", "01"),
        index("an index with a sign", "+1"),
        index("a negative index", "-1"),
        index("an index in scientific notation", "1e0"),
        index("an index in hex", "0x1"),
        index("an index with white space", "%201"),
        index("an index beyond 2^63", "9223372036854775808"),
        index("an index in other digits", "%D9%A1"),
        parameter("a page with a leading zero", "/v1/issuers?limit=07", "limit"),
        parameter("a beginning with a leading zero", "/v1/changes?from=00", "from"),
        parameter(
            "a size to look back to with a leading zero",
            "/v1/products/acme.example/CAM-1?as_of_size=03",
            "as_of_size",
        ),
        parameter("a moment with a sign", "/v1/heads?after=%2B1", "after"),
        Row::get(LINE, "a claim id in capitals", format!("/v1/claims/{}", world.promise.to_uppercase())).says(
            400,
            "request.invalid",
            "not a claim id (sha256: and 64 lower-case hex digits).",
        ),
    ]
}
