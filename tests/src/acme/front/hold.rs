//! Requests that are held until a test goes on.

use tokio::sync::watch;

use super::Asked;
use crate::eventually;

/// Where a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before the authority has seen it.
    Request,
    /// After the authority has answered, and before the client has the answer.
    Answer,
}

/// Holds requests of one kind, until it is released or dropped.
#[derive(Debug)]
pub struct Hold {
    gate: watch::Sender<Gate>,
    arrived: watch::Sender<usize>,
}

/// What happens to those that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Closed,
    Open,
    Lost,
}

impl Hold {
    /// Waits until a request is held.
    pub async fn reached(&self) {
        self.reached_by(1).await;
    }

    /// Waits until so many requests have been held.
    pub async fn reached_by(&self, requests: usize) {
        let there = eventually(async || (*self.arrived.borrow() >= requests).then_some(()));
        assert!(there.await.is_some(), "nothing was asked that is held");
    }

    /// The held requests go on, and later ones are not held.
    pub fn release(self) {
        self.gate.send_replace(Gate::Open);
    }

    /// The connections of the held requests are reset, and later ones are not held.
    pub fn lose(self) {
        self.gate.send_replace(Gate::Lost);
    }
}

/// A place of a [`Hold`].
#[derive(Clone, Debug)]
struct Held {
    asked: Asked,
    point: Point,
    gate: watch::Receiver<Gate>,
    arrived: watch::Sender<usize>,
}

/// The holds that were made.
#[derive(Debug, Default)]
pub(super) struct Holds(Vec<Held>);

impl Holds {
    pub(super) fn add(&mut self, asked: Asked, point: Point) -> Hold {
        let (gate, passing) = watch::channel(Gate::Closed);
        let arrived = watch::Sender::new(0);
        self.0.push(Held {
            asked,
            point,
            gate: passing,
            arrived: arrived.clone(),
        });
        Hold { gate, arrived }
    }

    /// What a request of this kind has to wait for at this point. It resolves to whether the
    /// request goes on.
    pub(super) fn pass(
        &self,
        asked: Asked,
        point: Point,
    ) -> impl Future<Output = bool> + Send + use<> {
        let held = self.0.iter();
        let held = held.filter(|held| held.asked == asked && held.point == point);
        let held: Vec<_> = held.cloned().collect();
        async move {
            for mut held in held {
                if *held.gate.borrow() != Gate::Closed {
                    continue;
                }
                held.arrived.send_modify(|arrived| *arrived += 1);
                let passed = held.gate.wait_for(|gate| *gate != Gate::Closed).await;
                // A hold that is dropped releases.
                if passed.is_ok_and(|gate| *gate == Gate::Lost) {
                    return false;
                }
            }
            true
        }
    }
}
