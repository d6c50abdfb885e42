//! Consistency of the modules with their copies: the registry, the binaries, and the router of `cargo lambda watch`.

use crate::support::functions::{functions, gateway_routes, root};

use models::{Effect, Kind};
use registry::{FUNCTIONS, PLATFORMS};
use std::fs;
use web::{Body, input};

/// The methods that a hook is called by.
const METHODS: [&str; 6] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];

#[test]
fn the_router_of_cargo_lambda_watch_has_every_route_once() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let router = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let mut entries: Vec<[String; 3]> = Vec::new();
    for (path, methods) in router {
        let methods = methods.as_array().unwrap().iter();
        entries.extend(methods.map(|entry| [text(&entry["method"]), path.clone(), text(&entry["function"])]));
    }
    entries.sort();
    let each = |[method, path, function]: [String; 3]| {
        let methods = if method == "ANY" { METHODS.map(str::to_owned).to_vec() } else { vec![method] };
        methods.into_iter().map(move |method| [method, path.clone(), function.clone()])
    };
    let mut stated: Vec<_> = gateway_routes().into_iter().flat_map(each).collect();
    stated.sort();
    assert_eq!(entries, stated);
}

#[test]
fn every_function_has_a_binary_and_every_binary_is_a_function() {
    let (mut files, mut stated) = (Vec::new(), Vec::new());
    for folder in fs::read_dir(root().join("functions")).unwrap() {
        let folder = folder.unwrap().path();
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        let bins = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
        stated.extend(bins.map(|bin| bin["name"].as_str().unwrap().to_owned()));
        let sources = fs::read_dir(folder.join("src/bin")).into_iter().flatten();
        files.extend(sources.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()));
    }
    files.sort();
    stated.sort();
    let functions: Vec<String> = functions().into_iter().collect();
    assert_eq!((files, stated), (functions.clone(), functions));
}

#[test]
fn a_module_is_named_as_its_platform_its_function_and_its_path() {
    for (platform, functions) in PLATFORMS.iter().zip(FUNCTIONS) {
        assert_eq!(platform.modules.len(), functions.len(), "{}", platform.name);
        for (module, function) in platform.modules.iter().zip(*functions) {
            let verb_noun = module.name().strip_prefix(&format!("{}.", platform.name)).unwrap();
            assert!(verb_noun.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{verb_noun}");
            assert_eq!(function.name, module.name().replace('.', "-"));
            let route = &function.routes[0];
            let (stated, path) = match module.kind {
                Kind::Trigger { trigger, .. } => {
                    let noun = verb_noun.strip_prefix("watch-").unwrap();
                    assert_eq!(trigger.path, format!("/hooks/{}/{noun}", platform.name));
                    assert!(function.direct.is_none());
                    (trigger.platform, format!("{}/{{token}}", trigger.path))
                }
                Kind::Action(action) => {
                    assert_eq!(action.path, format!("/v1/actions/{}/{verb_noun}", platform.name));
                    assert!(function.direct.is_some() && function.routes.len() == 1);
                    (action.platform, action.path.to_owned())
                }
            };
            assert_eq!((stated, route.method, route.path), (platform.name, "POST", path.as_str()));
        }
    }
}

#[test]
fn every_schema_that_input_is_held_against_is_understood_whole() {
    let bodies = catalog::functions().flat_map(|function| function.routes).filter_map(|route| match route.body {
        Body::None => None,
        Body::Optional(schema) | Body::Required(schema) => Some(schema),
    });
    let inputs = registry::modules().map(|(_, module)| module.input());
    let credentials = PLATFORMS.iter().map(|platform| platform.credentials);
    for schema in bodies.chain(inputs).chain(credentials) {
        input::validator(&schema()).unwrap_or_else(|problem| panic!("{}", problem.causes()));
    }
}

#[test]
fn the_modules_are_those_of_the_documents() {
    let triggers: Vec<_> = registry::triggers().map(|watch| (watch.trigger.name, watch.trigger.event_type)).collect();
    let documented = [
        ("botstar.watch-checkpoint-record", "botstar.checkpoint_record.created"),
        ("botstar.watch-subscriber", "botstar.subscriber.created"),
        ("botstar.watch-tag", "botstar.tag.added"),
        ("botstar.watch-human-takeover", "botstar.takeover.requested"),
        ("chatbot.watch-message", "chatbot.message.received"),
        ("botdistrikt.watch-message", "botdistrikt.message.sent"),
        ("botmother.watch-request", "botmother.request.received"),
    ];
    assert_eq!(triggers, documented);
    let actions: Vec<_> = registry::actions().map(|action| (action.name, action.effect)).collect();
    let documented = [
        ("chatbot.search-users", Effect::Safe),
        ("chatbot.get-user", Effect::Safe),
        ("chatbot.create-user", Effect::NotIdempotent),
        ("chatbot.update-user", Effect::Idempotent),
        ("chatbot.ban-user", Effect::Idempotent),
        ("chatbot.list-stories", Effect::Safe),
        ("chatbot.get-story", Effect::Safe),
        ("chatbot.create-story", Effect::NotIdempotent),
        ("chatbot.update-story", Effect::Idempotent),
        ("chatbot.delete-story", Effect::Idempotent),
        ("chatbot.call-api", Effect::OfMethod),
        ("botdistrikt.register-user", Effect::NotIdempotent),
        ("botdistrikt.send-message", Effect::NotIdempotent),
        ("botmother.send-event", Effect::NotIdempotent),
    ];
    assert_eq!(actions, documented);
}
