//! What stories are made of. <https://chatbot.com/docs/stories>

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

/// ChatBot's id of the story.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
// It becomes a step of a path.
pub struct StoryId(#[schemars(regex(pattern = "^[0-9A-Za-z_-]{1,64}$"))] pub String);

/// What an action on a story answers with.
#[derive(Serialize, JsonSchema)]
pub struct Touched {
    pub id: String,
}

/// A story as ChatBot has it, whole.
pub fn schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "A story as ChatBot has it. A list leaves settings, state, history and diagram out.",
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
