//! A fuzz of the receiving path. Any call of a hook is answered without a 5xx, and whatever is accepted is, by the store's
//! own word, dispatched, listed, read with its fields, remapped and erased.
//!
//! `make test` plays the kept corpus and one batch of a fixed seed. `make fuzz` goes on with new seeds for as long as
//! `FUZZ_SECONDS` says, prints its seed, and writes a case that fails into the corpus.

mod calls;
mod world;

use calls::Call;
use futures::FutureExt as _;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{
    env, fs,
    panic::AssertUnwindSafe,
    path::PathBuf,
    time::{Duration, Instant},
};
use world::HookedBundle;

const BATCH: usize = 100;
/// Attempts at a smaller body for a case that fails.
const SHRINKS: usize = 40;

fn corpus() -> PathBuf {
    crate::support::functions::root().join("tests/corpus")
}

/// Plays calls against a bundle of their own. The reason if the property does not hold.
async fn play(calls: Vec<Call>) -> Result<usize, String> {
    // A bundle that can't be set up is no fault of the calls, so this panic fails the test.
    let bundle = HookedBundle::start().await;
    // A broken expectation panics.
    let played = AssertUnwindSafe(bundle.play(&calls)).catch_unwind();
    played.await.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// The first call of a batch that fails by itself, with as small a body as a few attempts find.
async fn smallest(calls: Vec<Call>) -> Option<(Call, String)> {
    for call in calls {
        let Err(mut reason) = play(vec![call.clone()]).await else { continue };
        let mut smallest = call;
        let mut piece = smallest.body.len().div_ceil(2);
        for _ in 0..SHRINKS {
            let cuts = (0..smallest.body.len()).step_by(piece.max(1)).map(|from| smallest.without(from, piece.max(1)));
            let mut found = None;
            for cut in cuts.take(4) {
                if let Err(again) = play(vec![cut.clone()]).await {
                    found = Some((cut, again));
                    break;
                }
            }
            match found {
                Some(smaller) => (smallest, reason) = smaller,
                None if piece <= 1 => break,
                None => piece /= 2,
            }
        }
        return Some((smallest, reason));
    }
    None
}

fn batch(seed: u64, number: u64) -> Vec<Call> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let calls = proptest::collection::vec(calls::any_call(), BATCH);
    calls.new_tree(&mut runner).expect("a batch").current()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kept_corpus_holds() {
    let mut calls = Vec::new();
    for file in fs::read_dir(corpus()).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        calls.push(serde_json::from_str(&text).unwrap());
    }
    assert!(!calls.is_empty());
    play(calls).await.unwrap_or_else(|reason| panic!("{reason}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_call_is_dispatched_listed_read_remapped_and_erased() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = number("FUZZ_SECONDS");
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let seed = number("FUZZ_SEED").unwrap_or(if seconds.is_some() { clock } else { 1 });
    eprintln!("FUZZ_SEED={seed}");
    let (start, until) = (Instant::now(), Duration::from_secs(seconds.unwrap_or(0)));
    let (mut called, mut accepted) = (0, 0);
    for number in 0.. {
        let calls = batch(seed, number);
        match play(calls.clone()).await {
            Ok(events) => accepted += events,
            Err(reason) => fail(seed, number, calls, reason).await,
        }
        called += BATCH;
        if number % 20 == 19 {
            eprintln!("{called} calls, {accepted} accepted, after {:?}", start.elapsed());
        }
        if start.elapsed() >= until {
            break;
        }
    }
    eprintln!("{called} calls, {accepted} accepted, in {:?}", start.elapsed());
}

async fn fail(seed: u64, number: u64, calls: Vec<Call>, reason: String) -> ! {
    let Some((call, reason)) = smallest(calls).await else {
        panic!("batch {number} of FUZZ_SEED={seed} fails, and none of its calls by itself: {reason}");
    };
    let file = corpus().join(format!("{seed}-{number}.json"));
    fs::write(&file, serde_json::to_string_pretty(&call).unwrap()).unwrap();
    panic!("{reason}\nbatch {number} of FUZZ_SEED={seed}; the call is kept in {}", file.display());
}
