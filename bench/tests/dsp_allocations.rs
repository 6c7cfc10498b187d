//! What is timed by `dsp` does not allocate.

use ephapse_bench::dsp::kernels;
use ephapse_engine::allocation::{self, CountingAllocator};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn a_prepared_kernel_does_not_allocate() {
    for kernel in kernels() {
        let before = allocation::count();
        let mut prepared = kernel.prepare(7).unwrap();
        let ready = allocation::count();
        assert!(ready > before, "allocations are counted");
        for _ in 0..70 {
            prepared.run_block();
        }
        assert_eq!(allocation::count(), ready, "{kernel:?}");
    }
}
