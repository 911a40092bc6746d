use std::io::Read as _;

use axum::body::Body;
use claimtrail_log::testing;
use http::Request;
use http::header::ACCEPT_ENCODING;
use proto::hash::Hash;
use proto::merkle::MemoryTree;
use proto::num::TreeSize;
use proto::tile::Bundle;

use crate::support::Site;

/// A log of 260 entries.
async fn large() -> Site {
    let site = Site::with_acme().await;
    let lines: Vec<String> = (0..258).map(|n| testing::support(&format!("M-{n}"), "2031-03").to_json()).collect();
    let answer = site.post("/v1/claims/stream", "application/x-ndjson", lines.join("\n")).await;
    assert_eq!(answer.text().matches("\"status\":201").count(), 258, "{}", answer.text());
    site
}

#[tokio::test]
async fn tiles_and_bundles_lead_to_the_root_of_the_checkpoint() {
    let site = large().await;
    let checkpoint = site.get("/checkpoint").await;
    assert_eq!(checkpoint.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(checkpoint.header("cache-control"), "max-age=1");
    assert_eq!(checkpoint.header("access-control-allow-origin"), "*");
    let text = checkpoint.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(&lines[..2], ["log.example/test", "260"]);

    let mut tree = MemoryTree::new();
    for (path, width) in [("000", 256), ("001.p/4", 4)] {
        let bundle = site.get(&format!("/tile/entries/{path}")).await;
        let tile = site.get(&format!("/tile/0/{path}")).await;
        for answer in [&bundle, &tile] {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), "application/octet-stream");
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        }
        assert_eq!(tile.body.len(), 32 * usize::from(width));
        let parsed = Bundle::parse(&bundle.body, width).expect("a bundle");
        let hashes: Vec<Hash> = parsed.leaf_hashes().collect();
        assert_eq!(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>(), tile.body);
        for hash in hashes {
            tree.append(hash);
        }
    }
    let root = proto::merkle::root_at(&tree, TreeSize(260)).expect("a root");
    assert_eq!(lines[2], root.to_base64());
    assert_eq!(site.get("/tile/1/000.p/1").await.body.len(), 32);
}

#[tokio::test]
async fn partial_tiles_stay_after_the_full_one_exists() {
    let site = large().await;
    let full = site.get("/tile/0/000").await.body;
    for width in [1, 100, 255] {
        assert_eq!(site.get(&format!("/tile/0/000.p/{width}")).await.body, full[..32 * width]);
        assert_eq!(site.get(&format!("/tile/entries/000.p/{width}")).await.status, 200);
    }
}

#[tokio::test]
async fn bundles_are_gzipped_when_that_is_accepted() {
    let site = large().await;
    let plain = site.get("/tile/entries/000").await;
    let request = Request::get("/tile/entries/000").header(ACCEPT_ENCODING, "br, gzip;q=0.8").body(Body::empty());
    let packed = site.send(request.expect("a request")).await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain.body);
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
}

#[tokio::test]
async fn every_other_path_is_not_found() {
    let site = large().await;
    for (path, code) in [
        ("/tile/0/002", "request.beyond_tree"),
        ("/tile/0/001", "request.beyond_tree"),
        ("/tile/0/001.p/5", "request.beyond_tree"),
        ("/tile/1/000", "request.beyond_tree"),
        ("/tile/2/000.p/1", "request.beyond_tree"),
        ("/tile/63/000.p/1", "request.beyond_tree"),
        ("/tile/entries/001", "request.beyond_tree"),
        ("/tile/entries/x001/000", "request.beyond_tree"),
        ("/tile/00/000", "request.not_found"),
        ("/tile/0/00", "request.not_found"),
        ("/tile/0/0000", "request.not_found"),
        ("/tile/0/x000/000", "request.not_found"),
        ("/tile/0/000.p/0", "request.not_found"),
        ("/tile/0/000.p/256", "request.not_found"),
        ("/tile/0/000.p/01", "request.not_found"),
        ("/tile/64/000", "request.not_found"),
        ("/tile/-1/000", "request.not_found"),
        ("/tile/0/%3000", "request.not_found"),
        ("/tile/0/000/", "request.not_found"),
        ("//tile/0/000", "request.not_found"),
        ("/tile/data/000", "request.not_found"),
        ("/tile/", "request.not_found"),
    ] {
        assert_eq!(site.get(path).await.problem(), (404, code.into()), "{path}");
    }
}

#[tokio::test]
async fn heads_of_files_have_no_body() {
    let site = large().await;
    for path in ["/checkpoint", "/tile/0/000", "/tile/entries/000"] {
        let full = site.get(path).await;
        let head = site.send(Request::head(path).body(Body::empty()).expect("a request")).await;
        assert_eq!((head.status, head.body.len()), (full.status, 0));
        assert_eq!(head.header("content-type"), full.header("content-type"));
        assert_eq!(head.header("content-length"), full.body.len().to_string());
    }
}
