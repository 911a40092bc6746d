//! One question over HTTP: what is sent, and what is believed of the answer.

use proto::hash::Hash;
use proto::merkle::verify_consistency;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// Asks witness 0, that answers so; what came of it, and what was sent.
async fn ask(log: &TestLog, old: u64, answers: Vec<(u16, &'static str, String)>) -> (Asked, Vec<String>) {
    let server = MockServer::start().await;
    for (status, kind, body) in answers {
        let answer = ResponseTemplate::new(status).set_body_raw(body, kind).insert_header("retry-after", "7");
        let asked = Mock::given(method("POST")).and(path("/some/prefix/add-checkpoint"));
        asked.respond_with(answer).up_to_n_times(1).mount(&server).await;
    }
    let mut seat = plan(1, "1").seats.remove(0);
    seat.url = format!("{}/some/prefix/", server.uri());
    let ask = HttpAsk::new(log.log.clone(), &seat, Arc::new(log.time.clone())).unwrap();
    let asked = ask.ask(TreeSize(old), log.log.published()).await;
    let bodies =
        server.received_requests().await.unwrap().into_iter().map(|sent| String::from_utf8(sent.body).unwrap());
    (asked, bodies.collect())
}

async fn log_of(entries: usize) -> TestLog {
    let log = TestLog::start();
    submit(&log.log, &testing::acme()).await;
    for claim in supports(entries - 2) {
        submit(&log.log, &claim).await;
    }
    log
}

fn line_at(log: &TestLog, number: u8, time: u64) -> String {
    let head = text_of(&log.log.published().note).unwrap();
    format!("{}\n", cosigner(number).sign(&head, Seconds(time)).unwrap())
}

fn good(log: &TestLog) -> (u16, &'static str, String) {
    (200, "text/plain", line_at(log, 0, NOW.0))
}

const SIZE: &str = "text/x.tlog.size; charset=utf-8";

#[tokio::test]
async fn a_new_witness_is_asked_without_a_proof_and_one_that_knows_more_with_one() {
    let log = log_of(7).await;
    let note = String::from_utf8(log.log.published().note.to_vec()).unwrap();
    let (asked, bodies) = ask(&log, 0, vec![good(&log)]).await;
    assert_eq!((asked.known, asked.line.unwrap().1), (TreeSize(7), NOW));
    assert_eq!(bodies, [format!("old 0\n\n{note}")]);

    let answers = vec![(409, SIZE, "3\n".into()), good(&log)];
    let (asked, bodies) = ask(&log, 0, answers).await;
    assert!(asked.line.is_ok());
    let (proof, sent) = bodies[1].split_once("\n\n").unwrap();
    assert_eq!(sent, note);
    let mut lines = proof.lines();
    assert_eq!(lines.next(), Some("old 3"));
    let proof: Vec<Hash> = lines.map(|line| Hash::from_base64(line).unwrap()).collect();
    let (old, new) = (log.log.root_at(TreeSize(3)).unwrap(), log.log.root_at(TreeSize(7)).unwrap());
    verify_consistency(TreeSize(3), TreeSize(7), &old, &new, &proof).unwrap();

    // The same head again has no proof.
    let (asked, bodies) = ask(&log, 7, vec![good(&log)]).await;
    assert!(asked.line.is_ok() && bodies[0].starts_with("old 7\n\n"));
}

#[tokio::test]
async fn only_a_good_line_by_the_key_of_the_policy_is_believed() {
    let log = log_of(3).await;
    let head = text_of(&log.log.published().note).unwrap();
    let line = |number| line_at(&log, number, NOW.0);
    // Lines of others beside it are ignored.
    let (asked, _) = ask(&log, 0, vec![(200, "text/plain", line(5) + &line(0))]).await;
    assert!(asked.line.is_ok());
    let other = CheckpointText::new(head.origin(), TreeSize(3), Hash::of(b"another")).unwrap();
    let forged = format!("{}\n", cosigner(0).sign(&other, NOW).unwrap());
    let renamed = line(5).replacen("w5.example", "w0.example", 1);
    for (body, part) in [
        (line(5), "no line of w0.example"),
        (renamed, "no line of w0.example"),
        (forged, "does not verify"),
        (line(0).trim_end().to_owned(), "end with a line feed"),
        (String::new(), "end with a line feed"),
        ("<html>".to_owned(), "end with a line feed"),
    ] {
        let (asked, _) = ask(&log, 0, vec![(200, "text/plain", body.clone())]).await;
        let trouble = asked.line.unwrap_err();
        assert!(matches!(&trouble, Trouble::Garbage(why) if why.contains(part)), "{trouble:?} of {body:?}");
    }
    let (asked, _) = ask(&log, 0, vec![(200, "text/plain", line(0).repeat(200))]).await;
    assert!(matches!(asked.line, Err(Trouble::Unreachable(why)) if why.contains("more than 16384 bytes")));
    for time in [NOW.0 - 301, NOW.0 + 301] {
        let (asked, _) = ask(&log, 0, vec![(200, "text/plain", line_at(&log, 0, time))]).await;
        assert!(matches!(asked.line, Err(Trouble::Clock { .. })));
    }
    let (asked, _) = ask(&log, 0, vec![(200, "text/plain", line_at(&log, 0, NOW.0 + 299))]).await;
    assert!(asked.line.is_ok());
}

#[tokio::test]
async fn a_witness_that_knows_another_log_is_a_contradiction_and_loud() {
    let log = log_of(4).await;
    for (old, status, kind, body, part) in [
        (0, 422, "text/plain", "no\u{1b}pe\n", "two histories"),
        (3, 422, "application/problem+json", r#"{"detail":"the proof fails"}"#, "the proof fails"),
        (0, 409, SIZE, "5\n", "somebody else signs with its key"),
        (4, 409, SIZE, "4\n", "another head of 4 entries"),
    ] {
        let (asked, _) = ask(&log, old, vec![(status, kind, body.into())]).await;
        let trouble = asked.line.unwrap_err();
        assert!(matches!(&trouble, Trouble::Contradicted(why) if why.contains(part)), "{trouble:?}");
        assert!(!trouble.to_string().contains('\u{1b}'), "what a stranger says does not reach a terminal as it is");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let log = log_of(3).await;
    for (status, kind, body, name) in [
        (404, "text/plain", "unknown log\n", "refused"),
        (403, "text/plain", "", "refused"),
        (400, "text/plain", "", "refused"),
        (301, "text/plain", "", "refused"),
        (204, "text/plain", "", "refused"),
        (429, "text/plain", "", "busy"),
        (503, "text/plain", "", "busy"),
        (503, "application/problem+json", r#"{"code":"witness.stopped"}"#, "stopped"),
        (503, "application/problem+json", r#"{"code":"witness.waits"}"#, "busy"),
        (409, "text/plain", "3\n", "garbage"),
        (409, SIZE, "03\n", "garbage"),
        (409, SIZE, "3", "garbage"),
    ] {
        let (asked, _) = ask(&log, 0, vec![(status, kind, body.into())]).await;
        let trouble = asked.line.unwrap_err();
        assert_eq!(trouble.name(), name, "{status} {body:?}: {trouble}");
        if let Trouble::Busy { wait, .. } = trouble {
            assert_eq!(wait, Some(7 * SECOND));
        }
    }
}

#[tokio::test]
async fn a_head_that_somebody_else_submitted_in_between_is_no_fault() {
    let log = log_of(4).await;
    let older = log.log.published();
    submit(&log.log, &testing::support("CAM-9", "2031-03")).await;
    let mut seat = plan(1, "1").seats.remove(0);
    seat.url = "http://127.0.0.1:1".into();
    let ask = HttpAsk::new(log.log.clone(), &seat, Arc::new(log.time.clone())).unwrap();
    let asked = ask.ask(TreeSize(5), older).await;
    assert_eq!((asked.known, asked.line.unwrap_err()), (TreeSize(5), Trouble::Ahead(TreeSize(5))), "nothing is sent");
    let answers = ["1\n", "2\n", "3\n"].map(|size| (409, SIZE, size.to_owned())).to_vec();
    let (asked, bodies) = super::asking::ask(&log, 0, answers).await;
    let sent = bodies.iter().filter(|body| body.starts_with("old")).count();
    assert_eq!((asked.line.unwrap_err().name(), sent), ("outrun", MAX_TRIES), "it is not asked for ever");
}

/// Asks witness 0 for the head of 4 entries, which has cosigned the newest one of 6 already and shows this.
async fn beyond(shows: impl Fn(&TestLog) -> Vec<u8>, status: u16) -> (TestLog, Asked) {
    let log = log_of(4).await;
    let older = log.log.published();
    for model in ["CAM-8", "CAM-9"] {
        submit(&log.log, &testing::support(model, "2031-03")).await;
    }
    let server = MockServer::start().await;
    let shown = format!("/some/prefix/{}/checkpoint", Hash::of(log.log.origin().as_bytes()));
    let answer = ResponseTemplate::new(status).set_body_raw(shows(&log), "text/plain");
    Mock::given(method("GET")).and(path(shown)).respond_with(answer).expect(1).mount(&server).await;
    let conflict = ResponseTemplate::new(409).set_body_raw("6\n", SIZE);
    Mock::given(method("POST")).respond_with(conflict).expect(1).mount(&server).await;
    let mut seat = plan(1, "1").seats.remove(0);
    seat.url = format!("{}/some/prefix", server.uri());
    let ask = HttpAsk::new(log.log.clone(), &seat, Arc::new(log.time.clone())).unwrap();
    let asked = ask.ask(TreeSize(0), older).await;
    assert_eq!((&asked.known, asked.line.as_ref().unwrap_err()), (&TreeSize(6), &Trouble::Ahead(TreeSize(6))));
    (log, asked)
}

#[tokio::test]
async fn the_line_of_a_newer_head_that_somebody_else_submitted_is_taken_from_what_the_witness_shows() {
    // With another stamp, and with lines that say nothing.
    let shows = |log: &TestLog| {
        let head = text_of(&log.log.published().note).unwrap();
        let lines = line_at(log, 0, NOW.0) + &line_at(log, 7, NOW.0);
        format!("{head}\n{lines}").into_bytes()
    };
    let (log, asked) = beyond(shows, 200).await;
    let seen = asked.seen.unwrap();
    assert_eq!((seen.size, seen.time, &seen.own), (TreeSize(6), NOW, &log.log.published().note));
    assert_eq!(format!("{}\n", seen.line), line_at(&log, 0, NOW.0));
}

#[tokio::test]
async fn nothing_else_that_a_witness_shows_is_taken() {
    let signed = |head: &CheckpointText, number: u8, time: u64| {
        format!("{head}\n{}\n", cosigner(number).sign(head, Seconds(time)).unwrap()).into_bytes()
    };
    let newest = |log: &TestLog| text_of(&log.log.published().note).unwrap();
    let other = |log: &TestLog, size, root| CheckpointText::new(log.log.origin(), TreeSize(size), root).unwrap();
    type Shows<'a> = &'a dyn Fn(&TestLog) -> Vec<u8>;
    let cases: [(&str, u16, Shows<'_>); 8] = [
        ("no note", 200, &|_| b"<html>".to_vec()),
        ("an error", 404, &|log| signed(&newest(log), 0, NOW.0)),
        ("the line of another", 200, &|log| signed(&newest(log), 1, NOW.0)),
        ("no line", 200, &|log| log.log.published().note.to_vec()),
        ("an old time", 200, &|log| signed(&newest(log), 0, NOW.0 - 301)),
        ("another root", 200, &|log| signed(&other(log, 6, Hash::of(b"x")), 0, NOW.0)),
        ("more than the log has", 200, &|log| signed(&other(log, 7, Hash::of(b"x")), 0, NOW.0)),
        ("a line over another head", 200, &|log| {
            let line = cosigner(0).sign(&other(log, 6, Hash::of(b"x")), NOW).unwrap();
            format!("{}\n{line}\n", newest(log)).into_bytes()
        }),
    ];
    for (what, status, shows) in cases {
        let (_, asked) = beyond(shows, status).await;
        assert!(asked.seen.is_none(), "{what}");
    }
}
