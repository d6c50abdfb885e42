//! `/users/segments`, and the segments of a user.

use super::{Outcome, Refusal, World, bad, date, done, made, text};
use models::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub struct Segment {
    id: String,
    name: String,
    created: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSegment {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    segments: BTreeSet<String>,
    users: BTreeSet<String>,
}

impl World {
    pub(super) fn seed_segments(&mut self) {
        for name in ["Leads", "Customers"] {
            let segment = Segment { id: self.id(), name: name.to_owned(), created: self.seeded_at() };
            self.segments.push(segment);
        }
    }

    pub(super) fn list_segments(&self) -> Value {
        let listed = |segment: &Segment| {
            let users = self.users.iter().filter(|user| user.segments.contains(&segment.id)).count();
            json!({ "id": segment.id, "name": segment.name, "users": users, "createdAt": date(segment.created) })
        };
        self.segments.iter().map(listed).collect()
    }

    /// Creates a segment. The `id` in the answer is synthetic.
    pub(super) fn create_segment(&mut self, new: NewSegment) -> Outcome {
        text("name", &new.name, 256)?;
        let segment = Segment { id: self.id(), name: new.name, created: self.now() };
        let reply = made(&segment.id);
        self.segments.push(segment);
        Ok(reply)
    }

    pub(super) fn add_members(&mut self, members: Members) -> Outcome {
        if !(1..=100).contains(&members.segments.len()) {
            return Err(bad("segments: must have from 1 to 100 items"));
        }
        if !(1..=1000).contains(&members.users.len()) {
            return Err(bad("users: must have from 1 to 1000 items"));
        }
        self.check_segments(&members.segments)?;
        if !members.users.iter().all(|id| self.users.iter().any(|user| user.id == *id)) {
            return Err(bad("users: there is no such user"));
        }
        for user in self.users.iter_mut().filter(|user| members.users.contains(&user.id)) {
            user.segments.extend(members.segments.iter().cloned());
        }
        Ok(done())
    }

    pub(super) fn add_segments(&mut self, user: &str, mut ids: BTreeSet<String>) -> Outcome {
        ids.extend(self.user(user)?.segments.iter().cloned());
        self.replace_segments(user, ids)
    }

    pub(super) fn replace_segments(&mut self, user: &str, ids: BTreeSet<String>) -> Outcome {
        self.user(user)?;
        self.check_segments(&ids)?;
        self.user(user)?.segments = ids;
        Ok(done())
    }

    pub(super) fn check_segments(&self, ids: &BTreeSet<String>) -> Result<(), Refusal> {
        match ids.iter().all(|id| self.segments.iter().any(|segment| segment.id == *id)) {
            true => Ok(()),
            false => Err(bad("segments: there is no such segment")),
        }
    }
}
