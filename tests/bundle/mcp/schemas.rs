//! Tools as clients and language models take them.

use mcp::{Tool, tools};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn described() -> Vec<Value> {
    tools().map(Tool::describe).collect()
}

#[test]
fn names_are_unique_and_every_client_takes_them() {
    let name = Regex::new("^[a-z][a-z0-9_]*$").unwrap();
    let names: Vec<String> = described().iter().map(|tool| tests::string(&tool["name"])).collect();
    for text in &names {
        // With the prefix `mcp__switchboard__`, which counts towards the limit of 64 in one client.
        assert!(name.is_match(text) && text.len() <= 46, "{text}");
    }
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with("call_api")), "{names:?}");
}

#[test]
fn both_schemas_have_an_object_at_their_root_and_compile() {
    for tool in described() {
        for side in ["inputSchema", "outputSchema"] {
            let (name, schema) = (&tool["name"], &tool[side]);
            assert_eq!(schema["type"], "object", "{side} of {name}");
            for keyword in ["oneOf", "anyOf", "allOf", "not", "if", "enum", "$ref"] {
                assert!(schema.get(keyword).is_none(), "{keyword} at the root of the {side} of {name}");
            }
            jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{side} of {name}: {error}"));
            let text = schema.to_string();
            assert!(!text.contains("http://") && !text.contains("https://json"), "{side} of {name}: {text}");
        }
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{}", tool["name"]);
    }
}

#[test]
fn every_hint_is_explicit_and_follows_the_effect() {
    let described = described();
    let hints = |name: &str| {
        let tool = described.iter().find(|tool| tool["name"] == name).unwrap();
        ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]
            .map(|hint| tool["annotations"][hint].as_bool().unwrap())
    };
    for (name, expected) in [
        ("list_events", [true, false, true, false]),
        ("claim_takeover", [false, false, true, false]),
        ("replay_event", [false, false, false, true]),
        ("chatbot_get_user", [true, false, true, true]),
        ("chatbot_ban_user", [false, true, true, true]),
        ("chatbot_create_user", [false, false, false, true]),
    ] {
        assert_eq!(hints(name), expected, "{name}");
    }
    for tool in &described {
        hints(tool["name"].as_str().unwrap());
        for text in ["title", "description"] {
            assert!(tool[text].as_str().is_some_and(|text| !text.is_empty()), "{tool}");
        }
    }
}

#[test]
fn the_whole_list_is_small_enough_for_one_page() {
    let size = json!(described()).to_string().len();
    println!("tools/list: {size} bytes");
    assert!(size < 300_000, "{size}");
}
