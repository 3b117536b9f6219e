//! Whether a connection with open streams is still alive.
//!
//! After a silence the upstream is asked (PING), and a connection on which it does not answer is
//! dead. Many servers of gRPC close connections on which they are asked often while they have
//! nothing to send, so that after an answer the next question waits for much longer.

use std::time::Duration;

use tokio::time::Instant;

/// How long a silence lasts before the upstream is asked.
const SILENCE: Duration = Duration::from_secs(10);
/// The same, if the upstream has sent nothing else since it was last asked. Servers of gRPC allow
/// one question in five minutes.
const LONG_SILENCE: Duration = Duration::from_secs(310);
/// How long the upstream may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon after a question a new request is a reason to ask again.
const PAUSE: Duration = Duration::from_secs(60);
/// The size of an answer.
const PONG: u64 = 17;

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Alive,
    Ask,
    Dead,
}

/// What is known about a connection.
pub(super) struct Liveness {
    /// How much had been received at the last look.
    received: u64,
    quiet_since: Instant,
    silence: Duration,
    /// When the upstream was last asked, and whether it has not answered.
    asked: Option<Instant>,
    is_waiting: bool,
}

impl Liveness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            received: 0,
            quiet_since: now,
            silence: SILENCE,
            asked: None,
            is_waiting: false,
        }
    }

    /// A request is sent: the upstream has a reason to say something.
    pub(super) fn request(&mut self, now: Instant) {
        if self.silence > SILENCE && self.asked.is_none_or(|asked| now >= asked + PAUSE) {
            self.silence = SILENCE;
            self.quiet_since = now;
        }
    }

    /// Looks at a connection that has received so much, and that has had streams for some time.
    pub(super) fn look(&mut self, received: u64, used_since: Instant, now: Instant) -> Verdict {
        let came = received.saturating_sub(self.received);
        if came > 0 {
            let is_answer = self.is_waiting && came == PONG;
            self.silence = if is_answer { LONG_SILENCE } else { SILENCE };
            self.received = received;
            self.quiet_since = now;
            self.is_waiting = false;
            return Verdict::Alive;
        }
        if self.is_waiting {
            let is_over = self.asked.is_some_and(|asked| now >= asked + PATIENCE);
            return if is_over {
                Verdict::Dead
            } else {
                Verdict::Alive
            };
        }
        if now < self.quiet_since.max(used_since) + self.silence {
            return Verdict::Alive;
        }
        self.asked = Some(now);
        self.is_waiting = true;
        Verdict::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every second, with what has been received by then; when something was to be done.
    fn looks(liveness: &mut Liveness, begin: Instant, received: &[u64]) -> Vec<(u64, Verdict)> {
        let each = (1..).zip(received).map(|(second, &received)| {
            let now = begin + Duration::from_secs(second);
            (second, liveness.look(received, begin, now))
        });
        each.filter(|(_, verdict)| *verdict != Verdict::Alive)
            .collect()
    }

    #[test]
    fn a_silent_upstream_is_asked_and_given_up() {
        let begin = Instant::now();
        let mut liveness = Liveness::new(begin);
        let seen = looks(&mut liveness, begin, &[0; 16]);
        assert_eq!(
            seen,
            [(10, Verdict::Ask), (15, Verdict::Dead), (16, Verdict::Dead)]
        );
    }

    #[test]
    fn an_answer_is_enough_for_long() {
        let begin = Instant::now();
        let mut liveness = Liveness::new(begin);
        let mut received = vec![0; 12];
        received.extend([PONG; 400]);
        let seen = looks(&mut liveness, begin, &received);
        assert_eq!(
            seen.get(..3),
            Some(
                &[
                    (10, Verdict::Ask),
                    (323, Verdict::Ask),
                    (328, Verdict::Dead)
                ][..]
            )
        );
    }

    #[test]
    fn what_it_sends_ends_the_silence() {
        let begin = Instant::now();
        let mut liveness = Liveness::new(begin);
        let received: Vec<u64> = (0..100).map(|second| second / 9 * 100).collect();
        assert_eq!(looks(&mut liveness, begin, &received), []);
    }

    #[test]
    fn a_request_is_a_reason_to_ask_again() {
        let begin = Instant::now();
        let mut liveness = Liveness::new(begin);
        let mut received = vec![0; 12];
        received.extend([PONG; 88]);
        looks(&mut liveness, begin, &received);
        let later = begin + Duration::from_secs(100);
        liveness.request(later);
        let seen = looks(&mut liveness, later, &[PONG; 11]);
        assert_eq!(seen, [(10, Verdict::Ask)]);
    }
}
