//! The state at the end, as the targets and the API have it, compared with the acknowledged events.

use super::{
    Lane,
    load::{self, PEOPLE},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};
use tests::Api;
use tokio::time;

/// Time for the outcomes of the last deliveries.
const OUTCOMES: Duration = Duration::from_secs(30);

/// Numbers of the acknowledged events, by id.
type Events = HashMap<String, usize>;
/// Number of checkpoint records, by subscriber.
pub type Counts = BTreeMap<String, usize>;

/// Each target took each event, and no others.
pub fn targets(lanes: &[Lane], events: &Events) -> Result<String, String> {
    for lane in lanes {
        let taken = lane.receiver.ids();
        let missing = events.keys().filter(|event| !taken.contains(*event)).count();
        let unknown = taken.iter().filter(|id| !events.contains_key(*id)).count();
        if missing + unknown > 0 {
            return Err(format!("route {}: {missing} webhook-ids are missing, {unknown} are of no event", lane.name));
        }
    }
    Ok(format!("{} webhook-ids at each", events.len()))
}

/// Each event has one delivery to each route, and it succeeded.
pub async fn deliveries(api: &Api, lanes: &[Lane], events: &Events) -> Result<String, String> {
    let started = Instant::now();
    while let Some(pending) = api.get("/v1/deliveries?state=pending&limit=1", 200).await["items"].get(0) {
        if started.elapsed() > OUTCOMES {
            return Err(format!("a delivery is still pending: {pending}"));
        }
        time::sleep(Duration::from_millis(100)).await;
    }
    let routes: HashMap<&str, usize> = lanes.iter().enumerate().map(|(at, lane)| (lane.route.as_str(), at)).collect();
    let (mut found, mut attempts, mut faults) = (HashSet::new(), 0, Vec::new());
    api.each("/v1/deliveries", |delivery| {
        let event = events.get(text(&delivery["event"]));
        let place = event.copied().zip(routes.get(text(&delivery["route"])).copied());
        attempts += delivery["attempts"].as_array().map_or(0, Vec::len);
        let is_expected = place.is_some_and(|place| found.insert(place));
        if !is_expected || delivery["state"] != "succeeded" {
            faults.push(delivery.to_string());
        }
    })
    .await;
    let expected = events.len() * lanes.len();
    match faults.first() {
        Some(fault) => Err(format!("{} deliveries are wrong or there twice, such as {fault}", faults.len())),
        None if found.len() != expected => Err(format!("{} of {expected} deliveries are stored", found.len())),
        None => Ok(format!("{expected} deliveries, {attempts} attempts kept")),
    }
}

/// Each event is one checkpoint record, with its values. Returns their number by subscriber as well.
pub async fn checkpoint_records(api: &Api, events: &Events) -> (Counts, Result<String, String>) {
    let (mut found, mut counts, mut faults) = (HashSet::new(), Counts::new(), Vec::new());
    api.each("/v1/checkpoint-records", |record| {
        let number = events.get(text(&record["event"])).copied();
        let is_right = number.is_some_and(|number| found.insert(number) && record["fields"]["Number"] == number);
        if !is_right {
            faults.push(record.to_string());
        }
        *counts.entry(text(&record["subscriber"]).to_owned()).or_default() += 1;
    })
    .await;
    let result = match faults.first() {
        Some(fault) => Err(format!("{} records are wrong or there twice, such as {fault}", faults.len())),
        None if found.len() != events.len() => Err(format!("{} of {} are there", found.len(), events.len())),
        None => Ok(format!("{} records of {} people", found.len(), counts.len())),
    };
    (counts, result)
}

/// Each person is one subscriber, with the values of the latest event, and as many checkpoint records as events.
pub async fn subscribers(api: &Api, events: &Events, counts: &Counts) -> Result<String, String> {
    // Ids sort by the time at which the events were accepted.
    let (mut latest, mut of_person) = (BTreeMap::new(), BTreeMap::<String, usize>::new());
    for (event, number) in events {
        let person = load::person(*number);
        *of_person.entry(person.clone()).or_default() += 1;
        let last = latest.entry(person).or_insert((event, *number));
        *last = (*last).max((event, *number));
    }
    let (mut found, mut faults) = (HashSet::new(), Vec::new());
    api.each("/v1/subscribers", |subscriber| {
        let person = text(&subscriber["platform_id"]);
        let number = latest.get(person).map(|(_, number)| *number);
        let is_right = found.insert(person.to_owned())
            && number.is_some_and(|number| subscriber["attributes"]["number"] == number)
            && subscriber["attributes"]["plan"] == "gold"
            && subscriber["email"] == format!("{person}@example.com")
            && counts.get(text(&subscriber["id"])) == of_person.get(person);
        if !is_right {
            faults.push(format!("{subscriber}, where the latest event is {number:?}"));
        }
    })
    .await;
    match faults.first() {
        Some(fault) => Err(format!("{} subscribers are wrong, such as {fault}", faults.len())),
        None if found.len() != of_person.len() => Err(format!("{} of {} are there", found.len(), of_person.len())),
        None => Ok(format!("{} of {PEOPLE} people, each with the values of the latest event", found.len())),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
