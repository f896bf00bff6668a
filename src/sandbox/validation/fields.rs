//! Duplicate and unknown fields of a body, for `fieldValidation`.
//!
//! See <https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation>.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// Parses JSON, with a warning for each duplicate field, of which the last counts.
pub(crate) fn read(text: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let complaints = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Node { path: String::new(), complaints: &complaints }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, complaints.into_inner()))
}

/// Warnings about the fields of `given` that decoding dropped.
pub(crate) fn unknown(given: &Value, kept: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    compare(given, kept, "", &mut complaints);
    complaints
}

fn compare(given: &Value, kept: &Value, path: &str, complaints: &mut Vec<String>) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match kept.get(name) {
                    Some(kept) => compare(value, kept, &path, complaints),
                    None => complaints.push(format!("unknown field \"{path}\"")),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (at, (given, kept)) in given.iter().zip(kept).enumerate() {
                compare(given, kept, &format!("{path}[{at}]"), complaints);
            }
        }
        _ => (),
    }
}

/// A value at a path.
struct Node<'a> {
    path: String,
    complaints: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let node = |at: usize| Self { path: format!("{}[{at}]", self.path), complaints: self.complaints };
        while let Some(item) = items.next_element_seed(node(list.len()))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            let complaint = format!("duplicate field \"{path}\"");
            let value = fields.next_value_seed(Self { path, complaints: self.complaints })?;
            if map.insert(name, value).is_some() {
                self.complaints.borrow_mut().push(complaint);
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_of_duplicate_fields_counts() {
        let (value, complaints) = read(br#"{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "d": null}]}"#).unwrap();
        assert_eq!(value, json!({"a": {"b": 2}, "c": [{"d": null}]}));
        assert_eq!(complaints, ["duplicate field \"a.b\"", "duplicate field \"c[0].d\""]);
        assert!(read(b"{} {}").is_err());
    }

    #[test]
    fn dropped_fields_are_reported_as_unknown() {
        let given = json!({"a": 1, "b": [{"c": 1, "d": 2}], "e": null});
        assert_eq!(unknown(&given, &json!({"a": 1, "b": [{"d": 2}]})), ["unknown field \"b[0].c\""]);
    }
}
