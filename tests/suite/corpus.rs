//! A recorded corpus: what the gateway makes of several hundred messages of clients
//! and several hundred answers of upstreams, ordinary and hostile, byte for byte.
//!
//! The other areas say what must be true; this one says what is. It exists for
//! changes that must change nothing: each message is sent to a gateway with a route
//! of every kind of target, and the client's and the upstream's view of it are held
//! against the files in `tests/corpus`. A difference is not necessarily a defect, but
//! whoever makes one has to look at it. `JANUA_RECORD=1` records both files anew.

mod answers;
mod inbox;
mod record;
mod requests;
mod scene;
mod script;
mod text;

use record::Record;

#[tokio::test]
async fn messages_of_clients_are_treated_as_recorded() {
    let mut record = Record::new("requests.txt");
    let scene = scene::Scene::start().await;
    for case in requests::all() {
        let transcript = scene.play(&case).await;
        record.add(&case.name, transcript);
    }
    record.compare();
}

#[tokio::test]
async fn answers_of_upstreams_are_treated_as_recorded() {
    let mut record = Record::new("answers.txt");
    let stage = script::Stage::start(answers::all()).await;
    for number in 0..stage.len() {
        let (name, transcript) = stage.play(number).await;
        record.add(&name, transcript);
    }
    record.compare();
}
