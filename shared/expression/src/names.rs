//! Names of the functions that a rewritten expression calls. They are not identifiers, so no expression can call them.

use cel::common::ast::operators;

/// Charges the weight of an operand, an argument, or a part of a list or a map.
pub const WEIGH: &str = "@weigh";
/// Charges the index into a list or a map.
pub const INDEX: &str = "@index";
/// Charges the name of a map's field.
pub const KEY: &str = "@key";
/// Charges the list or map of a macro. The second argument is the weight of the macro's body.
pub const ITEMS: &str = "@items";
/// Matches a text against the pattern with that number.
pub const MATCHES: &str = "@matches";
/// Writes the value of an expression as JSON.
pub const JSON: &str = "@json";

/// The crate's operators and the functions that replace them.
pub const OPERATORS: [(&str, &str); 12] = [
    (operators::EQUALS, "@=="),
    (operators::NOT_EQUALS, "@!="),
    (operators::LESS, "@<"),
    (operators::LESS_EQUALS, "@<="),
    (operators::GREATER, "@>"),
    (operators::GREATER_EQUALS, "@>="),
    // The crate calls its own `@in`.
    (operators::IN, "@@in"),
    (operators::ADD, "@+"),
    (operators::SUBSTRACT, "@-"),
    (operators::MULTIPLY, "@*"),
    (operators::DIVIDE, "@/"),
    (operators::MODULO, "@%"),
];
