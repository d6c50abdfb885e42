//! Names of modules, and their schemas.

use models::{Effect, ModuleKind};
use registry::{FUNCTIONS, PLATFORMS};
use web::{Body, input};

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
                ModuleKind::Trigger { trigger, .. } => {
                    let noun = verb_noun.strip_prefix("watch-").unwrap();
                    assert_eq!(trigger.path, format!("/hooks/{}/{noun}", platform.name));
                    assert!(function.direct.is_none());
                    (trigger.platform, format!("{}/{{token}}", trigger.path))
                }
                ModuleKind::Action(action) => {
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

/// Repeating a call that is not idempotent would do it twice.
#[test]
fn an_action_may_be_repeated_as_its_verb_suggests() {
    for action in registry::actions() {
        let (_, verb_noun) = action.name.split_once('.').unwrap();
        let expected = match verb_noun.split('-').next().unwrap() {
            "get" | "list" | "search" => Effect::Safe,
            "ban" | "delete" | "update" => Effect::Idempotent,
            "create" | "register" | "send" => Effect::NotIdempotent,
            "call" => Effect::OfMethod,
            _ => continue,
        };
        assert_eq!(action.effect, expected, "{}", action.name);
    }
}
