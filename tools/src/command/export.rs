//! `export`: streams of a capture as files that other software opens.

use super::interrupt::stop_on_interrupt;
use crate::cli::{ExportArgs, ExportFormat};
use crate::output::sayln;
use crate::recorded::{self, Cut, Piece, Told, each_piece, gap_list_of, write_gap_list};
use crate::screen::Progress;
use crate::show::{Columns, CsvFile, NpyFile, PartFile, Shown, Sink, part_of};
use anyhow::{Context, bail};
use ephapse_bench::report::units::thousands;
use ephapse_drivers::export::mcs_h5::{McsFile, McsHeader, fits};
use ephapse_drivers::export::{PlainFile, Stretch};
use ephapse_engine::capture::Capture;
use ephapse_rtconfig::problem::choices;
use ephapse_rtconfig::stream_type::{Kind, StreamType};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stream to be exported.
struct Wanted<'a> {
    number: u32,
    name: &'a str,
    stream_type: &'a StreamType,
}

/// One export, until it is finished.
struct Job<'a> {
    capture: &'a Capture,
    out: &'a Path,
    args: &'a ExportArgs,
    stop: Arc<AtomicBool>,
    total: u64,
    gaps: Option<BufWriter<PartFile>>,
}

/// `ephapse export`.
pub fn export(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let capture = recorded::open(&args.file)?;
    if let (Some(from), Some(to)) = (args.from, args.to_time)
        && from >= to
    {
        bail!("--from {from} --to-time {to}: nothing lies between; the second must be later");
    }
    let wanted = choose(&capture, args)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| name_of(&capture, args.to, &wanted));
    if out.is_dir() {
        bail!(
            "{}: is a folder; name a file with --out FILE",
            out.display()
        );
    }
    for path in [out.clone(), gap_list_of(&out)] {
        if path.symlink_metadata().is_ok() {
            bail!(
                "{}: is there already, and nothing is written over; name another with --out FILE",
                path.display()
            );
        }
    }
    let sizes = capture
        .files()
        .into_iter()
        .filter_map(|f| std::fs::metadata(f).ok());
    let mut job = Job {
        capture: &capture,
        out: &out,
        args,
        stop: stop_on_interrupt()?,
        total: sizes.map(|m| m.len()).sum(),
        gaps: None,
    };
    let written = match args.to {
        ExportFormat::H5 => job.mcs(&wanted),
        ExportFormat::H5Plain => job.plain(&wanted[0]),
        ExportFormat::Npy | ExportFormat::Csv => job.rows(&wanted[0]),
    };
    let finished = written.and_then(|told| job.finish().map(|()| told));
    let told = match finished {
        Ok(told) => told,
        Err(error) => {
            // Half a file is of no use, nor one whose gaps are not said. What was never made cannot be removed either.
            for path in [part_of(&out), out.clone(), part_of(&gap_list_of(&out))] {
                let _ = std::fs::remove_file(path);
            }
            return Err(error);
        }
    };
    for (of, told) in wanted.iter().zip(&told) {
        let (rows, gaps) = (thousands(told.rows), thousands(told.gaps));
        let lost = thousands(told.lost_frames);
        sayln!(
            "{}: {} {}, {gaps} gaps ({lost} lost)",
            of.name,
            rows,
            rows_of(of.stream_type)
        );
    }
    sayln!("{}: written", out.display());
    if gap_list_of(&out).exists() {
        sayln!(
            "{}: the gaps, which this format cannot say",
            gap_list_of(&out).display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn rows_of(stream_type: &StreamType) -> &'static str {
    match stream_type.kind {
        Kind::Frames => "frames",
        Kind::Records => "records",
        Kind::Bytes => "bytes",
    }
}

/// The streams that were named; without names, all that the MCS layout has a place for, or the only one.
fn choose<'a>(capture: &'a Capture, args: &ExportArgs) -> anyhow::Result<Vec<Wanted<'a>>> {
    let meta = capture.meta();
    let wanted = |number: u32| {
        let stream_type = meta.stream_type(number)?;
        Some(Wanted {
            number,
            name: meta.stream_name(number),
            stream_type,
        })
    };
    let several = args.to == ExportFormat::H5;
    if !args.streams.is_empty() {
        if !several && args.streams.len() > 1 {
            bail!("--stream: this format takes one stream a file; export them one by one");
        }
        let mut named = Vec::new();
        for name in &args.streams {
            let (number, stream_type) = recorded::stream(capture, name)?;
            if several {
                fits(name, stream_type)?;
            }
            if named.iter().any(|w: &Wanted<'_>| w.number == number) {
                bail!("--stream: `{name}` is named twice");
            }
            named.extend(wanted(number));
        }
        return Ok(named);
    }
    let all: Vec<Wanted<'a>> = meta.streams.iter().filter_map(|s| wanted(*s)).collect();
    if !several {
        if all.len() != 1 {
            let names: Vec<&str> = all.iter().map(|w| w.name).collect();
            bail!("--stream: say which one ({})", choices(&names));
        }
        return Ok(all);
    }
    let mut refused = None;
    let mut fitting = Vec::new();
    for of in all {
        match fits(of.name, of.stream_type) {
            Ok(_) => fitting.push(of),
            Err(error) => {
                eprintln!("ephapse: left out: {error}");
                refused.get_or_insert(error);
            }
        }
    }
    match refused {
        Some(error) if fitting.is_empty() => Err(error.into()),
        _ if fitting.is_empty() => bail!("{}: no stream was recorded", capture.path().display()),
        _ => Ok(fitting),
    }
}

/// Beside the capture, under its name.
fn name_of(capture: &Capture, to: ExportFormat, wanted: &[Wanted<'_>]) -> PathBuf {
    let stream = wanted.first().map_or("stream", |w| w.name);
    capture.path().with_extension(match to {
        ExportFormat::H5 => "h5".to_owned(),
        ExportFormat::H5Plain => format!("{stream}.h5"),
        ExportFormat::Npy => format!("{stream}.npy"),
        ExportFormat::Csv => format!("{stream}.csv"),
    })
}

impl Job<'_> {
    /// Gives the pieces of a stream to `take`, with `list` those of their gaps that the format cannot say.
    fn each(
        &mut self,
        of: &Wanted<'_>,
        list: bool,
        mut take: impl FnMut(&Piece<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Told> {
        let cut = Cut::new(
            self.capture,
            of.stream_type,
            self.args.from,
            self.args.to_time,
        )?;
        let mut progress = Progress::new(format!("exporting {}", of.name), self.total);
        let (stop, out, gaps) = (&self.stop, self.out, &mut self.gaps);
        let go_on = |done| {
            progress.at(done);
            if stop.load(Ordering::Acquire) {
                bail!("interrupted: nothing was written");
            }
            Ok(())
        };
        let told = each_piece(
            self.capture,
            of.number,
            of.stream_type,
            &cut,
            go_on,
            |piece| {
                if let Some(gap) = piece.gap.filter(|_| list) {
                    write_gap_list(gaps, out, of.name, gap)?;
                }
                take(piece)
            },
        )?;
        if told.rows == 0 && of.stream_type.kind == Kind::Frames {
            bail!(
                "stream `{}`: holds no frame in this time: nothing was written",
                of.name
            );
        }
        Ok(told)
    }

    fn mcs(&mut self, wanted: &[Wanted<'_>]) -> anyhow::Result<Vec<Told>> {
        let meta = self.capture.meta();
        let said: Vec<String> = meta
            .plan
            .experiment
            .iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        let of = |key: &str| meta.plan.experiment.get(key).cloned().unwrap_or_default();
        let header = McsHeader {
            comment: said.join("; "),
            mea_name: of("culture_id"),
            mea_layout: of("mea_layout"),
            date: recorded::date(meta.created_realtime_ns),
            realtime_ns: meta.created_realtime_ns,
            guid: u128::from_str_radix(&meta.capture_id, 16).unwrap_or_default(),
        };
        let mut file = McsFile::create(&part_of(self.out), &header)?;
        let mut all = Vec::with_capacity(wanted.len());
        for of in wanted {
            let stream = file.add(of.name, of.name, of.stream_type)?;
            // Records have no table of pieces.
            let list = of.stream_type.kind != Kind::Frames;
            all.push(self.each(of, list, |piece| Ok(file.stretch(stream, &stretch(piece))?))?);
        }
        file.finish()?;
        self.keep()?;
        Ok(all)
    }

    fn plain(&mut self, of: &Wanted<'_>) -> anyhow::Result<Vec<Told>> {
        let mut file = PlainFile::create(&part_of(self.out), of.name, of.stream_type)?;
        let told = self.each(of, true, |piece| Ok(file.stretch(&stretch(piece))?))?;
        file.finish()?;
        self.keep()?;
        Ok(vec![told])
    }

    /// Gives a file that was written by its part's name its own.
    fn keep(&self) -> anyhow::Result<()> {
        let part = part_of(self.out);
        std::fs::File::open(&part)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&part, self.out))
            .with_context(|| format!("{}: cannot be written", self.out.display()))
    }

    fn rows(&mut self, of: &Wanted<'_>) -> anyhow::Result<Vec<Told>> {
        let columns = Columns::new(of.name, of.stream_type, &[])?;
        let (out, of_type) = (self.out, of.stream_type);
        let mut sink: Box<dyn Sink + '_> = match self.args.to {
            ExportFormat::Csv => Box::new(CsvFile::create(out, "--out", of_type, &columns)?),
            _ => Box::new(NpyFile::create(out, "--out", of_type, &columns)?),
        };
        let mut chosen = Vec::new();
        let told = self.each(of, true, |piece| {
            chosen.clear();
            chosen.extend(0..piece.header.valid as usize);
            sink.block(&Shown {
                header: piece.header,
                payload: piece.rows,
                rows: &chosen,
                missed: 0,
            })
        })?;
        sink.finish()?;
        Ok(vec![told])
    }

    /// The list of gaps gets its name last: the file that it belongs to is there.
    fn finish(&mut self) -> anyhow::Result<()> {
        let Some(mut list) = self.gaps.take() else {
            return Ok(());
        };
        let path = gap_list_of(self.out);
        list.flush()
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        list.get_ref().finish()
    }
}

fn stretch<'a>(piece: &Piece<'a>) -> Stretch<'a> {
    Stretch {
        first_frame: piece.header.first_frame,
        rows: piece.rows,
        gap: piece.gap,
    }
}
