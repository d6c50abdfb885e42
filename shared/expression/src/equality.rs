//! Filters that compare fields of `data` with texts: `data.tag == "vip" && data.environment == "live"`. Many filters are of
//! this kind, and such a comparison needs no evaluation.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators},
};
use payload::View;
use serde_json::Value;

/// Comparisons that must all hold: a path in `data`, and the text at it.
pub struct Equalities(Vec<(Vec<String>, String)>);

impl Equalities {
    /// The comparisons of a tree; none if it has anything else.
    pub fn of(tree: &IdedExpr) -> Option<Self> {
        let mut all = Vec::new();
        add(tree, &mut all).then_some(Self(all))
    }

    /// True if each text is at its path. A missing field and a value of another type differ from any text.
    pub fn hold(&self, data: &View<'_>) -> bool {
        self.0.iter().all(|(path, text)| text_at(data, path) == Some(text))
    }
}

fn add(tree: &IdedExpr, all: &mut Vec<(Vec<String>, String)>) -> bool {
    let Expr::Call(CallExpr { func_name, target: None, args }) = &tree.expr else { return false };
    match (func_name.as_str(), &**args) {
        (operators::LOGICAL_AND, [left, right]) => add(left, all) && add(right, all),
        (operators::EQUALS, [left, right]) => {
            let compared = path(left).zip(literal(right)).or_else(|| path(right).zip(literal(left)));
            all.extend(compared.clone());
            compared.is_some()
        }
        _ => false,
    }
}

/// The fields that lead to a part of `data`.
fn path(tree: &IdedExpr) -> Option<Vec<String>> {
    match &tree.expr {
        Expr::Ident(name) if name == "data" => Some(Vec::new()),
        Expr::Select(select) if !select.test => {
            let mut path = path(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        Expr::Call(CallExpr { func_name, args, .. }) if func_name == operators::INDEX => {
            let [indexed, name] = &**args else { return None };
            let mut path = path(indexed)?;
            path.push(literal(name)?);
            Some(path)
        }
        _ => None,
    }
}

fn literal(tree: &IdedExpr) -> Option<String> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

fn text_at<'v>(view: &'v View<'_>, path: &[String]) -> Option<&'v str> {
    match (view, path) {
        (View::Map(fields), [name, rest @ ..]) => text_at(&fields.iter().find(|(field, _)| field == name)?.1, rest),
        (View::Map(_), []) => None,
        (View::Of(value) | View::Body { value, .. }, path) => text_in(value, path),
        (View::Own(value), path) => text_in(value, path),
    }
}

fn text_in<'v>(value: &'v Value, path: &[String]) -> Option<&'v str> {
    path.iter().try_fold(value, |value, name| value.as_object()?.get(name))?.as_str()
}

#[cfg(test)]
mod tests {
    use crate::{EventValues, Expression};
    use serde_json::json;

    #[test]
    fn a_comparison_holds_for_the_same_events_as_its_evaluation() {
        let events = [
            json!({}),
            json!({ "tag": "vip" }),
            json!({ "tag": "v\"i\\p\n\u{1f600}" }),
            json!({ "tag": "VIP" }),
            json!({ "tag": 7 }),
            json!({ "tag": null }),
            json!({ "tag": ["vip"] }),
            json!({ "tag": { "name": "vip" } }),
            json!({ "tag": "vip", "a b": { "c": "d" } }),
            json!({ "tag": "vip", "a b": "d" }),
            json!("vip"),
        ];
        for (text, is_fast) in [
            (r#"data.tag == "vip""#, true),
            (r#""vip" == data.tag"#, true),
            ("data.tag == 'vip'", true),
            (r#"data.tag == "v\"i\\p\n😀""#, true),
            (r#"data["tag"] == "vip""#, true),
            (r#"data.tag.name == "vip""#, true),
            (r#"data == "vip""#, true),
            (r#"data.tag == "vip" && data["a b"].c == "d""#, true),
            (r#"(data.tag == "vip") && (data["a b"].c == "d" && data.tag == "vip")"#, true),
            (r#"data.tag == "vip" || data["a b"].c == "d""#, false),
            (r#"data.tag != "vip""#, false),
            ("data.tag == 7", false),
            ("has(data.tag)", false),
            (r#"data.tag == data["a b"]"#, false),
            (r#"type == "vip""#, false),
            (r#"data.tag[0] == "vip""#, false),
            (r#"data.exists(data, data == "vip")"#, false),
        ] {
            let expression = Expression::compile(text).unwrap();
            assert_eq!(expression.equalities.is_some(), is_fast, "{text}");
            for data in &events {
                let event =
                    json!({ "id": "e", "type": "t", "source": "s", "subject": null, "time": "x", "data": data });
                let values = EventValues::of_json(&event);
                let evaluated = expression.evaluate(&values).as_deref() == Ok("true");
                assert_eq!(expression.matches(&values), evaluated, "{text} on {data}");
            }
        }
    }
}
