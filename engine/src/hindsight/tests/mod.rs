//! Records made up by hand, and what is to be read from them.

mod causes;
mod scene;
mod ways;
mod worst;
