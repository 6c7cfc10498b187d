//! What the synthetic source makes, asked directly.

use ephapse_drivers::acquire::synthetic::Generator;
use ephapse_drivers::demo_recording::demo_params;

/// The source's own samples, frame after frame.
pub fn source(seed: u64, seconds: f64) -> Vec<i32> {
    let params = demo_params(seed, seconds);
    let mut generator = Generator::new(&params).unwrap();
    let mut payload = vec![0; generator.stream_type().block_bytes()];
    let mut samples = Vec::new();
    let mut first = 0;
    while first < generator.frames() {
        let made = generator.fill(first, params.block_frames as usize, &mut payload);
        let valid = &payload[..made * 240];
        samples.extend(
            valid
                .chunks_exact(4)
                .map(|b| i32::from_le_bytes(b.try_into().unwrap())),
        );
        first += made as u64;
    }
    samples
}
