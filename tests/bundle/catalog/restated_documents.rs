//! Lists of the modules in documents: the table of README.md, the tables and mapping paths of docs/modules.md, and the choices
//! of the issue form for a webhook's body.

use crate::support::documents::document;
use models::{Module, ModuleKind};
use regex::Regex;
use registry::PLATFORMS;
use serde_json::Value;
use std::collections::BTreeSet;

const README: &str = "README.md";
const MODULES: &str = "docs/modules.md";
const ISSUE_FORM: &str = ".github/ISSUE_TEMPLATE/webhook-body.yml";

#[test]
fn the_documents_list_every_module() {
    let changes = [changes_of_readme(), changes_of_tables(), changes_of_paths(), changes_of_issue_form()].concat();
    assert!(changes.is_empty(), "\n\n{}\n", changes.join("\n\n"));
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn changes_of_readme() -> Vec<String> {
    let text = document(README);
    let rows = PLATFORMS.iter().map(|platform| {
        let (triggers, actions): (Vec<&Module>, Vec<&Module>) =
            platform.modules.iter().partition(|module| matches!(module.kind, ModuleKind::Trigger { .. }));
        let cell = |modules: Vec<&Module>| {
            let names = quoted(modules.iter().filter_map(|module| module.name().split('.').nth(1)));
            if names.is_empty() { String::new() } else { format!(" {names}") }
        };
        format!("| {} |{} |{} |", platform.label, cell(triggers), cell(actions))
    });
    let missing = rows.filter(|row| !text.contains(&format!("\n{row}\n")));
    missing.map(|row| format!("change in {README}, the table of platforms, to:\n{row}")).collect()
}

fn changes_of_tables() -> Vec<String> {
    let text = document(MODULES);
    let has = |start: &str, end: &str| text.lines().any(|line| line.starts_with(start) && line.ends_with(end));
    let mut changes = Vec::new();
    for (_, module) in registry::modules() {
        let name = module.name();
        let start = format!("| `{name}` | ");
        let (table, words, end) = match module.kind {
            ModuleKind::Trigger { trigger, .. } => {
                let words = module.description.trim_start_matches("Fires when ").trim_end_matches('.');
                ("Triggers", words.to_owned(), format!(" | `{}` | `{}` |", trigger.event_type, trigger.path))
            }
            ModuleKind::Action(action) => {
                let output = schema_fields((module.output)().as_value(), "").join(", ");
                let input = schema_fields((action.input)().as_value(), "?");
                let common = ["connection", "idempotency_key?"];
                let input = quoted(input.iter().map(String::as_str).filter(|field| !common.contains(field)));
                ("Actions", format!("{input} | `{{{output}}}`"), " |".to_owned())
            }
        };
        if !has(&start, &end) {
            changes.push(format!("add to {MODULES}, {table}, in words that fit:\n{start}{words}{end}"));
        }
    }
    let row = Regex::new(r"(?m)^\| `([a-z]+\.[a-z-]+)` \|").unwrap();
    let listed = row.captures_iter(&text).map(|found| found[1].to_owned());
    let unknown = listed.filter(|name| registry::modules().all(|(_, module)| module.name() != name));
    changes.extend(unknown.map(|name| format!("remove from {MODULES} the row of {name}")));
    changes
}

/// The names of an object's fields; optional ones have a mark.
fn schema_fields(schema: &Value, mark: &str) -> Vec<String> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, _)| if required.contains(&name.as_str()) { name.clone() } else { format!("{name}{mark}") })
        .collect()
}

/// Names between backquotes in a list's item, which may go over several lines.
fn named_in_item(text: &str, start: &str) -> Option<BTreeSet<String>> {
    let item = text.split_once(&format!("\n{start}"))?.1;
    let item = item.split_once("\n- ").map_or(item, |(item, _)| item);
    let item = item.split_once("\n\n").map_or(item, |(item, _)| item);
    let name = Regex::new("`([^`]+)`").unwrap();
    Some(name.captures_iter(item).map(|found| found[1].to_owned()).collect())
}

fn changes_of_paths() -> Vec<String> {
    let text = document(MODULES);
    let section = format!("{MODULES}, below \"The paths are\"");
    let mut changes = Vec::new();
    let mut of_person = BTreeSet::new();
    for platform in PLATFORMS {
        let triggers = registry::triggers().filter(|watch| watch.platform.name == platform.name);
        let (mut paths, mut seen): (Vec<&str>, BTreeSet<&str>) = Default::default();
        for path in triggers.flat_map(|watch| watch.trigger.fields()).map(|field| field.path) {
            match path.strip_prefix("subscriber.") {
                Some(field) => drop(of_person.insert(field.split('.').next().unwrap_or(field))),
                None if seen.insert(path) => paths.push(path),
                None => {}
            }
        }
        let start = format!("- of {}:", platform.label);
        let stated = named_in_item(&text, &start).unwrap_or_default();
        if stated != paths.iter().map(|path| (*path).to_owned()).collect() {
            changes.push(format!("change in {section}, to:\n{start} {};", quoted(paths.into_iter())));
        }
    }
    let stated = named_in_item(&text, "- of every trigger:").unwrap_or_default();
    let is_stated =
        |field: &str| stated.contains(&format!("subscriber.{field}")) || stated.contains(&format!(".{field}"));
    let missing = of_person.into_iter().filter(|field| !is_stated(field));
    changes.extend(missing.map(|field| format!("add to {section}, of every trigger:\n`.{field}`")));
    changes
}

fn changes_of_issue_form() -> Vec<String> {
    let names = registry::triggers().map(|watch| watch.trigger.name).chain(["another"]);
    let options: String = names.map(|name| format!("        - {name}\n")).collect();
    let options = format!("      label: Trigger\n      options:\n{options}    validations:\n");
    let is_stated = document(ISSUE_FORM).contains(&options);
    if is_stated { Vec::new() } else { vec![format!("change in {ISSUE_FORM}, to:\n{options}")] }
}
