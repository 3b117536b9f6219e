//! Values as they are shown: those that are sensitive are not.

use janua_wasm::Input;
use serde_json::{Value, json};

/// The sensitive values of an exchange. What contains one of them is not shown, wherever it
/// comes from: a component may write it into its log, an error or a constant.
#[derive(Default)]
pub(super) struct Secrets(Vec<Vec<u8>>);

/// A shorter value is hidden only where it stands alone: it would be found everywhere.
const LEAST: usize = 4;

impl Secrets {
    pub(super) fn add(&mut self, more: &[Vec<u8>]) {
        for secret in more {
            if !self.0.contains(secret) {
                self.0.push(secret.clone());
            }
        }
        // A secret may contain another one.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// A value of an exchange.
    pub(super) fn value(&self, bytes: Option<&[u8]>) -> Value {
        match bytes {
            None => Value::Null,
            Some(bytes) if self.0.iter().any(|secret| secret == bytes) => secret(bytes),
            Some(bytes) => Value::String(self.text(&String::from_utf8_lossy(bytes))),
        }
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str, bytes: Option<&[u8]>) -> Value {
        match bytes {
            Some(bytes) if is_credential(name) => secret(bytes),
            bytes => self.value(bytes),
        }
    }

    /// Text with each secret replaced.
    pub(super) fn text(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.0 {
            if let Ok(secret) = std::str::from_utf8(secret)
                && secret.len() >= LEAST
            {
                shown = shown.replace(secret, &words(secret.len()));
            }
        }
        shown
    }
}

/// A sensitive value.
pub(super) fn secret(bytes: &[u8]) -> Value {
    json!({ "secret_bytes": bytes.len() })
}

/// Whether a field of this name, in a request or a response, is a credential.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    Input::Header(name.as_str().into()).is_credential()
        || Input::ResponseHeader(name.into()).is_credential()
}

fn words(bytes: usize) -> String {
    format!("(secret, {bytes} bytes)")
}

/// A value that was made by this module, for a person.
pub(super) fn person(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::Object(fields) => match (fields.get("secret_bytes"), fields.get("mac")) {
            (Some(bytes), _) => words(bytes.as_u64().and_then(|n| n.try_into().ok()).unwrap_or(0)),
            (_, Some(Value::String(mac))) => format!("MAC {mac}"),
            _ => value.to_string(),
        },
        // Quoted: an empty text is not an absent one.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let mut secrets = Secrets::default();
        secrets.add(&[b"hunter2".to_vec(), b"hunter2-long".to_vec(), b"x".to_vec()]);
        for (text, expected) in [
            ("hunter2", "(secret, 7 bytes)"),
            ("x", "(secret, 1 bytes)"),
            ("box", "\"box\""),
            ("a=hunter2-long;", "\"a=(secret, 12 bytes);\""),
            ("", "\"\""),
        ] {
            assert_eq!(person(&secrets.value(Some(text.as_bytes()))), expected);
        }
        assert_eq!(person(&secrets.value(None)), "absent");
        let credential = secrets.field("Authorization", Some(b"Basic eA=="));
        assert_eq!(person(&credential), "(secret, 10 bytes)");
    }
}
