//! Copies of payloads, out of the client's memory, that share memory of their own.
//!
//! A batch's payloads are copied by the source's thread and dropped by a judge's: with memory for each, the
//! two would hold each other up in the allocator, hundreds of times a batch.

use bytes::{Bytes, BytesMut};

/// Most memory that payloads share; what holds one of them holds all of it.
const BLOCK_BYTES_MAX: usize = 256 * 1024;

/// Where the payloads of one batch go.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    block: BytesMut,
    copied: usize,
}

impl Payloads {
    /// A copy of `payload`.
    pub(super) fn copy(&mut self, payload: &[u8]) -> Bytes {
        if self.block.capacity() < payload.len() {
            // As much again as there was: a batch of one record takes no more than that.
            let room = payload.len().max(self.copied.min(BLOCK_BYTES_MAX));
            self.block = BytesMut::with_capacity(room);
        }
        self.copied += payload.len();
        self.block.extend_from_slice(payload);
        self.block.split().freeze()
    }

    /// Bytes copied so far.
    pub(super) const fn bytes(&self) -> usize {
        self.copied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_what_was_copied_whatever_their_sizes() {
        let mut payloads = Payloads::default();
        let lengths = [3, 0, 1, 70_000, 5, 300_000, 2, 2, 4_096, 0, 1_000_000, 7];
        let of = |(number, length): (u8, &usize)| vec![number; *length];
        let originals: Vec<Vec<u8>> = (0..).zip(&lengths).map(of).collect();
        let copies: Vec<Bytes> = originals.iter().map(|one| payloads.copy(one)).collect();
        assert_eq!(copies, originals);
        assert_eq!(payloads.bytes(), lengths.iter().sum::<usize>());
    }

    #[test]
    fn a_single_payload_takes_no_more_memory_than_it_needs() {
        let mut payloads = Payloads::default();
        payloads.copy(&[0; 100]);
        assert_eq!(payloads.block.capacity(), 0);
    }
}
