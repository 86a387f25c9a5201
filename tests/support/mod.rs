//! What the tests of whole processes share: a real Kafka broker, the program as a child, waiting.

#![expect(dead_code, reason = "each test binary uses its own part of this module")]

pub mod kafka;
pub mod palisade;

use std::net::TcpListener;
use std::time::Duration;

/// How long a condition may take before a test fails: ample for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A port on loopback that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port can be bound");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Waits until `condition` gives a value; fails the test with `what` after [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let step = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(waited < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(step);
        waited += step;
    }
}
