//! `/users`.

use super::{Outcome, Refusal, World, bad, date, done, given, made, missing, text, uuid};
use models::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Attributes of every user, as `default_…`; null if unset.
const DEFAULTS: &str = "email name url avatar language timezone gender ip city region country referrer username";

const LONGEST_PAGE: usize = 40;

pub struct User {
    pub id: String,
    pub user_id: String,
    pub banned: bool,
    pub attributes: Map<String, Value>,
    pub session: Map<String, Value>,
    pub segments: BTreeSet<String>,
    pub chats: Vec<Chat>,
    pub created: Timestamp,
    pub seen: Timestamp,
}

pub struct Chat {
    pub id: String,
    pub created: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewUser {
    #[serde(default, deserialize_with = "given")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    segments: Option<OneOrMore>,
    attributes: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "segments: must be an id or a list of ids")]
enum OneOrMore {
    One(String),
    More(BTreeSet<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    attributes: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    banned: bool,
}

impl User {
    fn new(id: String, user_id: String, attributes: Map<String, Value>, created: Timestamp) -> Self {
        let null = |name| (format!("default_{name}"), Value::Null);
        let mut all: Map<String, Value> = DEFAULTS.split(' ').map(null).collect();
        all.extend(attributes);
        let (session, segments, chats) = Default::default();
        Self { id, user_id, banned: false, attributes: all, session, segments, chats, created, seen: created }
    }

    /// The user as an item of the list. `source` is synthetic: it stands for any undocumented field.
    fn listed(&self) -> Value {
        json!({
            "id": self.id, "userId": self.user_id, "banned": self.banned, "attributes": self.attributes,
            "conversations": self.chats.len(), "createdAt": date(self.created), "lastSeen": date(self.seen),
            "source": "sandbox",
        })
    }

    /// The user as `GET /users/:id` answers. The fields of a conversation are synthetic.
    pub fn alone(&self) -> Value {
        let mut user = self.listed();
        let chat = |chat: &Chat| json!({ "id": chat.id, "createdAt": date(chat.created) });
        user["conversations"] = self.chats.iter().map(chat).collect();
        user["sessionAttributes"] = self.session.clone().into();
        user
    }
}

impl World {
    pub(super) fn seed_known_users(&mut self) {
        self.seed_user(json!({ "default_email": "ava@example.com", "default_name": "Ava", "plan": "gold" }));
        self.seed_user(json!({ "default_email": "nobody@example.com" }));
        self.seed_user(json!({ "default_email": "ben@example.com", "default_name": "Ben" })).banned = true;
    }

    pub fn seed_users(&mut self, count: usize) {
        for _ in 0..count {
            let n = self.users.len() + 1;
            let name = format!("Visitor {n}");
            self.seed_user(json!({ "default_email": format!("visitor-{n}@example.com"), "default_name": name }));
        }
    }

    fn seed_user(&mut self, attributes: Value) -> &mut User {
        let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
        let (id, created) = (self.id(), self.seeded_at());
        self.users.push_mut(User::new(id, uuid(self.made.into()), attributes, created))
    }

    pub fn every_user(&self) -> Value {
        let whole = |user: &User| {
            let mut whole = user.alone();
            whole["segments"] = json!(user.segments);
            whole
        };
        self.users.iter().map(whole).collect()
    }

    pub(super) fn user(&mut self, id: &str) -> Result<&mut User, Refusal> {
        self.users.iter_mut().find(|user| user.id == id).ok_or_else(|| missing("user"))
    }

    /// Lists users. The brackets of `sort` in the query are synthetic, and so is a `count` of all users.
    pub(super) fn list_users(&self, query: &str) -> Outcome {
        let (mut limit, mut after, mut by_seen, mut ascending) = (LONGEST_PAGE, None, false, false);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("limit", value) => match value.parse() {
                    Ok(number @ 1..=LONGEST_PAGE) => limit = number,
                    _ => return Err(bad(format!("limit: must be from 1 to {LONGEST_PAGE}"))),
                },
                ("after", id) => {
                    let known = self.users.iter().find(|user| user.id == id);
                    after = Some(&known.ok_or_else(|| bad("after: must be a user's id"))?.id);
                }
                ("sort[field]", "createdAt" | "lastSeen") => by_seen = value == "lastSeen",
                ("sort[order]", "asc" | "desc") => ascending = value == "asc",
                ("match", "all" | "any") => {}
                ("sort[field]" | "sort[order]" | "match", _) => {
                    return Err(bad(format!("{name}: has an unknown value")));
                }
                _ => return Err(bad(format!("{name}: is an unknown parameter"))),
            }
        }
        let mut users: Vec<&User> = self.users.iter().collect();
        users.sort_by_key(|&user| (if by_seen { user.seen } else { user.created }, &user.id));
        if !ascending {
            users.reverse();
        }
        let start = after.and_then(|id| users.iter().position(|user| user.id == *id)).map_or(0, |last| last + 1);
        let page: Value = users.into_iter().skip(start).take(limit).map(User::listed).collect();
        Ok(json!({ "data": page, "count": self.users.len() }))
    }

    pub(super) fn create_user(&mut self, new: NewUser) -> Outcome {
        check(&new.attributes)?;
        match &new.user_id {
            Some(user_id) => text("userId", user_id, 256)?,
            None if new.attributes.contains_key("default_email") => {}
            None => return Err(bad("userId: is missing, and attributes.default_email is missing as well")),
        }
        if self.users.iter().any(|user| new.user_id.as_ref() == Some(&user.user_id)) {
            return Err(bad("userId: another user has it"));
        }
        let segments = match new.segments {
            Some(OneOrMore::One(id)) => BTreeSet::from([id]),
            Some(OneOrMore::More(ids)) => ids,
            None => BTreeSet::new(),
        };
        self.check_segments(&segments)?;
        let (id, created) = (self.id(), self.now());
        let user_id = new.user_id.unwrap_or_else(|| uuid(self.made.into()));
        let reply = made(&id);
        self.users.push(User { segments, ..User::new(id, user_id, new.attributes, created) });
        Ok(if self.create_answers_object { reply } else { json!([reply]) })
    }

    /// Changes the named attributes. That the others stay is synthetic.
    pub(super) fn change_user(&mut self, id: &str, change: Change) -> Outcome {
        let user = self.user(id)?;
        check(&change.attributes)?;
        user.attributes.extend(change.attributes);
        Ok(done())
    }

    pub(super) fn ban_user(&mut self, id: &str, ban: Ban) -> Outcome {
        self.user(id)?.banned = ban.banned;
        Ok(done())
    }
}

fn check(attributes: &Map<String, Value>) -> Result<(), Refusal> {
    if !(1..=99).contains(&attributes.len()) {
        return Err(bad("attributes: must have from 1 to 99 keys"));
    }
    for (name, value) in attributes {
        let longest = if name == "default_name" { 256 } else { 1024 };
        let name = format!("attributes.{name}");
        text(&name, value.as_str().ok_or_else(|| bad(format!("{name}: must be a string")))?, longest)?;
    }
    Ok(())
}
