//! Messages for errors of an evaluation.

use cel::ExecutionError;

/// A message for an error. It contains no data of the event except names in the expression's own text, because messages
/// are stored and shown.
pub fn of(error: &ExecutionError, text: &str) -> String {
    let name = |value: &cel::Value| value.type_of().to_string().replace("float", "double");
    match error {
        ExecutionError::NoSuchKey(name) if text.contains(name.as_str()) => format!("there is no field `{name}`"),
        ExecutionError::NoSuchKey(_) => "there is no such field".to_owned(),
        ExecutionError::NoSuchOverload(error) => {
            // The name of an operator has underscores in place of its operands.
            let function = error.function().trim_matches(['_', '@']);
            format!("`{function}` can't be applied to {}", error.argument_types().join(" and "))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let operator = match *operator {
                "add" => "+",
                "sub" => "-",
                "mul" => "*",
                "div" => "/",
                "rem" => "%",
                other => other,
            };
            format!("`{operator}` can't be applied to {} and {}", name(left), name(right))
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} can't be ordered", name(left), name(right))
        }
        ExecutionError::UnexpectedType { got, want } => format!("expected {want}, found {got}"),
        ExecutionError::UnsupportedKeyType(key) => format!("a field name must be a string, not {}", name(key)),
        ExecutionError::DuplicateKey(_) => "a map has a duplicate field".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the index is past the end of the list".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number overflows".to_owned(),
        ExecutionError::FunctionError { function, message } if function.starts_with('@') => message.clone(),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        _ => "it has no value".to_owned(),
    }
}
