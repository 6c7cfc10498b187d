//! Loops over channels, compiled for the vectors of the CPU they run on.
//!
//! The workspace is compiled for any x86-64, whose vectors hold two f64; nearly every CPU in use has AVX2, whose hold
//! four. A [`Kernel`] is compiled for both, and [`Vectors`] chooses. Both do the same IEEE operations on each channel in
//! the same order (AVX2 brings no fused multiply-add, and nothing is summed across channels), so they give the same
//! bits (but for which NaN a NaN is). Other architectures have one set of vectors, and one copy.
//!
//! AVX-512 is left out: here it filtered 1.0 to 1.4 times as fast as AVX2, and there are CPUs that change their clock
//! for it, which a real-time stage and its neighbours would notice.
#![allow(unsafe_code, reason = "calls code compiled for AVX2")]

/// A computation that gains from wide vectors.
///
/// [`Kernel::run`] and all it calls in its loops must be `#[inline(always)]`: what is not inlined is compiled for the
/// smallest vectors.
pub trait Kernel {
    /// The computation.
    fn run(self);
}

/// A choice of vectors that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors(Width);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Portable,
    /// Made only after the CPU has been asked.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Vectors {
    /// What every CPU of this architecture has.
    pub const PORTABLE: Vectors = Vectors(Width::Portable);

    /// The widest that are used on this CPU.
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Vectors(Width::Avx2);
        }
        Vectors::PORTABLE
    }

    /// Runs a kernel.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) {
        match self.0 {
            Width::Portable => kernel.run(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Width::Avx2` is made nowhere but in `Vectors::widest`, after this CPU has said that it has
            // AVX2; the field is private, and a process does not move to a CPU with fewer instructions.
            Width::Avx2 => unsafe { avx2(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(kernel: K) {
    kernel.run();
}
