//! JSON beside the schemas that are published for it.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

/// A value has what its published schema says, no more and no less. Gives the schema back.
pub(crate) fn assert_published(value: &Value, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    let schema = fs::read(path.join(format!("{name}.schema.json"))).unwrap();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    assert_described(value, &schema, &schema["$defs"], name);
    schema
}

/// The fields of a value are those that the schema has, and the other way around.
fn assert_described(value: &Value, schema: &Value, definitions: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return assert_described(value, &definitions[name], definitions, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let schema = choices.iter().find(|one| one["type"] != "null").unwrap();
        if !value.is_null() {
            assert_described(value, schema, definitions, place);
        }
        return;
    }
    if let (Value::Object(fields), Some(properties)) = (value, schema["properties"].as_object()) {
        let names = |fields: &serde_json::Map<String, Value>| fields.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(fields), names(properties), "{place}");
        for (name, value) in fields {
            assert_described(value, &properties[name], definitions, &format!("{place}.{name}"));
        }
    }
    for value in value.as_array().into_iter().flatten() {
        assert_described(value, &schema["items"], definitions, &format!("{place}[]"));
    }
    if let Some(known) = schema["enum"].as_array() {
        assert!(known.contains(value), "{place}: {value}");
    }
}
