//! The README and the documents that it leads to: every name that a user needs is in them, and every link leads somewhere.

use crate::support::{documents::document, functions::root, variables::variables};
use regex::Regex;
use std::{collections::BTreeSet, fs, path::Path};
use web::Code;

/// Documents by their path in the repository.
fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "tests/events/README.md"].map(str::to_owned).into();
    let names = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".md"));
    paths.extend(names.map(|name| format!("docs/{name}")));
    paths.into_iter().map(|path| (path.clone(), document(&path))).collect()
}

/// A document's lines outside its fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Anchor that GitHub derives from a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn every_module_setting_and_problem_is_named() {
    let documents: String = documents().into_iter().map(|(_, text)| text).collect();
    // Those of the deployment alone name its own resources.
    let deployed = ["_TABLE", "_QUEUE_URL", "SEALING_", "ACTION_FUNCTION_PREFIX", "_FUNCTION"];
    let settings = variables().filter(|name| !deployed.iter().any(|part| name.contains(part)));
    let modules = registry::modules().map(|(_, module)| module.name());
    let problems = Code::ALL.iter().map(|code| code.as_str());
    let names: Vec<&str> = modules.chain(settings).chain(problems).collect();
    let missing: Vec<&str> = names.into_iter().filter(|name| !documents.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut links = 0;
    for (path, text) in documents() {
        let prose: String = prose(&text).map(|line| format!("{line}\n")).collect();
        for target in link.captures_iter(&prose).map(|found| found.get(1).unwrap().as_str()) {
            if target.starts_with("https://") {
                continue;
            }
            links += 1;
            let (file, fragment) = target.split_once('#').map_or((target, None), |(file, name)| (file, Some(name)));
            let file = if file.is_empty() {
                root().join(&path)
            } else {
                root().join(&path).parent().unwrap().join(Path::new(file))
            };
            assert!(file.exists(), "{path}: {target} is not there");
            if let Some(fragment) = fragment {
                let there = anchors(&fs::read_to_string(&file).unwrap());
                assert!(there.contains(fragment), "{path}: {target} names no heading: {there:?}");
            }
        }
    }
    assert!(links > 20, "only {links} links");
}

#[test]
fn the_readme_leads_to_every_document() {
    let readme = document("README.md");
    let unled: Vec<String> = documents().into_iter().map(|(path, _)| path).collect();
    let unled = unled.into_iter().filter(|path| path.starts_with("docs/") && !readme.contains(&format!("]({path})")));
    assert_eq!(unled.collect::<Vec<_>>(), [""; 0]);
}
