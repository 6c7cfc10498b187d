//! Filters, detector and spectra against what SciPy and NumPy made of real recordings.

mod detector;
mod files;
mod filters;
mod spectra;
