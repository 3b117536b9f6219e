//! Waits for a condition instead of a fixed time.

use std::time::{Duration, Instant};

/// How long a condition may take to become true. It is long because the machine
/// may be busy, and components are compiled meanwhile; a test that passes never waits for all of
/// it.
pub const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(10);

/// Calls the closure repeatedly until it returns a value; none after
/// [`PATIENCE`].
pub async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if begin.elapsed() > PATIENCE {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Fails if a condition does not become true in time. The condition may await.
/// Further arguments are a message for the failure, which is formatted only
/// then.
#[macro_export]
macro_rules! assert_eventually {
    ($condition:expr $(,)?) => {
        $crate::assert_eventually!($condition, "{}", stringify!($condition))
    };
    ($condition:expr, $($words:tt)+) => {
        assert!(
            $crate::eventually(async || ($condition).then_some(())).await.is_some(),
            $($words)+
        )
    };
}
