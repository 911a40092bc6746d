//! What a log publishes tells every monitor that follows it what its witnesses cosigned last.

use client::http::{Http, encode_segment};
use harness::cluster::ORIGIN;
use harness::process::until;
use monitor::gossip::peer::CosignedAnswer;
use proto::hash::Hash;
use proto::note::{Note, Vkey};

use super::{Scene, wait};

#[test]
fn a_monitor_learns_it_from_the_log_though_nobody_shows_it() {
    let (mut scene, lines) = Scene::new(2);
    let (vkey, url) = lines[0].clone();
    // The second one knows the first one's key; the first one does not know the second one, and pushes nothing.
    scene.monitors[1].stop();
    let name = vkey.split('+').next().unwrap();
    scene.monitors[1].configure(&format!("[[peer]]\nname = \"{name}\"\nurl = \"{url}\"\nvkey = \"{vkey}\"\n"));
    scene.monitors[1].serve_again();
    scene.ask(&lines, 2, "");
    scene.promise("CAM-1", &[]);
    let size = scene.own_size();
    scene.until_shown(size, 2);
    // By a power cut of the first one nothing is lost of it.
    scene.monitors[0].kill();
    let (origin, key) = (encode_segment(ORIGIN), encode_segment(&vkey));
    let path = format!("/v1/cosigned?origin={origin}&key={key}&nonce={}", Hash::of(b"a question"));
    let ask = || {
        let answer = wait(Http::new(scene.monitors[1].url()).unwrap().get(&path, 1 << 20)).unwrap();
        serde_json::from_slice::<CosignedAnswer>(&answer.body).unwrap().checkpoint
    };
    let note = until("it is known", || ask().filter(|note| note.starts_with(&format!("{ORIGIN}\n{size}\n"))));
    let vkey = Vkey::parse(&vkey).unwrap();
    let names: Vec<String> =
        Note::parse(note.as_bytes()).unwrap().signatures().iter().map(|line| line.name().to_string()).collect();
    assert!(names.len() <= 3 && names.contains(&vkey.name().to_string()), "its line and the log's alone: {names:?}");
}
