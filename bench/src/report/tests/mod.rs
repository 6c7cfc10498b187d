mod certificate;
mod contract;

mod hdr_files;
mod page;
mod sample_runs;
mod text;
mod verdicts;
mod written_files;
