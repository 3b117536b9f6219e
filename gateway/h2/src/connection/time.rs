//! What happens because something has not happened in time.

use super::{Connection, Phase};
use crate::abuse::Abuse;
use crate::error::{Code, ConnectionError, StreamError};
use crate::stream::Turn;
use crate::timers::Timer;

/// How long a client may take to answer the `PING` after the first `GOAWAY`, in milliseconds.
const DRAIN_MS: u64 = 1_000;
/// How long a stream may leave its turn unused, in milliseconds: its task may wait for something
/// else meanwhile.
const TURN_MS: u64 = 1_000;

impl Connection {
    /// When [`Self::on_timer`] must be called, in milliseconds of the clock that gives `now`; none
    /// if nothing is waited for. To be asked again each time before the connection's task waits.
    pub fn deadline(&mut self, now: u64) -> Option<u64> {
        self.now = now;
        if matches!(self.phase, Phase::Failed(_) | Phase::Closed) {
            return None;
        }
        let incomplete = self.input.incomplete_since();
        let all = [
            self.settings_due,
            incomplete.map(|since| since.saturating_add(self.limits.head_ms)),
            self.drain.end(now, DRAIN_MS),
            self.stall_end(now),
            self.grants.end(now, TURN_MS),
        ];
        all.into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    ///
    /// # Errors
    /// The connection has failed, as by [`Self::receive`].
    pub fn on_timer(&mut self, now: u64) -> Result<(), ConnectionError> {
        self.now = now;
        match self.phase {
            Phase::Failed(error) => return Err(error),
            Phase::Closed => return Ok(()),
            _ => {}
        }
        let incomplete = self.input.incomplete_since();
        let failure = if self.settings_due.is_some_and(|due| due <= now) {
            let words = "SETTINGS were not acknowledged";
            Some(ConnectionError::Protocol(Code::SETTINGS_TIMEOUT, words))
        } else if incomplete.is_some_and(|since| since.saturating_add(self.limits.head_ms) <= now) {
            self.abuses.note(Abuse::SlowHead);
            Some(ConnectionError::Abuse(Abuse::SlowHead))
        } else {
            None
        };
        if let Some(error) = failure {
            self.fail(error);
            return Err(error);
        }
        if self.drain.has_ended(now) {
            self.finish_drain();
        }
        if self.stalls.has_ended(now) {
            self.reset_stalled(now);
        }
        if self.grants.has_ended(now) {
            self.revoke_turns();
        }
        Ok(())
    }

    /// When the first stream has waited too long for a window.
    fn stall_end(&mut self, now: u64) -> Option<u64> {
        if self.stalls == Timer::Started {
            let limit = self.limits.stall_ms;
            let all = self.streams.iter_mut();
            let first = all.filter_map(|stream| stream.stall.end(now, limit)).min();
            self.stalls = first.map_or(Timer::Off, Timer::Until);
        }
        self.stalls.end(now, 0)
    }

    /// Resets the streams whose data has waited too long for a window. Streams that have begun to
    /// wait since the timer was set are seen here for the first time. One that waits only for
    /// others, which use the connection's window as the client opens it, goes on waiting.
    fn reset_stalled(&mut self, now: u64) {
        let is_open = now.saturating_sub(self.window_opened) < self.limits.stall_ms;
        let mut place = 0;
        while let Some(key) = self.streams.at(place) {
            place += 1;
            if let Some(stream) = self.streams.get_mut(key)
                && stream.stall.has_ended(now)
            {
                if is_open && stream.send_window > 0 {
                    stream.stall.start();
                    continue;
                }
                self.abuses.note(Abuse::Stalls);
                self.reset_stream(key, Code::ENHANCE_YOUR_CALM, StreamError::Stalled);
            }
        }
        self.stalls = Timer::Started;
        self.stall_end(now);
    }

    /// Takes turns away that were not used, so that the queue goes on.
    fn revoke_turns(&mut self) {
        for stream in self.streams.iter_mut() {
            if stream.turn == Turn::Granted {
                stream.turn = Turn::None;
            }
        }
        self.turns.granted = 0;
        self.grant_turns();
    }
}
