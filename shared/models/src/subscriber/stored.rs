//! The stored shape of a profile. DynamoDB charges by the KB, so names are short, and each event's id is stored once,
//! however many values come from it.

use super::{Profile, Sourced, Stamp};
use crate::{ids::ConnectionId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize, Deserialize)]
pub struct Stored {
    #[serde(rename = "p")]
    platform: String,
    #[serde(rename = "c")]
    connection: ConnectionId,
    #[serde(rename = "i")]
    platform_id: String,
    #[serde(rename = "f")]
    first_seen: Timestamp,
    #[serde(rename = "l")]
    last_seen: Timestamp,
    /// The origins of the values, sorted.
    #[serde(rename = "e")]
    stamps: Vec<Stamp>,
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    texts: BTreeMap<String, At<String>>,
    #[serde(rename = "g", default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, usize>,
    #[serde(rename = "a", default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, At<Value>>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    platform_user: Option<At<Value>>,
}

/// A value and the index of its stamp.
#[derive(Serialize, Deserialize)]
struct At<T>(T, usize);

/// A value without a stamp.
#[derive(Debug, thiserror::Error)]
#[error("the profile has a value without its event")]
pub struct MissingStamp;

impl From<Profile> for Stored {
    fn from(profile: Profile) -> Self {
        let texts = profile.texts.values().flatten().map(|sourced| &sourced.by);
        let tags = profile.tags.values().flatten().map(|sourced| &sourced.by);
        let attributes = profile.attributes.values().flatten().map(|sourced| &sourced.by);
        let user = profile.platform_user.iter().map(|sourced| &sourced.by);
        let stamps: BTreeSet<Stamp> = texts.chain(tags).chain(attributes).chain(user).cloned().collect();
        let stamps = Vec::from_iter(stamps);
        let place = |by: &Stamp| stamps.binary_search(by).unwrap_or_default();
        Self {
            texts: each(profile.texts, |sourced| At(sourced.value, place(&sourced.by))),
            tags: each(profile.tags, |sourced| place(&sourced.by)),
            attributes: each(profile.attributes, |sourced| At(sourced.value, place(&sourced.by))),
            platform_user: profile.platform_user.map(|sourced| At(sourced.value, place(&sourced.by))),
            platform: profile.platform,
            connection: profile.connection,
            platform_id: profile.platform_id,
            first_seen: profile.first_seen,
            last_seen: profile.last_seen,
            stamps,
        }
    }
}

fn each<T, S>(sourced: BTreeMap<String, Option<Sourced<T>>>, store: impl Fn(Sourced<T>) -> S) -> BTreeMap<String, S> {
    sourced.into_iter().filter_map(|(name, sourced)| Some((name, store(sourced?)))).collect()
}

impl TryFrom<Stored> for Profile {
    type Error = MissingStamp;

    fn try_from(stored: Stored) -> Result<Self, MissingStamp> {
        let stamp = |at: usize| stored.stamps.get(at).cloned().ok_or(MissingStamp);
        Ok(Self {
            texts: read(stored.texts, |At(value, at)| Ok(Sourced { value, by: stamp(at)? }))?,
            tags: read(stored.tags, |at| Ok(Sourced { value: (), by: stamp(at)? }))?,
            attributes: read(stored.attributes, |At(value, at)| Ok(Sourced { value, by: stamp(at)? }))?,
            platform_user: match stored.platform_user {
                Some(At(value, at)) => Some(Sourced { value, by: stamp(at)? }),
                None => None,
            },
            platform: stored.platform,
            connection: stored.connection,
            platform_id: stored.platform_id,
            first_seen: stored.first_seen,
            last_seen: stored.last_seen,
        })
    }
}

type Read<T> = Result<BTreeMap<String, Option<Sourced<T>>>, MissingStamp>;

fn read<S, T>(stored: BTreeMap<String, S>, sourced: impl Fn(S) -> Result<Sourced<T>, MissingStamp>) -> Read<T> {
    stored.into_iter().map(|(name, value)| Ok((name, Some(sourced(value)?)))).collect()
}
