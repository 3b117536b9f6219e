//! Waiting for a condition, and never for a time.

use std::time::{Duration, Instant};

/// How long a condition may take to come true. Long, for a loaded machine: a
/// test that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(10);

/// Asks again and again until there is an answer; none after [`PATIENCE`].
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

/// Fails if a condition does not come true in time. It may await; what follows
/// it is said on failure, worked out then.
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
