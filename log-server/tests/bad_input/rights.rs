//! Who may say what, where, and about which claim.

use claimtrail_log::testing::{self, number};
use serde_json::{Value, json};

use crate::table::Row;
use crate::world::{World, id, keys, of_beta, promise};

pub(crate) fn rows(world: &World) -> Vec<Row> {
    [speaking(), logs(world), targets(world)].into_iter().flatten().collect()
}

fn speaking() -> Vec<Row> {
    const LINE: &str = "issuer speaking for another";
    const ROLE: &str = "a role the issuer was not enrolled in";
    let claim = testing::support_claim("CAM-9", "2031-03");
    let other_maker = promise("X-1", |claim| claim["subject"]["manufacturer"] = json!("beta.example"));
    let on_behalf = promise("CAM-9", |claim| claim["on_behalf_of"] = json!("beta.example"));
    let role = |role: &str| promise("CAM-9", |claim| claim["role"] = json!(role));
    vec![
        Row::envelope(LINE, "with its own key", &testing::sign(&claim, &[keys::BETA_SIGN]))
            .says(
                403,
                "right.other_issuer",
                format!("the key {} is one of beta.example, not of acme.example", id(keys::BETA_SIGN)),
            )
            .at("/issuer")
            .with_refusal(),
        Row::envelope(LINE, "the operator for an issuer", &testing::sign(&claim, &[number::OPERATOR]))
            .says(
                403,
                "right.other_issuer",
                format!("the key {} is one of the log's operator, not of acme.example", id(number::OPERATOR)),
            )
            .at("/issuer")
            .with_refusal(),
        Row::envelope(LINE, "as the maker of another's product", &other_maker)
            .says(403, "right.other_issuer", "acme.example cannot speak as the maker beta.example")
            .at("/subject/manufacturer")
            .with_refusal(),
        Row::envelope(LINE, "on behalf of another, without a mandate", &on_behalf)
            .says(
                403,
                "right.authority",
                "a claim on behalf of another names the mandate in `authority`, by its claim id",
            )
            .at("/authority")
            .with_refusal(),
        Row::envelope(ROLE, "importer", &role("importer"))
            .says(403, "right.role", "the issuer was not enrolled as importer, only as manufacturer")
            .at("/role")
            .with_refusal(),
        Row::envelope(ROLE, "authority", &role("authority"))
            .says(403, "right.role", "the issuer was not enrolled as authority, only as manufacturer")
            .at("/role")
            .with_refusal(),
        Row::envelope(ROLE, "operator", &role("operator"))
            .says(422, "claim.value", "the operator makes log/v1 and revokes in issuer/v1, nothing else")
            .at("/role"),
        Row::envelope(ROLE, "a role that does not exist", &role("maker"))
            .says(
                422,
                "claim.value",
                "expected one of: manufacturer, authorised-representative, importer, conformity-body, csirt, \
                 researcher, authority, operator",
            )
            .at("/role"),
    ]
}

fn logs(world: &World) -> Vec<Row> {
    const OTHER: &str = "a claim meant for another log";
    const ANCHOR: &str = "an anchor that is not ours";
    const KEEP: &str = "keep that head with its signatures and show it to a monitor or the operator; to submit all the \
                        same, sign the claim anew without an anchor (--no-anchor)";
    let meant_for = |logs: Value| promise("CAM-9", |claim| claim["logs"] = logs);
    let anchored = |model: &str, size: u64, root: &proto::hash::Hash| {
        promise(model, |claim| {
            claim["logs"] = json!([{"origin": testing::ORIGIN, "size": size, "root": root.to_base64()}]);
        })
    };
    let says = "the claim is not meant for log.example/test; its `logs` must name this origin";
    let (ours, other) = (world.root_at_3, proto::hash::Hash::leaf(b"another log's"));
    let fork = |at: &str, size: u64| {
        format!(
            "the claim names the root {at} at size {size}; this log's is {}; {KEEP}",
            world.site.log.log.root_at(proto::num::TreeSize(size)).expect("a root").to_base64()
        )
    };
    vec![
        Row::envelope(OTHER, "another origin", &meant_for(json!([{"origin": "log.example/other"}])))
            .says(422, "claim.wrong_log", says)
            .at("/logs"),
        Row::envelope(
            OTHER,
            "several others",
            &meant_for(json!([{"origin": "log.example/tes"}, {"origin": "log.example/test2"}])),
        )
        .says(422, "claim.wrong_log", says)
        .at("/logs"),
        Row::envelope(OTHER, "no log", &meant_for(json!([])))
            .says(422, "claim.value", "expected at least one item")
            .at("/logs"),
        Row::envelope(ANCHOR, "another root", &anchored("CAM-9", 3, &other))
            .says(409, "anchor.fork", fork(&other.to_base64(), 3))
            .at("/logs")
            .with_refusal()
            .kept_as_report(),
        Row::envelope(ANCHOR, "our root at another size", &anchored("CAM-9", 4, &ours))
            .says(409, "anchor.fork", fork(&ours.to_base64(), 4))
            .at("/logs")
            .with_refusal()
            .kept_as_report(),
        Row::envelope(ANCHOR, "a size that the log has not shown", &anchored("CAM-9", 1_000_000, &other))
            .says(
                409,
                "anchor.fork",
                format!("the claim names a head of size 1000000; this log has shown {{size}} entries; {KEEP}"),
            )
            .at("/logs")
            .with_refusal()
            .kept_as_report(),
        Row::envelope(ANCHOR, "a size without a root", &promise("CAM-9", |claim| claim["logs"][0]["size"] = json!(3)))
            .says(422, "claim.missing", "an anchor has both \"size\" and \"root\", or neither")
            .at("/logs/0/root"),
        Row::envelope(ANCHOR, "by a stranger", &{
            let mut claim = crate::world::registry(
                "gamma.example",
                "importer",
                json!([crate::world::key(keys::NEW_ADMIN, "admin")]),
            );
            claim["logs"] = json!([{"origin": testing::ORIGIN, "size": 3, "root": other.to_base64()}]);
            testing::sign(&claim, &[keys::NEW_ADMIN])
        })
        .says(409, "anchor.fork", fork(&other.to_base64(), 3))
        .at("/logs")
        .with_refusal(),
    ]
}

fn targets(world: &World) -> Vec<Row> {
    const OTHERS: &str = "superseding another's claim";
    const NONE: &str = "superseding a claim that does not exist";
    let supersede = |model: &str, target: &str, kind: &str| {
        promise(model, |claim| {
            claim["rel"] = json!({"kind": kind, "target": {"id": target}});
            if kind == "withdraw" {
                claim["rel"]["reason"] = json!("announced by mistake");
                claim["body"] = json!({});
            }
        })
    };
    let by_beta = {
        let mut claim = of_beta("CAM-1", "2033-01");
        claim["rel"] = json!({"kind": "supersede", "target": {"id": world.promise}});
        testing::sign(&claim, &[keys::BETA_SIGN])
    };
    let nothing = format!("sha256:{}", "0".repeat(64));
    let at = "/rel/target/id";
    vec![
        Row::envelope(OTHERS, "a maker's, by an importer", &by_beta)
            .says(
                403,
                "right.target",
                "only acme.example, its successor or its representative can supersede this claim",
            )
            .at(at)
            .with_refusal(),
        Row::envelope(OTHERS, "an importer's, by the maker", &supersede("CAM-1", &world.of_beta, "supersede"))
            .says(
                403,
                "right.target",
                "only beta.example, its successor or its representative can supersede this claim",
            )
            .at(at)
            .with_refusal(),
        Row::envelope(OTHERS, "withdrawing it", &supersede("CAM-1", &world.of_beta, "withdraw"))
            .says(403, "right.target", "only beta.example, its successor or its representative can withdraw this claim")
            .at(at)
            .with_refusal(),
        Row::envelope(NONE, "an id that is not in the log", &supersede("CAM-1", &nothing, "supersede"))
            .says(409, "target.unknown", format!("{nothing} is not in this log; name the `origin` of the log it is in"))
            .at(at)
            .with_refusal(),
        Row::envelope(NONE, "amending it", &supersede("CAM-1", &nothing, "amend"))
            .says(409, "target.unknown", format!("{nothing} is not in this log; name the `origin` of the log it is in"))
            .at(at)
            .with_refusal(),
        Row::envelope(NONE, "one that was withdrawn", &supersede("CAM-2", &world.withdrawn, "supersede"))
            .says(409, "target.withdrawn", format!("{} was withdrawn; make a new claim", world.withdrawn))
            .at(at)
            .with_refusal(),
        Row::envelope(NONE, "one about another product", &supersede("CAM-3", &world.promise, "supersede"))
            .says(409, "target.slot", "the target is about acme.example / cam-1, this claim is not")
            .at("/subject")
            .with_refusal(),
        Row::envelope(
            NONE,
            "one of another type",
            &promise("CAM-1", |claim| {
                claim["type"] = json!("https://acme.example/types/note");
                claim["rel"] = json!({"kind": "supersede", "target": {"id": world.promise}});
            }),
        )
        .says(409, "target.type", "the target is of type support/v1; `type` must be the same")
        .at(at)
        .with_refusal(),
        Row::envelope(NONE, "no id", &supersede("CAM-1", "sha256:00", "supersede"))
            .says(422, "claim.value", "not a claim id (sha256: and 64 lower-case hex digits)")
            .at(at),
    ]
}
