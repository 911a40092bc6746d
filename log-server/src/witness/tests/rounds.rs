//! The rounds: who is asked when, what is shown, what happens without a quorum.

use super::*;
use crate::log::Mode;

fn fast() -> Manner {
    Manner::After(Duration::from_millis(20))
}

#[tokio::test(start_paused = true)]
async fn a_quorum_is_enough_while_one_is_dead_and_the_rest_may_be_late() {
    let folder = tempfile::tempdir().unwrap();
    let manners = [fast(), down(), Manner::After(3 * SECOND)];
    let scene = Scene::new(&manners, WithoutQuorum::Closed, folder.path());
    pass(SECOND).await;
    assert_eq!(scene.shown(), None, "one of two that are needed");
    pass(3 * SECOND).await;
    assert_eq!(scene.shown(), Some((1, 2)));
    scene.actors[1].becomes(fast());
    scene.submit(&testing::acme()).await;
    pass(20 * SECOND).await;
    assert_eq!(scene.shown(), Some((2, 3)), "the third line comes when its witness is back");
}

#[tokio::test(start_paused = true)]
async fn a_witness_that_never_answers_holds_up_neither_the_others_nor_a_claim() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), fast(), Manner::Silent], WithoutQuorum::Closed, folder.path());
    scene.submit(&testing::acme()).await;
    for (number, claim) in supports(10).iter().enumerate() {
        scene.submit(claim).await;
        pass(1100 * Duration::from_millis(1)).await;
        assert_eq!(scene.shown(), Some((number as u64 + 3, 2)));
    }
    assert!(scene.metrics().contains("witness_outcomes_total{witness=\"w2\",outcome=\"timed_out\"}"));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_more_often_than_configured_and_only_for_the_newest_head() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), fast(), down()], WithoutQuorum::Closed, folder.path());
    scene.submit(&testing::acme()).await;
    for claim in supports(40) {
        scene.submit(&claim).await;
        pass(Duration::from_millis(100)).await;
    }
    pass(2 * SECOND).await;
    assert_eq!(scene.shown(), Some((42, 2)));
    for actor in &scene.actors {
        let asked = actor.asked();
        let close = asked.windows(2).filter(|pair| pair[1].0 - pair[0].0 < SECOND).count();
        assert_eq!(close, 0, "{asked:?}");
        assert!((2..=9).contains(&asked.len()), "{asked:?}");
        assert!(asked.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{asked:?}");
    }
}

/// Submits claims to a log, one in 20 ms, so that there always is a newer head when a question has been answered.
async fn busy(scene: &Scene, claims: &[Envelope]) {
    for claim in claims {
        scene.submit(claim).await;
        pass(Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outsider_who_submits_every_newer_head_does_not_keep_the_log_from_its_quorum() {
    let folder = tempfile::tempdir().unwrap();
    let pushed = Manner::Pushed { after: Duration::from_millis(80), shows: true };
    let scene = Scene::new(&[pushed.clone(), pushed, down()], WithoutQuorum::Closed, folder.path());
    scene.submit(&testing::acme()).await;
    let claims = supports(200);
    for (number, some) in claims.chunks(50).enumerate() {
        busy(&scene, some).await;
        let (newest, shown) = (scene.log.log.published().head.size.0, scene.shown().map_or(0, |shown| shown.0));
        assert!(shown > 50 * number as u64, "{shown} of {newest}: no quorum while somebody else is faster");
    }
    let metrics = scene.metrics();
    assert!(metrics.contains("witness_quorum_met 1\n") && metrics.contains("outcome=\"ahead\""), "{metrics}");
    assert!(!metrics.contains("outcome=\"cosigned\""), "never the one that it was asked for: {metrics}");
    for actor in &scene.actors {
        let close = actor.asked().windows(2).filter(|pair| pair[1].0 - pair[0].0 < Duration::from_millis(80)).count();
        assert_eq!(close, 0, "one question at a time: {:?}", actor.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_witnesses_are_beyond_is_given_up_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // They show nothing: the log has to ask for the newest head itself, and soon, while there is none that is newer.
    let pushed = Manner::Pushed { after: Duration::from_millis(80), shows: false };
    let scene = Scene::new(&[pushed.clone(), pushed, Manner::Silent], WithoutQuorum::Closed, folder.path());
    scene.submit(&testing::acme()).await;
    busy(&scene, &supports(5)).await;
    pass(Duration::from_millis(300)).await;
    assert_eq!(scene.shown(), Some((7, 2)), "less than a second, and the silent one is not waited for");
}

#[tokio::test(start_paused = true)]
async fn a_witness_that_others_keep_busy_is_asked_again_soon_also_without_a_newer_head() {
    let folder = tempfile::tempdir().unwrap();
    let outrun = Manner::Says(Trouble::Outrun(TreeSize(1)));
    let scene = Scene::new(&[fast(), outrun, down()], WithoutQuorum::Closed, folder.path());
    pass(5 * SECOND).await;
    assert_eq!(scene.shown(), None);
    let asked = scene.actors[1].asked().len();
    assert!((40..=51).contains(&asked), "ten times a second: {asked}");
    scene.actors[1].becomes(fast());
    pass(Duration::from_millis(150)).await;
    assert_eq!(scene.shown(), Some((1, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_dead_witness_is_asked_ever_more_seldom() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[down(), fast(), down()], WithoutQuorum::Closed, folder.path());
    pass(600 * SECOND).await;
    let asked = scene.actors[0].asked().len();
    assert!((40..=80).contains(&asked), "asked {asked} times in ten minutes");
    assert_eq!(scene.actors[1].asked().len(), 1, "it has answered for this head");
}

#[tokio::test(start_paused = true)]
async fn closed_shows_the_last_quorum_and_takes_no_claims_after_half_of_delta() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), fast(), fast()], WithoutQuorum::Closed, folder.path());
    scene.submit(&testing::acme()).await;
    pass(2 * SECOND).await;
    assert_eq!(scene.shown(), Some((2, 3)));
    scene.actors[0].becomes(down());
    scene.actors[1].becomes(down());
    pass(120 * SECOND).await;
    assert_eq!(scene.log.log.mode(), Mode::Normal, "no entry waits");
    scene.submit(&supports(1)[0]).await;
    pass(29 * SECOND).await;
    assert_eq!((scene.shown(), scene.log.log.mode()), (Some((2, 3)), Mode::Normal));
    pass(2 * SECOND).await;
    assert_eq!((scene.shown(), scene.log.log.mode()), (Some((2, 3)), Mode::Unwitnessed));
    assert_eq!(scene.log.log.published().head.size, TreeSize(3), "the log's own head goes on");
    scene.actors[0].becomes(fast());
    pass(20 * SECOND).await;
    assert_eq!((scene.shown().unwrap().0, scene.log.log.mode()), (3, Mode::Normal));
    assert!(scene.metrics().contains("witness_quorum_met 1\n"), "{}", scene.metrics());
}

#[tokio::test(start_paused = true)]
async fn open_shows_the_newest_head_when_witnesses_lag_and_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), fast(), down()], WithoutQuorum::Open, folder.path());
    assert_eq!(scene.shown(), Some((1, 0)), "from the first moment");
    pass(2 * SECOND).await;
    assert_eq!(scene.shown(), Some((1, 2)));
    scene.submit(&testing::acme()).await;
    pass(2 * SECOND).await;
    assert_eq!(scene.shown(), Some((2, 2)));
    scene.actors[0].becomes(down());
    scene.submit(&supports(1)[0]).await;
    pass(5 * SECOND).await;
    assert_eq!(scene.shown(), Some((2, 2)), "they may be back at once");
    pass(7 * SECOND).await;
    assert_eq!(scene.shown(), Some((3, 1)), "the newest head with what it has");
    for claim in &supports(4)[1..] {
        scene.submit(claim).await;
        pass(SECOND).await;
    }
    assert_eq!((scene.shown().unwrap().0, scene.log.log.mode()), (6, Mode::Normal));
    scene.actors[0].becomes(fast());
    pass(20 * SECOND).await;
    assert_eq!(scene.shown(), Some((6, 2)));
}

#[tokio::test(start_paused = true)]
async fn what_was_shown_is_shown_after_a_restart_and_guards_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), fast(), fast()], WithoutQuorum::Closed, folder.path());
    scene.submit(&testing::acme()).await;
    pass(2 * SECOND).await;
    assert_eq!(scene.shown(), Some((2, 3)));
    let log = scene.stop().await;
    let all_down = [down(), down(), down()];
    submit(&log.log, &supports(1)[0]).await;
    let scene = Scene::on(log, &all_down, WithoutQuorum::Closed, folder.path());
    assert_eq!(scene.shown(), Some((2, 3)), "before anybody was asked");
    pass(10 * SECOND).await;
    assert_eq!(scene.shown(), Some((2, 3)));
    drop(scene.stop().await);

    // The same file beside a log that has less, and beside one that has something else.
    let clock: Arc<dyn TimeSource> = Arc::new(testing::ManualTime::default());
    let open = |log: &TestLog| {
        let options = options(WithoutQuorum::Closed, &folder.path().join("w/checkpoint"));
        Witnesses::open_with(&log.log, plan(3, "2"), &options, Vec::new(), clock.clone(), &mut Registry::default())
            .map(|_| ())
            .unwrap_err()
    };
    let other = TestLog::start();
    assert!(matches!(open(&other), CannotAsk::Record(BadRecord::Ahead { .. })));
    let stranger = testing::enrolment("other.example", "manufacturer", 30, 31);
    submit(&other.log, &stranger).await;
    assert!(matches!(open(&other), CannotAsk::Record(BadRecord::OtherHistory { .. })));
    std::fs::write(folder.path().join("w/checkpoint"), "no note").unwrap();
    let error = open(&other);
    assert!(matches!(error, CannotAsk::Record(BadRecord::NotAHead { .. })));
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_cannot_be_kept_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), fast(), fast()], WithoutQuorum::Closed, folder.path());
    pass(2 * SECOND).await;
    assert_eq!(scene.shown(), Some((1, 3)));
    std::fs::remove_dir_all(folder.path().join("w")).unwrap();
    scene.submit(&testing::acme()).await;
    pass(5 * SECOND).await;
    assert_eq!(scene.shown(), Some((1, 3)));
    std::fs::create_dir(folder.path().join("w")).unwrap();
    scene.submit(&supports(1)[0]).await;
    pass(5 * SECOND).await;
    assert_eq!(scene.shown(), Some((3, 3)));
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_a_question_is_no_reason_to_ask_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), Manner::Panics, down()], WithoutQuorum::Closed, folder.path());
    pass(10 * SECOND).await;
    assert_eq!(scene.shown(), None);
    scene.actors[1].becomes(fast());
    pass(20 * SECOND).await;
    assert_eq!(scene.shown(), Some((1, 2)));
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_a_head_over_the_entry_or_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(&[fast(), fast(), fast()], WithoutQuorum::Closed, folder.path());
    scene.submit(&testing::acme()).await;
    let stop = CancellationToken::new();
    let head = scene.witnesses.wait_for(LeafIndex(1), &stop).await.unwrap();
    assert_eq!(head.size, TreeSize(2));
    for actor in &scene.actors {
        actor.becomes(Manner::Silent);
    }
    scene.submit(&supports(1)[0]).await;
    let begun = Instant::now();
    assert_eq!(scene.witnesses.wait_for(LeafIndex(2), &stop).await, None);
    assert_eq!(begun.elapsed().as_secs(), 10);
    stop.cancel();
    assert_eq!(scene.witnesses.wait_for(LeafIndex(2), &stop).await, None, "at once");
    assert!(begun.elapsed() < 11 * SECOND);
    let (receipt, _) = scene.log.log.receipt_under(LeafIndex(1), head.size, &head.note).unwrap().unwrap();
    assert_eq!(receipt.checkpoint.as_bytes(), head.note);
}

#[tokio::test(start_paused = true)]
async fn without_a_quorum_in_the_policy_heads_are_shown_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = TestLog::start();
    let options = options(WithoutQuorum::Closed, &folder.path().join("checkpoint"));
    let clock = Arc::new(log.time.clone());
    let actor = Actor::new(0, down(), &log);
    let asks = vec![(1, "w0".to_owned(), Arc::new(actor.clone()) as Arc<dyn Ask>)];
    let opened = Witnesses::open_with(&log.log, plan(1, "none"), &options, asks, clock, &mut Registry::default());
    let (witnesses, rounds) = opened.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(rounds.run(stop.clone()));
    pass(SECOND).await;
    assert_eq!(witnesses.checkpoint().as_deref(), Some(&*log.log.published().note));
    stop.cancel();
    task.await.unwrap();
}
