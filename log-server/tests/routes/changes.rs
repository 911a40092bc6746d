use crate::support::{Site, indices};

#[tokio::test]
async fn a_reader_follows_the_log() {
    let site = Site::with_acme().await;
    for model in ["A", "B", "C"] {
        site.support(model, "2031-03").await;
    }
    let page = site.get_json("/v1/changes?limit=2").await;
    assert_eq!((indices(&page["items"]), &page["next"], &page["size"]), (vec![0, 1], &2.into(), &5.into()));
    assert!(page["items"][0].get("entry").is_none());
    let page = site.get_json("/v1/changes?from=2&limit=200&entries=true").await;
    assert_eq!((indices(&page["items"]), &page["next"]), (vec![2, 3, 4], &5.into()));
    assert_eq!(page["items"][0]["entry"], site.get("/v1/entries/2").await.json()["entry"]);
    let page = site.get_json("/v1/changes?from=5").await;
    assert_eq!((indices(&page["items"]), &page["next"]), (vec![], &5.into()));
    site.support("D", "2031-03").await;
    assert_eq!(indices(&site.get_json("/v1/changes?from=5").await["items"]), [5]);
    assert_eq!(site.get("/v1/changes?from=7").await.problem(), (404, "request.beyond_tree".into()));
    for bad in ["from=01", "from=-1", "limit=0", "limit=201", "entries=yes", "form=1", "from=1&from=2"] {
        assert_eq!(site.get(&format!("/v1/changes?{bad}")).await.problem(), (400, "request.invalid".into()), "{bad}");
    }
}
