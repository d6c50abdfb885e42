//! Stories of ChatBot. <https://chatbot.com/docs/stories>

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

/// ChatBot's id of the story.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
// The id becomes a path segment.
pub struct StoryId(#[schemars(regex(pattern = "^[0-9A-Za-z_-]{1,64}$"))] pub String);

/// Output of an action on a story.
#[derive(Serialize, JsonSchema)]
pub struct Touched {
    pub id: String,
}

/// JSON Schema of ChatBot's story object.
pub fn schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "ChatBot's story object. In lists it has no settings, state, history and diagram.",
        "required": ["id"],
        "properties": {
            "id": { "type": "string" },
            "name": { "type": "string" },
            "description": { "type": ["string", "null"] },
            "version": { "type": "number" },
            "published": { "type": "boolean" },
            "integrations": { "type": "array" },
            "metrics": { "type": "array" },
            "settings": { "type": "object" },
            "state": { "type": "object" },
            "history": { "type": "object" },
            "diagram": { "type": "object" },
        },
        "additionalProperties": true,
    })
}
