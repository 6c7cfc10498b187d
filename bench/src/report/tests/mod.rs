mod contract;
mod golden_files;
mod hdr_files;
mod page;
mod sample_runs;
mod text;
mod verdicts;
mod written_files;
