//! Bytes of heap in use, counted only where asked: the count costs time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The system's allocator, which counts what is in use.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ASKED: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);

fn moved(bytes: usize, sign: i64) {
    if ASKED.load(Ordering::Relaxed) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        LIVE.fetch_add(sign * bytes, Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "there is no other way to count what is in use")]
// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        moved(layout.size(), 1);
        // SAFETY: the caller's promise about `layout` is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        moved(layout.size(), 1);
        // SAFETY: the caller's promise about `layout` is the one that is asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        moved(layout.size(), -1);
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        moved(layout.size(), -1);
        moved(size, 1);
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// What `work` gives back, and how many bytes more are in use after it.
pub(crate) fn growth<T>(work: impl FnOnce() -> T) -> (T, i64) {
    LIVE.store(0, Ordering::Relaxed);
    ASKED.store(true, Ordering::Relaxed);
    let made = work();
    ASKED.store(false, Ordering::Relaxed);
    (made, LIVE.load(Ordering::Relaxed))
}
