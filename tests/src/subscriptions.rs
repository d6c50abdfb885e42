//! Subscriptions of MCP clients, as they are stored.

use models::{KeyId, RouteId, Timestamp};
use store::routes::{EventRoute, McpTarget, Target};

/// A subscription of this type of events with a filter that none passes. Each number gives another id.
pub fn subscription(number: usize, event_type: &str, until: Timestamp) -> EventRoute {
    let (at, arguments) = (Timestamp::from_millis(1), format!(r#"{{"checkpoint":"Checkpoint {number}"}}"#));
    let key = KeyId::new(at, [1; 10]);
    EventRoute {
        id: RouteId::of_subscription(&key, "https://agent.example.com/mcp", event_type, &arguments),
        v: 1,
        version: 1,
        name: format!("{event_type} to https://agent.example.com"),
        events: vec![event_type.to_owned()],
        hook: None,
        connection: None,
        filter: Some(format!(r#"data.checkpoint.name == "Checkpoint {number}""#)),
        // A sealed text is longer than what is in it.
        target: Target::Mcp(McpTarget {
            key,
            url: "x".repeat(200),
            origin: "https://agent.example.com".to_owned(),
            arguments,
            secrets: Vec::new(),
        }),
        enabled: true,
        disabled_reason: None,
        generation: 0,
        created_at: at,
        updated_at: at,
        expires_at: Some(until),
        expires: None,
    }
}
