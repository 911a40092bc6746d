use claimtrail_log::testing::{self, number};
use serde_json::{Value, json};

use crate::support::{Site, indices};

/// Acme's claims about CAM-3 (2, with a GTIN), CAM-4 (3) and Lamp (4); a researcher's about Zeta Lock (6), with a CVE.
async fn filled() -> Site {
    let site = Site::with_acme().await;
    let mut claim = testing::support_claim("CAM-3", "2031-03");
    claim["subject"]["ids"] = json!([{"scheme": "gtin", "value": "4006381333931"}]);
    site.accept(&testing::sign(&claim, &[number::ACME_SIGN])).await;
    site.support("CAM-4", "2031-03").await;
    site.support("Lamp", "2031-03").await;
    site.accept(&testing::enrolment("lab.example", "researcher", 30, 31)).await;
    let mut claim = testing::claim(
        "vulnerability/v1",
        "lab.example",
        "researcher",
        json!({"ids": ["CVE-2026-12345"], "status": [{"versions": ["1.0"], "state": "affected"}]}),
    );
    claim["subject"] = json!({"manufacturer": "name:Zeta GmbH", "model": "Lock"});
    site.accept(&testing::sign(&claim, &[31])).await;
    site
}

fn models(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|product| product["model"].as_str().expect("a model")).collect()
}

#[tokio::test]
async fn claims_by_id_issuer_and_type() {
    let site = filled().await;
    for (query, found) in [
        ("id=gtin:04006381333931", vec![2]),
        ("id=gtin:4006381333931&issuer=acme.example&type=support/v1", vec![2]),
        ("id=gtin:4006381333931&issuer=lab.example", vec![]),
        ("id=vulnerability:CVE-2026-12345", vec![6]),
        ("id=vulnerability:CVE-2026-1", vec![]),
        ("issuer=lab.example", vec![5, 6]),
        ("issuer=acme.example&type=support/v1", vec![2, 3, 4]),
        ("type=issuer/v1", vec![1, 5]),
    ] {
        let answer = site.get_json(&format!("/v1/find?{query}")).await;
        assert_eq!((indices(&answer["items"]), &answer["next_cursor"]), (found, &json!(null)), "{query}");
        assert!(models(&answer["products"]).is_empty());
    }
    for bad in ["", "id=x", "id=gtin:1", "text=a&type=support/v1", "text=a&id=gtin:4006381333931", "q=a"] {
        assert_eq!(site.get(&format!("/v1/find?{bad}")).await.problem(), (400, "request.invalid".into()), "{bad}");
    }
}

#[tokio::test]
async fn products_by_text_maker_id_and_issuer() {
    let site = filled().await;
    let find = async |text: &str| site.get_json(&format!("/v1/find?text={text}")).await["products"].clone();
    assert_eq!(models(&find("cam").await), ["CAM-3", "CAM-4"]);
    assert_eq!(models(&find("zeta").await), ["Lock"]);
    assert_eq!(models(&find("LOCK").await), ["Lock"]);
    assert!(models(&find("am-3").await).is_empty());
    for (query, found) in [
        ("", vec!["CAM-3", "CAM-4", "Lamp", "Lock"]),
        ("manufacturer=acme.example", vec!["CAM-3", "CAM-4", "Lamp"]),
        ("manufacturer=acme.example&q=CAM-", vec!["CAM-3", "CAM-4"]),
        ("manufacturer=name:zeta%20%20gmbh", vec!["Lock"]),
        ("manufacturer=name:zeta", vec![]),
        ("q=l", vec!["Lamp", "Lock"]),
        ("id=gtin:4006381333931", vec!["CAM-3"]),
        ("issuer=lab.example", vec!["Lock"]),
    ] {
        let answer = site.get_json(&format!("/v1/products?{query}")).await;
        assert_eq!((models(&answer["items"]), &answer["next_cursor"]), (found, &json!(null)), "{query}");
    }
    for bad in ["manufacturer=ACME", "q=l&issuer=lab.example", "id=gtin:4006381333931&issuer=lab.example", "model=x"] {
        assert_eq!(site.get(&format!("/v1/products?{bad}")).await.problem(), (400, "request.invalid".into()), "{bad}");
    }
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let site = filled().await;
    for (path, list, whole) in [
        ("/v1/products?q=", "items", 4),
        ("/v1/find?text=", "products", 4),
        ("/v1/find?type=support/v1", "items", 3),
        ("/v1/products?issuer=acme.example", "items", 3),
    ] {
        let (mut found, mut cursor) = (vec![], String::new());
        for _ in 0..10 {
            let page = site.get_json(&format!("{path}&limit=1{cursor}")).await;
            let items = page[list].as_array().expect("a list").clone();
            assert!(items.len() <= 1);
            found.extend(items);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found.len(), whole, "{path}: {found:?}");
        found.dedup();
        assert_eq!(found.len(), whole, "{path}: none twice");
    }
}
