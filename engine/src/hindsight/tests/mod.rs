//! Records made up by hand, and what is to be read from them.

mod causes;
mod joins;
mod on_purpose;
mod scene;
mod ways;
mod worst;
