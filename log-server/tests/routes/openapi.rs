//! The document against the routes, and real answers against the document.

use std::collections::BTreeSet;

use claimtrail_log::http::{ROUTES, openapi_document};
use claimtrail_log::testing::{self, number};
use serde_json::{Value, json};

use crate::schema::check;
use crate::support::{Answer, Site, id_of};

pub(crate) fn document() -> Value {
    serde_json::from_str(openapi_document()).expect("the document is JSON")
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().expect("operations").keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routes = ROUTES.iter().map(|(method, path)| ((*method).to_owned(), path.replace("{*path}", "{path}")));
    assert_eq!(described, routes.collect());
}

#[test]
fn references_parameters_and_codes_hold() {
    let document = document();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("a reference");
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    for (path, item) in document["paths"].as_object().expect("paths") {
        for operation in item.as_object().expect("operations").values() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path: BTreeSet<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().expect("a name"))
                .collect();
            let named: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            assert_eq!(in_path, named, "{path}");
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let Some(problem) = response.pointer("/content/application~1problem+json/schema/allOf/1") else {
                    continue;
                };
                for code in problem["properties"]["code"]["enum"].as_array().expect("codes") {
                    let code = proto::code::Code::parse(code.as_str().expect("a code")).expect("a known code");
                    assert_eq!(service::status::status_of(code).as_str(), status, "{path}: {code}");
                }
            }
        }
    }
    let listed = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().expect("codes");
    let elsewhere = ["entry.", "head.", "checkpoint.", "witness.", "request.host"];
    let codes = proto::code::Code::ALL.iter().filter(|code| !elsewhere.iter().any(|of| code.as_str().starts_with(of)));
    assert_eq!(*listed, codes.map(|code| json!(code.as_str())).collect::<Vec<_>>());
}

#[track_caller]
pub(crate) fn conforms(document: &Value, method: &str, route: &str, answer: &Answer) {
    let operation = &document["paths"][route][method];
    let response = &operation["responses"][answer.status.as_str()];
    assert!(response.is_object(), "{route}: {} is not described: {}", answer.status, answer.text());
    let content_type = answer.header("content-type");
    let schema = &response["content"][content_type]["schema"];
    assert!(schema.is_object(), "{route}: {content_type} is not described for {}", answer.status);
    let values = match content_type {
        "application/json" | "application/problem+json" => vec![answer.json()],
        "application/x-ndjson" => answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(),
        _ => return,
    };
    for value in values {
        let wrong = check(document, schema, &value);
        assert!(wrong.is_empty(), "{route}: {wrong:#?}\n{value:#}");
    }
}

#[tokio::test]
async fn real_answers_are_as_described() {
    let document = document();
    let site = Site::start();
    let enrolled = site.submit(&testing::acme()).await;
    conforms(&document, "post", "/v1/claims", &enrolled);
    let id = site.support("CAM-3", "2031-03").await;
    site.answer_to(&id, "supersede", "CAM-3", "2032-03").await;
    let again = site.submit(&testing::support("CAM-3", "2031-03")).await;
    conforms(&document, "post", "/v1/claims", &again);
    let mut other = testing::support_claim("E", "2031-03");
    other["role"] = json!("importer");
    let refused = [
        testing::sign(&other, &[number::ACME_SIGN]),
        testing::sign(&testing::support_claim("CAM-3", "2031-03"), &[number::ACME_ADMIN]),
        testing::sign(&testing::support_claim("K", "soon"), &[number::ACME_SIGN]),
    ];
    for envelope in &refused {
        conforms(&document, "post", "/v1/claims", &site.submit(envelope).await);
    }
    for (content_type, body) in [("text/plain", String::new()), ("application/json", "x".repeat(200_000))] {
        conforms(&document, "post", "/v1/claims", &site.post("/v1/claims", content_type, body).await);
    }
    let lines: Vec<String> = refused.iter().map(proto::dsse::Envelope::to_json).collect();
    let body = lines.join("\n") + "\n\n" + &testing::support("S", "2031-03").to_json();
    let stream = site.post("/v1/claims/stream", "application/x-ndjson", body).await;
    conforms(&document, "post", "/v1/claims/stream", &stream);
    let refused = site.post("/v1/claims/stream", "text/plain", "").await;
    conforms(&document, "post", "/v1/claims/stream", &refused);

    let logged = id_of(&enrolled.json());
    let unknown = format!("sha256:{}", "0".repeat(64));
    let mut asked: Vec<(&str, String)> = vec![
        ("/checkpoint", "/checkpoint".into()),
        ("/tile/{path}", "/tile/0/000.p/2".into()),
        ("/tile/{path}", "/tile/0/000".into()),
        ("/tile/{path}", "/tile/0/0".into()),
        ("/openapi.json", "/openapi.json".into()),
        ("/v1/entries/{index}", "/v1/entries/0".into()),
        ("/v1/entries/{index}", "/v1/entries/99".into()),
        ("/v1/entries/{index}", "/v1/entries/01".into()),
        ("/v1/issuers", "/v1/issuers?limit=1".into()),
        ("/v1/issuers", "/v1/issuers?limit=0".into()),
        ("/v1/issuers/{id}", "/v1/issuers/acme.example".into()),
        ("/v1/issuers/{id}", "/v1/issuers/other.example".into()),
        ("/v1/issuers/{id}/claims", "/v1/issuers/acme.example/claims?limit=1".into()),
        ("/v1/issuers/{id}/claims", "/v1/issuers/operator.example/claims".into()),
        ("/v1/products", "/v1/products?manufacturer=acme.example&q=c&limit=1".into()),
        ("/v1/products/{manufacturer}/{model}", "/v1/products/acme.example/cam-3?limit=1".into()),
        ("/v1/products/{manufacturer}/{model}", "/v1/products/acme.example/other".into()),
        ("/v1/products/{manufacturer}/{model}", "/v1/products/acme.example/cam-3?as_of_size=99".into()),
        ("/v1/find", "/v1/find?issuer=acme.example".into()),
        ("/v1/find", "/v1/find?text=cam".into()),
        ("/v1/find", "/v1/find".into()),
        ("/v1/changes", "/v1/changes?entries=true".into()),
        ("/v1/changes", "/v1/changes?from=99".into()),
        ("/v1/log", "/v1/log".into()),
        ("/v1/heads", "/v1/heads?limit=1".into()),
    ];
    for id in [logged.as_str(), &id, &unknown, "x"] {
        asked.push(("/v1/claims/{id}", format!("/v1/claims/{id}")));
        asked.push(("/v1/claims/{id}/receipt", format!("/v1/claims/{id}/receipt")));
        asked.push(("/v1/claims/{id}/proof", format!("/v1/claims/{id}/proof")));
    }
    for (route, path) in &asked {
        conforms(&document, "get", route, &site.get(path).await);
    }
    let seen: BTreeSet<&str> = asked.iter().map(|(route, _)| *route).collect();
    assert_eq!(seen.len() + 2, ROUTES.len(), "every route is asked");
}
