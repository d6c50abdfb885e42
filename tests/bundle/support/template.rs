//! `template.yaml` after CloudFormation has expanded its loops (`AWS::LanguageExtensions`).

use super::functions::root;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs};

const LOOP: &str = "Fn::ForEach::";

/// The template as it is written, in its long form: `!Ref a` is `{"Ref": "a"}`, `!GetAtt a.b` is `{"Fn::GetAtt": "a.b"}`.
pub fn with_loops() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    let [document]: [Yaml<'_>; 1] = Yaml::load_from_str(&text).unwrap().try_into().unwrap();
    long_form(&document)
}

fn long_form(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) | Yaml::Representation(value, ..) => json!(value),
        Yaml::Sequence(items) => items.iter().map(long_form).collect(),
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), long_form(value)));
            Value::Object(entries.collect())
        }
        Yaml::Tagged(tag, value) => {
            let function = match tag.suffix.as_str() {
                "Ref" => "Ref".to_owned(),
                name => format!("Fn::{name}"),
            };
            Value::Object(Map::from_iter([(function, long_form(value))]))
        }
        Yaml::Alias(_) | Yaml::BadValue => panic!("{yaml:?} in the template"),
    }
}

/// Expands the loops, and resolves the functions that depend on nothing else. A loop's variable is replaced only where
/// CloudFormation does it: in the loop's keys, in `Ref` and in the text of `Fn::Sub`.
pub fn without_loops(template: &Value) -> Value {
    let expansion = Expansion { mappings: &template["Mappings"], variables: BTreeMap::new() };
    let Value::Object(mut expanded) = expansion.of(template) else { panic!("a template is an object") };
    expanded.remove("Mappings");
    expanded["Transform"].as_array_mut().unwrap().retain(|name| name != "AWS::LanguageExtensions");
    Value::Object(expanded)
}

struct Expansion<'t> {
    mappings: &'t Value,
    /// The value of each loop's variable, by name.
    variables: BTreeMap<&'t str, &'t str>,
}

impl<'t> Expansion<'t> {
    fn of(&self, value: &'t Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.of(item)).collect(),
            Value::Object(fields) => {
                let function = fields.iter().next().filter(|_| fields.len() == 1);
                let resolved = function.and_then(|(name, argument)| self.function(name, argument));
                resolved.unwrap_or_else(|| Value::Object(self.object(fields)))
            }
            other => other.clone(),
        }
    }

    /// The function of this name; nothing if there is none, or one that only CloudFormation can resolve.
    fn function(&self, name: &str, argument: &'t Value) -> Option<Value> {
        let same = |argument| json!({ name: argument });
        Some(match name {
            "Ref" => match argument.as_str().and_then(|variable| self.variables.get(variable)) {
                Some(value) => json!(value),
                None => same(self.of(argument)),
            },
            "Fn::Sub" => {
                let text = argument.as_str().or_else(|| argument[0].as_str()).unwrap();
                let text = self.filled_in(text);
                match argument {
                    Value::String(_) if !text.contains("${") => json!(text),
                    Value::String(_) => same(json!(text)),
                    _ => same(json!([text, self.of(&argument[1])])),
                }
            }
            "Fn::FindInMap" => {
                let keys = self.of(argument);
                let [map, row, column] = [0, 1, 2].map(|at| keys[at].as_str().unwrap());
                let found = &self.mappings[map][row][column];
                assert!(found.is_string(), "no {map}, {row}, {column} in Mappings");
                found.clone()
            }
            "Fn::Join" => {
                let parts = self.of(&argument[1]);
                let texts: Option<Vec<&str>> = parts.as_array().unwrap().iter().map(Value::as_str).collect();
                match texts {
                    Some(texts) => json!(texts.join(argument[0].as_str().unwrap())),
                    None => same(json!([argument[0], parts])),
                }
            }
            "Fn::GetAtt" => match self.of(argument) {
                Value::Array(steps) => {
                    same(json!(steps.iter().map(|step| step.as_str().unwrap()).collect::<Vec<_>>().join(".")))
                }
                whole => same(whole),
            },
            _ => return None,
        })
    }

    fn object(&self, fields: &'t Map<String, Value>) -> Map<String, Value> {
        let mut expanded = Map::new();
        for (name, value) in fields {
            if !name.starts_with(LOOP) {
                expanded.insert(name.clone(), self.of(value));
                continue;
            }
            let [variable, values, body] = value.as_array().unwrap().as_slice() else { panic!("{name}") };
            for value in values.as_array().unwrap() {
                let mut variables = self.variables.clone();
                variables.insert(variable.as_str().unwrap(), value.as_str().unwrap());
                let inner = Expansion { mappings: self.mappings, variables };
                for (key, value) in body.as_object().unwrap() {
                    let before = expanded.insert(inner.filled_in(key), inner.of(value));
                    assert!(before.is_none(), "{name} makes {key} twice");
                }
            }
        }
        expanded
    }

    fn filled_in(&self, text: &str) -> String {
        let fill = |text: String, (variable, value): (&&str, &&str)| text.replace(&format!("${{{variable}}}"), value);
        self.variables.iter().fold(text.to_owned(), fill)
    }
}

pub fn resources(template: &Value, of_type: &str) -> BTreeMap<String, Value> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let of_type = resources.filter(|(_, resource)| resource["Type"] == of_type);
    of_type.map(|(id, resource)| (id.clone(), resource.clone())).collect()
}

/// `api-hooks` is the resource `ApiHooks`.
pub fn logical_id(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}
