//! `/v2/stories`, and the legacy `/stories` for the same stories. Bodies and the path of a deletion are synthetic.

use super::{Outcome, Refusal, World, bad, done, given, made, missing, text, uuid};
use serde::Deserialize;
use serde_json::{Value, json};

pub struct Story {
    id: String,
    name: String,
    description: String,
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewStory {
    name: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    description: Option<String>,
}

impl Story {
    fn listed(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "description": self.description, "version": self.version,
            "published": true, "integrations": ["widget"], "metrics": [],
        })
    }

    pub fn full(&self) -> Value {
        let node =
            |n, kind, name, children: Value| json!({ "id": uuid(n), "type": kind, "name": name, "children": children });
        let hook = node(2, "WEBHOOK", "Switchboard", json!([]));
        json!({
            "id": self.id, "name": self.name, "description": self.description, "version": self.version,
            "published": true, "integrations": ["widget"],
            "settings": {
                "confidence": 0.7, "language": "en", "compact": false, "ignoreAttachments": false, "navigation": "mouse",
            },
            "userSettings": {}, "state": {}, "history": { "undo": [], "redo": [] },
            "diagram": node(1, "START_POINT", "Start", json!([hook])),
        })
    }

    fn legacy_listed(&self) -> Value {
        let metrics = json!([{ "date": "2026-01-01 00:00:00.000Z", "conversations": 0 }]);
        json!({
            "id": self.id, "name": self.name, "description": self.description, "integrations": [], "metrics": metrics,
        })
    }

    pub fn legacy(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "description": self.description, "order": [], "interactions": {},
        })
    }
}

impl World {
    pub(super) fn seed_stories(&mut self) {
        for (name, description) in [("Support", "Answers questions"), ("Sales", "")] {
            let (name, description) = (name.to_owned(), description.to_owned());
            let story = Story { id: self.id(), name, description, version: 2 };
            self.stories.push(story);
        }
    }

    pub(super) fn story(&mut self, id: &str) -> Result<&mut Story, Refusal> {
        self.stories.iter_mut().find(|story| story.id == id).ok_or_else(|| missing("story"))
    }

    /// The story in which users talk.
    pub(super) fn first_story(&self) -> Option<&str> {
        self.stories.first().map(|story| story.id.as_str())
    }

    pub fn every_story(&self) -> Value {
        self.stories.iter().map(Story::full).collect()
    }

    pub(super) fn list_stories(&self) -> Value {
        self.stories.iter().map(Story::listed).collect()
    }

    pub(super) fn list_legacy_stories(&self) -> Value {
        self.stories.iter().map(Story::legacy_listed).collect()
    }

    pub(super) fn create_story(&mut self, new: NewStory) -> Outcome {
        text("name", &new.name, 256)?;
        let story = Story { id: self.id(), name: new.name, description: new.description, version: 1 };
        let reply = made(&story.id);
        self.stories.push(story);
        Ok(reply)
    }

    pub(super) fn change_story(&mut self, id: &str, change: Change) -> Outcome {
        let story = self.story(id)?;
        if change.name.is_none() && change.description.is_none() {
            return Err(bad("the body: must have a name or a description"));
        }
        if let Some(name) = change.name {
            text("name", &name, 256)?;
            story.name = name;
        }
        story.description = change.description.unwrap_or_else(|| story.description.clone());
        story.version += 1;
        Ok(done())
    }

    pub(super) fn delete_story(&mut self, id: &str) -> Outcome {
        self.story(id)?;
        self.stories.retain(|story| story.id != id);
        Ok(done())
    }
}
