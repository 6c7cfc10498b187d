//! Masks of CPUs as the kernel writes them: hexadecimal words of 32, the highest first, `ff,ffffffff`.

use std::collections::BTreeSet;

/// Parses a mask.
pub fn read(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for (index, word) in text.trim().rsplit(',').enumerate() {
        let bits = u32::from_str_radix(word, 16).ok()?;
        let first = u32::try_from(index).ok()?.checked_mul(32)?;
        cpus.extend(
            (0..32)
                .filter(|bit| bits >> bit & 1 == 1)
                .map(|bit| first + bit),
        );
    }
    Some(cpus)
}

/// Writes one.
pub fn write(cpus: &BTreeSet<u32>) -> String {
    let words = cpus.last().map_or(0, |last| last / 32);
    let word = |index: u32| {
        let own = cpus.iter().filter(|cpu| **cpu / 32 == index);
        own.fold(0_u32, |bits, cpu| bits | 1 << (cpu % 32))
    };
    let mut text = format!("{:x}", word(words));
    for index in (0..words).rev() {
        text.push_str(&format!(",{:08x}", word(index)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_and_written_as_the_kernel_does() {
        for (mask, cpus) in [
            ("3", &[0, 1][..]),
            ("0", &[]),
            ("1,80000000", &[31, 32]),
            ("80,00000000,00000001", &[0, 71]),
        ] {
            let cpus: BTreeSet<u32> = cpus.iter().copied().collect();
            assert_eq!(read(mask).as_ref(), Some(&cpus), "{mask}");
            assert_eq!(write(&cpus), mask);
        }
        assert_eq!(read("0-1"), None);
    }
}
