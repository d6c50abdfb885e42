//! The update of a stack that was deployed before the template had loops keeps everything. `make e2e` does such an update.

use crate::{functions::root, written};
use serde_json::{Value, json};
use std::fs;

/// The resources, parameters and outputs that were deployed then.
fn deployed() -> Value {
    serde_json::from_slice(&fs::read(root().join("tests/template/deployed.json")).unwrap()).unwrap()
}

fn fields(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().unwrap().iter()
}

/// A name that is made of text and references, as the text of an `Fn::Sub`.
fn name(value: &Value) -> Value {
    if let Some(sub) = value.get("Fn::Sub") {
        return sub.get(0).unwrap_or(sub).clone();
    }
    let Some(join) = value.get("Fn::Join") else { return value.clone() };
    let part = |part: &Value| match part["Ref"].as_str() {
        Some(reference) => format!("${{{reference}}}"),
        None => tests::string(part),
    };
    let parts: Vec<String> = join[1].as_array().unwrap().iter().map(part).collect();
    json!(parts.join(join[0].as_str().unwrap()))
}

#[test]
fn no_resource_is_lost_or_replaced() {
    let (before, after) = (deployed(), written("expanded.json"));
    for (id, resource) in fields(&before["resources"]) {
        let now = &after["Resources"][id];
        assert_eq!(now["Type"], resource["type"], "{id}");
        let of_type = before["create_only"][resource["type"].as_str().unwrap()].as_array().unwrap();
        for property in of_type.iter().map(tests::string) {
            let value = name(&now["Properties"][&property]);
            let known = resource["fixed"].get(&property).unwrap_or(&Value::Null);
            assert_eq!(value, *known, "{property} of {id}: CloudFormation replaces the resource if it changes");
        }
    }
}

#[test]
fn the_parameters_and_the_outputs_are_as_they_were() {
    let (before, after) = (deployed(), written("expanded.json"));
    for (name, parameter) in fields(&before["parameters"]) {
        let now = &after["Parameters"][name];
        assert_eq!(json!({ "Type": now["Type"], "Default": now["Default"] }), *parameter, "{name}");
    }
    for (name, export) in fields(&before["outputs"]) {
        let now = after["Outputs"].get(name).expect("every output stays");
        assert_eq!(now["Export"], *export, "{name}");
    }
}
