//! The parameters of `template.yaml`: what they may be, and that the functions take just that.

use crate::{
    support::template::resources,
    template::resources::{keys, template},
};
use app::Config;
use serde_json::Value;
use std::collections::BTreeSet;
use store::tables::TABLES;
use web::settings::{SettingError, Settings};

/// Reads a variable as the functions do.
fn read(name: &str, value: &str) -> Result<Config, SettingError> {
    let tables = TABLES.iter().map(|table| (table.variable, "any"));
    let settings: Settings = tables.chain([(name, value)]).collect();
    Config::read(&settings, &registry::settings())
}

#[test]
fn the_functions_accept_every_value_that_a_parameter_allows() {
    let template = template();
    let parameters = &template["Parameters"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let read = |name, value: &str| read(name, value).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    let functions = resources(&template, "AWS::Serverless::Function");
    let own = functions.values().filter_map(|function| function["Properties"]["Environment"]["Variables"].as_object());
    let shared = template["Globals"]["Function"]["Environment"]["Variables"].as_object().unwrap();
    for (name, value) in own.flatten().chain(shared) {
        let Some(parameter) = value["Ref"].as_str().and_then(|id| parameters.get(id)) else { continue };
        let default = read(name, &text(&parameter["Default"]));
        assert_eq!(format!("{default:?}"), format!("{:?}", read(name, "")), "the default of {name}");
        for bound in ["MinValue", "MaxValue"] {
            read(name, &parameter.get(bound).map_or_else(String::new, text));
        }
        for allowed in parameter["AllowedValues"].as_array().into_iter().flatten() {
            read(name, &text(allowed));
        }
    }
}

#[test]
fn every_parameter_is_shown_in_a_group_under_a_label() {
    let template = template();
    let shown = &template["Metadata"]["AWS::CloudFormation::Interface"];
    let stated = keys(&template["Parameters"]);
    assert_eq!(keys(&shown["ParameterLabels"]), stated);
    let groups = shown["ParameterGroups"].as_array().unwrap().iter();
    let grouped: Vec<String> =
        groups.flat_map(|group| group["Parameters"].as_array().unwrap()).map(tests::string).collect();
    assert_eq!(grouped.len(), stated.len(), "a parameter is in two groups");
    assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), stated);
}
