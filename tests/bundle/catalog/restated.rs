//! Lists of the functions that their tools can't read from code: `template.yaml`, the router of `cargo lambda watch` in
//! `Cargo.toml`, and a file for each binary.

use crate::{
    support::{
        functions::{functions, gateway_routes, root},
        template::{logical_id, with_loops},
    },
    template::resources::{function_of, keys, policy_of},
};
use registry::PLATFORMS;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Methods that a hook is called by.
const METHODS: [&str; 6] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];

#[test]
fn the_template_the_router_and_the_binaries_list_every_function() {
    let changes = [changes_of_template(), changes_of_router(), changes_of_binaries()].concat();
    assert!(changes.is_empty(), "\n\n{}\n", changes.join("\n\n"));
}

fn changes_of_template() -> Vec<String> {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    let parsed = with_loops();
    let mut changes = Vec::new();
    let mut has = |section: &str, line: String| {
        if !text.contains(&format!("\n{line}\n")) {
            changes.push(format!("add to template.yaml, {section}\n{line}"));
        }
    };
    let (mut triggers, mut actions) = (BTreeSet::new(), BTreeSet::new());
    for watch in registry::triggers() {
        let (name, path) = (function_of(watch.trigger.name), watch.trigger.path);
        let id = logical_id(&name);
        has("Mappings, Triggers:", format!("    {id}: {{ Name: {name}, Path: \"{path}/{{token}}\" }}"));
        let rates = "{ ThrottlingRateLimit: !Ref HookThrottleRate, ThrottlingBurstLimit: !Ref HookThrottleBurst }";
        has("HttpApi, RouteSettings:", format!("        \"ANY {path}/{{token}}\": {rates}"));
        triggers.insert(id);
    }
    for action in registry::actions() {
        let (name, path, rights) = (function_of(action.name), action.path, policy_of(action));
        let id = logical_id(&name);
        has("Mappings, Actions:", format!("    {id}: {{ Name: {name}, Path: {path}, Rights: {rights} }}"));
        actions.insert(id);
    }
    let modules = [("Triggers", triggers), ("Actions", actions)];
    let looped = |section: &str| -> BTreeSet<String> {
        let ids = parsed["Resources"][format!("Fn::ForEach::{section}")][1].as_array().unwrap();
        ids.iter().map(tests::string).collect()
    };
    for (section, ids) in modules {
        let (looped, mapped) = (looped(section), keys(&parsed["Mappings"][section]));
        let missing = ids.difference(&looped);
        changes.extend(
            missing.map(|id| format!("add to template.yaml, Fn::ForEach::{section}, in the list:\n      {id}")),
        );
        let extra = looped.union(&mapped).filter(|id| !ids.contains(*id));
        changes.extend(extra.map(|id| format!("remove {id} from template.yaml, {section}")));
    }
    changes
}

/// A function by path and method.
type Router = BTreeMap<String, Vec<(String, String)>>;

fn changes_of_router() -> Vec<String> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let text = |entry: &toml::Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let stated = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap().iter();
    let mut stated: Router = stated
        .map(|(path, entries)| {
            let entries = entries.as_array().unwrap().iter();
            (path.clone(), entries.map(|entry| (text(entry, "method"), text(entry, "function"))).collect())
        })
        .collect();
    let mut routes = Router::new();
    for [method, path, function] in gateway_routes() {
        let methods = if method == "ANY" { METHODS.map(str::to_owned).to_vec() } else { vec![method] };
        routes.entry(path).or_default().extend(methods.into_iter().map(|method| (method, function.clone())));
    }
    for entries in stated.values_mut().chain(routes.values_mut()) {
        entries.sort();
    }
    let line = |path: &str, entries: &[(String, String)]| {
        let entry =
            |(method, function): &(String, String)| format!("{{ method = \"{method}\", function = \"{function}\" }}");
        format!("\"{path}\" = [{}]", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
    };
    let section = "Cargo.toml, [workspace.metadata.lambda.watch.router]";
    let mut changes = Vec::new();
    for (path, entries) in &routes {
        match stated.remove(path) {
            None => changes.push(format!("add to {section}:\n{}", line(path, entries))),
            Some(found) if found != *entries => {
                changes.push(format!("change in {section}, to:\n{}", line(path, entries)));
            }
            Some(_) => {}
        }
    }
    changes.extend(stated.keys().map(|path| format!("remove from {section}: \"{path}\"")));
    changes
}

/// Text of the binary of a platform's function.
fn binary(platform: &str, verb_noun: &str) -> String {
    let module = verb_noun.replace('-', "_");
    format!(
        "use connector::lambda;\n\nfn main() -> Result<(), lambda::Error> {{\n    \
         lambda::serve(&{platform}::{module}::FUNCTION)\n}}\n"
    )
}

fn changes_of_binaries() -> Vec<String> {
    let mut files = BTreeMap::new();
    for folder in fs::read_dir(root().join("functions")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path().join("src/bin")).into_iter().flatten() {
            let path = file.unwrap().path();
            files.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), path);
        }
    }
    let mut changes = Vec::new();
    for name in functions() {
        let file = files.remove(&name).map(|path| fs::read_to_string(path).unwrap());
        let module = name.split_once('-').filter(|(first, _)| PLATFORMS.iter().any(|platform| platform.name == *first));
        match module {
            Some((platform, verb_noun)) => {
                let text = binary(platform, verb_noun);
                if file.as_ref() != Some(&text) {
                    changes.push(format!("write functions/{platform}/src/bin/{name}.rs:\n{text}"));
                }
            }
            None if file.is_none() => changes.push(format!("add {name}.rs to src/bin of its package")),
            None => {}
        }
    }
    changes.extend(files.values().map(|path| format!("remove {}", path.display())));
    changes
}
