//! JSON Schema of a chat user, as `GET /bots/{botId}/users/{userId}` returns it.

use schemars::{Schema, json_schema};

pub fn schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "BotStar's user, with custom attributes beside the fields below.",
        "required": ["id"],
        "properties": {
            "id": { "type": "string" },
            "board_id": { "type": "string", "description": "The bot. The field is spelled so." },
            "name": { "type": ["string", "null"] },
            "first_name": { "type": ["string", "null"] },
            "last_name": { "type": ["string", "null"] },
            "email": { "type": ["string", "null"] },
            "birthday": { "type": ["string", "null"], "description": "A date, `YYYY-MM-DD`." },
            "channel": { "type": ["string", "null"], "description": "`facebook`, for example." },
            "locale": { "type": ["string", "null"] },
            "timezone": { "type": ["number", "null"] },
            "picture": { "type": ["string", "null"] },
            "ip": { "type": ["string", "null"] },
            "tags": { "type": ["array", "null"], "items": { "type": "string" } },
            "otn_topics": {
                "type": ["array", "null"],
                "description": "`{id, name, expired_at, token}` of each topic.",
                "items": { "type": "object" },
            },
        },
        "additionalProperties": true,
    })
}
