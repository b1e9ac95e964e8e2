//! The `ropecheck` program; everything it does is in the library's room `cli`. Where the machine has no memory it ends with
//! the documented exit code and not by a signal.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};

#[global_allocator]
static MEMORY: EndsWithout = EndsWithout;

/// The system's memory; where there is none, the end.
struct EndsWithout;

// SAFETY: every call goes to the system's allocator with the arguments that came, and its answer goes back as it is; where
// that is null, the process ends instead.
unsafe impl GlobalAlloc for EndsWithout {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised to this function.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised to this function.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as promised to this function.
        given(unsafe { System.realloc(old, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as promised to this function.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Memory that there is. Without it nothing can be tidied up that would take some: the kernel ends workers with this process.
fn given(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        let why = b"error: NOT RUN TO THE END: the machine has no memory left\n";
        // SAFETY: the pointer and the length are those of one slice; neither call takes memory.
        unsafe {
            libc::write(2, why.as_ptr().cast(), why.len());
            libc::_exit(ropecheck::run::ExitCode::NotRun as i32);
        }
    }
    memory
}

fn main() -> std::process::ExitCode {
    ropecheck::cli::main()
}
