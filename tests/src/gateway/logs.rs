//! What the gateway has logged. Threads of its own write both logs, so that a line may be there a
//! moment after what it tells of.

use serde_json::Value;

use super::Gateway;
use crate::eventually;

impl Gateway {
    /// The lines of the access log so far.
    #[must_use]
    pub fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.directory().join("access.log"));
        let text = text.unwrap_or_default();
        // The last line may not be complete yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// The first line of the access log with this path, once it is written. If
    /// several requests have the path, any of their lines may be first: each
    /// worker writes its own.
    pub async fn log_line(&self, path: &str) -> Value {
        eventually(async || self.log().into_iter().find(|line| line["path"] == path))
            .await
            .unwrap_or_else(|| panic!("no line about {path} in {:#?}", self.log()))
    }

    /// The gateway's own log so far.
    #[must_use]
    pub fn messages(&self) -> String {
        std::fs::read_to_string(self.directory().join("messages")).unwrap_or_default()
    }

    /// Waits until its own log contains these words. Returns the log.
    pub async fn says(&self, words: &str) -> String {
        let said = async || Some(self.messages()).filter(|said| said.contains(words));
        let said = eventually(said).await;
        said.unwrap_or_else(|| panic!("{words:?} is not in {}", self.messages()))
    }

    /// Waits until a line of its own log contains all of these words.
    pub async fn says_in_a_line(&self, words: &[&str]) {
        let is_it = |line: &str| words.iter().all(|word| line.contains(word));
        let said = eventually(async || self.messages().lines().any(is_it).then_some(()));
        assert!(
            said.await.is_some(),
            "no line with {words:?} in {}",
            self.messages()
        );
    }
}
