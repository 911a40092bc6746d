//! `freeze`: the end of a log.

use claimtrail_log::testing::{acme, support};

use crate::support::{Serving, TestFolder, body_of};

#[test]
fn a_frozen_log_is_read_but_never_written() {
    let folder = TestFolder::with_log();
    folder.grow(&[acme()]);
    let freeze =
        |key: &str| folder.run(&["freeze", "log", "--yes", "--operator-key", key, "--successor", "log.example/next"]);
    freeze("registrar").expect(65, &["refused"]);
    folder.run(&["freeze", "log"]).expect(64, &["--operator-key"]);
    folder.run(&["freeze", "log", "--operator-key", "operator"]).expect(64, &["--yes"]);
    folder
        .run(&["freeze", "log", "--yes", "--operator-key", "operator", "--successor", "no origin"])
        .expect(64, &["--successor"]);
    folder.run(&["check", "log"]).expect(0, &["2 of 2 entries"]);

    let server = Serving::start(&folder);
    freeze("operator").expect(69, &["in use by another process"]);
    assert!(server.stop().success());

    freeze("operator").expect(0, &["frozen at size 3"]);
    freeze("operator").expect(65, &["frozen already"]);
    folder.run(&["check", "log"]).expect(0, &["3 of 3 entries"]);
    let server = Serving::start(&folder);
    let answer = server.post(&support("CAM-1", "2031-03"));
    let problem = body_of(&answer, 503);
    assert!(problem.contains("mode.frozen") && problem.contains("log.example/next"), "{problem}");
    body_of(&server.post(&acme()), 200);
    assert!(body_of(&server.get("/v1/log"), 200).contains("frozen"));
    body_of(&server.get_admin("/readyz"), 200);
    assert!(server.stop().success());
}
