//! The External Event. The values of its answer are synthetic, except those copied from the request.

use super::{World, error};
use crate::sandbox::{Seen, next};
use axum::http::header;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

/// Body of an event. Other fields are ignored, because some are documented only by their effect.
#[derive(Deserialize)]
struct Event {
    platform: Option<String>,
    users: Option<Users>,
    users_bm: Option<Vec<String>>,
    #[serde(default)]
    data: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "users: must be a string, or a list of strings and numbers")]
enum Users {
    One(String),
    More(Vec<Id>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(Number),
}

/// Recipients of an event.
#[derive(Default)]
struct Audience {
    platforms: Vec<String>,
    platform_ids: Vec<String>,
    bm_ids: Vec<String>,
}

impl Event {
    fn audience(&self) -> Result<Audience, &'static str> {
        match (&self.platform, &self.users, &self.users_bm) {
            (None, None, Some(ids)) => {
                let is_id = |id: &String| id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
                if ids.is_empty() || !ids.iter().all(is_id) {
                    return Err("users_bm: must be a list of ids of 24 hexadecimal digits");
                }
                Ok(Audience { bm_ids: ids.clone(), ..Audience::default() })
            }
            (Some(platform), Some(users), None) => {
                let platform_ids = users.ids();
                if platform.is_empty() {
                    return Err("platform: must not be empty");
                }
                if platform_ids.as_ref().is_some_and(|ids| ids.is_empty() || ids.iter().any(String::is_empty)) {
                    return Err("users: must name at least one user");
                }
                let platform_ids = platform_ids.unwrap_or_default();
                Ok(Audience { platforms: vec![platform.clone()], platform_ids, ..Audience::default() })
            }
            _ => Err("either platform and users, or users_bm alone, must be given"),
        }
    }
}

impl Users {
    /// Ids in the list. None means every user.
    fn ids(&self) -> Option<Vec<String>> {
        let text = |id: &Id| match id {
            Id::Text(text) => text.clone(),
            Id::Number(number) => number.to_string(),
        };
        match self {
            Self::One(word) if word == "everyone" => None,
            Self::One(id) => Some(vec![id.clone()]),
            Self::More(ids) => Some(ids.iter().map(text).collect()),
        }
    }
}

impl World {
    /// Bodies of the queued events.
    pub fn events(&self) -> Value {
        self.events.clone().into()
    }

    pub(super) fn take(&mut self, seen: &Seen) -> Result<Value, String> {
        let kind = seen.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Err("the Content-Type: must be application/json".to_owned());
        }
        let body: Value = serde_json::from_str(&seen.body).map_err(|error| format!("the body: {error}"))?;
        if !body.is_object() {
            return Err("the body: must be an object".to_owned());
        }
        let event = Event::deserialize(&body).map_err(|error| format!("the body: {error}"))?;
        let audience = event.audience()?;
        if self.refuse_events {
            return Ok(error("the event is refused"));
        }
        self.events.push(body);
        let record = self.record(&audience, event.data);
        let small = if self.exceed_limits { 0 } else { 99 };
        Ok(json!({
            "result": true,
            "payload": if self.nest_payload { json!([[record]]) } else { json!([record]) },
            "limits": {
                "exceeded": self.exceed_limits, "queued": { "big": 0, "small": 1 },
                "remained": { "big": 10, "small": small },
            },
        }))
    }

    fn record(&mut self, audience: &Audience, data: Map<String, Value>) -> Value {
        self.latest = next(self.latest);
        let (at, Audience { platforms, platform_ids, bm_ids }) = (self.latest.to_string(), audience);
        json!({
            "_id": format!("5c517b77{:016x}", self.events.len()), "type": "external-event", "status": "queued",
            "shard": "sandbox", "__v": 0,
            "queryOptions": {
                "botId": "5c517b770000000000000000", "platforms": platforms, "platformIds": platform_ids,
                "storeIds": bm_ids, "tags": [], "exclusiveTags": [],
            },
            "sendData": {
                "type": "screen", "screen": "5c517b77000000000000abcd", "message": null, "formatedMessage": null,
                "attachments": [], "data": data, "stopDialog": false,
            },
            "totalCount": platform_ids.len() + bm_ids.len(), "processedCount": 0, "successCount": 0, "errorCount": 0,
            "errorsSet": [], "partitionsWasCreated": false, "createdAt": at, "updatedAt": at,
        })
    }
}
