//! Checks values against the part of JSON Schema that the document uses; whatever else it used would be refused here.

use serde_json::Value;

/// Everything in which `value` is not what `schema` says.
pub fn check(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    walk(document, schema, value, "", &mut wrong);
    wrong
}

const UNDERSTOOD: &[&str] = &[
    "$ref",
    "additionalProperties",
    "allOf",
    "const",
    "contentMediaType",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
];

fn walk(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let schema = schema.as_object().expect("a schema is an object");
    for keyword in schema.keys() {
        assert!(UNDERSTOOD.contains(&keyword.as_str()), "the schema keyword {keyword} is not checked");
    }
    if let Some(name) = schema.get("$ref") {
        let pointer = name.as_str().expect("a reference").trim_start_matches('#');
        let target = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the document"));
        walk(document, target, value, at, wrong);
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        walk(document, part, value, at, wrong);
    }
    if let Some(parts) = schema.get("oneOf").and_then(Value::as_array) {
        let fits = parts.iter().filter(|part| check(document, part, value).is_empty()).count();
        if fits != 1 {
            wrong.push(format!("{at}: fits {fits} of the schemas of which one is meant: {value}"));
        }
    }
    check_type(schema, value, at, wrong);
    let listed = schema.get("enum").and_then(Value::as_array).is_none_or(|list| list.contains(value));
    let constant = schema.get("const").is_none_or(|constant| constant == value);
    if !listed || !constant {
        wrong.push(format!("{at}: not one of the values: {value}"));
    }
    if let (Some(limit), Some(number)) = (schema.get("minimum").and_then(Value::as_i64), value.as_i64()) {
        if number < limit {
            wrong.push(format!("{at}: {number} is below {limit}"));
        }
    }
    if let (Some(pattern), Some(text)) = (schema.get("pattern").and_then(Value::as_str), value.as_str()) {
        if !matches(pattern, text) {
            wrong.push(format!("{at}: {text} is not {pattern}"));
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (n, item) in list.iter().enumerate() {
            walk(document, items, item, &format!("{at}/{n}"), wrong);
        }
    }
    check_members(document, schema, value, at, wrong);
}

fn check_type(schema: &serde_json::Map<String, Value>, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let Some(types) = schema.get("type") else { return };
    let types: Vec<&str> = match types {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&found) {
        wrong.push(format!("{at}: is {found}, not {types:?}"));
    }
}

fn check_members(
    document: &Value,
    schema: &serde_json::Map<String, Value>,
    value: &Value,
    at: &str,
    wrong: &mut Vec<String>,
) {
    let Some(members) = value.as_object() else { return };
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            wrong.push(format!("{at}: {name} is missing"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, member) in members {
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => walk(document, schema, member, &format!("{at}/{name}"), wrong),
            None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                wrong.push(format!("{at}: {name} is not described"));
            }
            None => {}
        }
    }
}

/// The three patterns that the document uses.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^sha256:[0-9a-f]{64}$" => proto::claim::ClaimId::parse(text).is_ok(),
        "^[0-9a-f]{64}$" => proto::hash::Hash::from_hex(text).is_ok(),
        base64 if base64.starts_with("^([A-Za-z0-9+/]{4})*") => proto::b64::decode(text).is_ok(),
        other => panic!("the pattern {other} is not checked"),
    }
}

#[test]
fn differences_are_found() {
    let document = serde_json::json!({"a": {"type": "string"}});
    let schema = serde_json::json!({
        "type": "object", "required": ["x"], "additionalProperties": false,
        "properties": {"x": {"$ref": "#/a"}, "y": {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}},
    });
    let wrong = |value: Value| check(&document, &schema, &value).len();
    assert_eq!(wrong(serde_json::json!({"x": "", "y": null})), 0);
    assert_eq!(wrong(serde_json::json!({"x": 1, "y": 0})), 2);
    assert_eq!(wrong(serde_json::json!({"z": 1})), 2);
    assert_eq!(wrong(serde_json::json!([])), 1);
}
