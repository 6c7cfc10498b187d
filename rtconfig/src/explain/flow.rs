//! The flow as boxes and arrows: time runs down the page, each stream runs in a lane left of the boxes.

use super::{COLUMNS, cut};
use crate::adapter::{DECIMATE_SETTLE_FRAMES, delay_frames};
use crate::describe::Program;
use crate::plan::{
    Adapter, Full, InputPlan, Pace, Plan, Policy, Read, Reader, SeatKind, StagePlan, StreamPlan,
    WaitKind,
};
use crate::resolve::bytes_of;

/// Streams beyond this many at once are named in the boxes but have no lane, so that text keeps half of the page.
const MOST_LANES: usize = 16;

/// Draws all stages in order of the flow.
pub fn draw(plan: &Plan) -> Vec<String> {
    let mut lanes = Lanes {
        streams: Vec::new(),
        most: widest(plan),
    };
    let mut lines = Vec::new();
    for index in 0..plan.stages.len() {
        draw_stage(plan, index, &mut lanes, &mut lines);
    }
    lines
}

/// Lanes in use; `None` is free.
struct Lanes {
    streams: Vec<Option<usize>>,
    most: usize,
}

impl Lanes {
    fn of(&self, stream: usize) -> Option<usize> {
        self.streams.iter().position(|lane| *lane == Some(stream))
    }

    fn open(&mut self, stream: usize) -> Option<usize> {
        let free = self.streams.iter().position(Option::is_none);
        let lane = free.unwrap_or(self.streams.len());
        if lane >= self.most {
            return None;
        }
        if lane == self.streams.len() {
            self.streams.push(None);
        }
        self.streams[lane] = Some(stream);
        Some(lane)
    }

    fn close(&mut self, lane: usize) {
        self.streams[lane] = None;
    }

    /// Columns left of the boxes.
    fn width(&self) -> usize {
        self.most * 2 + 2
    }

    /// All lanes running straight down.
    fn straight(&self) -> String {
        let mut row = String::new();
        for lane in 0..self.most {
            row.push(' ');
            row.push(if self.is_open(lane) { '│' } else { ' ' });
        }
        row.push_str("  ");
        row
    }

    fn is_open(&self, lane: usize) -> bool {
        self.streams.get(lane).copied().flatten().is_some()
    }

    /// A line from a lane to the right edge: `corner` stands in the lane, `end` at the edge.
    fn turn(&self, from: usize, corner: char, end: char) -> String {
        let mut row = String::new();
        for lane in 0..self.most {
            let left = if lane > from { '─' } else { ' ' };
            let here = match lane {
                lane if lane == from => corner,
                lane if lane > from && self.is_open(lane) => '┼',
                lane if lane > from => '─',
                lane if self.is_open(lane) => '│',
                _ => ' ',
            };
            row.push(left);
            row.push(here);
        }
        row.push('─');
        row.push(end);
        row
    }
}

/// Most lanes open at once.
fn widest(plan: &Plan) -> usize {
    let open_after = |index: usize| {
        plan.streams
            .iter()
            .filter(|stream| stream.maker <= index && last_reader(plan, stream) > Some(index))
            .count()
    };
    (0..plan.stages.len())
        .map(open_after)
        .max()
        .unwrap_or(0)
        .clamp(1, MOST_LANES)
}

/// Index of the last stage to which a lane of this stream runs. Feedback runs up the page and has none.
fn last_reader(plan: &Plan, stream: &StreamPlan) -> Option<usize> {
    let forward = |seat: &&crate::plan::SeatPlan| {
        seat.reader.stage().is_some_and(|stage| {
            let mut inputs = plan.stages[stage].inputs.iter();
            inputs.any(|input| input.port == seat.port && !input.feedback)
        })
    };
    let readers = stream.seats.iter().filter(forward);
    readers.filter_map(|seat| seat.reader.stage()).max()
}

fn draw_stage(plan: &Plan, index: usize, lanes: &mut Lanes, lines: &mut Vec<String>) {
    let stage = &plan.stages[index];
    let inner = COLUMNS - lanes.width() - 4;
    let boxed = |text: &str| format!("│ {:<inner$} │", cut(text, inner));
    let title = match &stage.helper_of {
        Some(helped) => {
            let what = if stage.guards { "guard" } else { "helper" };
            format!(" {} [{what} of {helped}]: {} ", stage.name, stage.kind)
        }
        None => format!(" {}: {} ", stage.name, stage.kind),
    };
    let title = cut(&title, inner);
    let rule = "─".repeat(inner + 1 - title.chars().count());
    lines.push(format!("{}┌─{title}{rule}┐", lanes.straight()));

    for (at, input) in in_reading_order(stage) {
        let text = describe_input(plan, stage, at, input);
        let lane = lanes.of(input.stream).filter(|_| !input.feedback);
        match lane {
            None => lines.push(format!("{}{}", lanes.straight(), boxed(&text))),
            Some(lane) => {
                let read_again = in_reading_order(stage)
                    .skip_while(|(earlier, _)| *earlier != at)
                    .skip(1)
                    .any(|(_, later)| later.stream == input.stream && !later.feedback);
                let last =
                    last_reader(plan, &plan.streams[input.stream]) <= Some(index) && !read_again;
                let corner = if last { '└' } else { '├' };
                lines.push(format!("{}{}", lanes.turn(lane, corner, '▶'), boxed(&text)));
                if last {
                    lanes.close(lane);
                }
            }
        }
        // Behind the last stream of its port: what they come to.
        let port = || in_reading_order(stage).filter(|(_, other)| other.port == input.port);
        if port().last().is_some_and(|(last, _)| last == at) {
            for text in port().flat_map(|(_, first)| describe_adapted(first)) {
                lines.push(format!("{}{}", lanes.straight(), boxed(&text)));
            }
        }
    }
    lines.push(format!(
        "{}{}",
        lanes.straight(),
        boxed(&describe_placement(stage))
    ));
    if let Program::External { command, folder } = &stage.program {
        let text = format!("runs `{}` in {}", command.join(" "), folder.display());
        lines.push(format!("{}{}", lanes.straight(), boxed(&text)));
    }

    let mut outputs = stage.outputs.iter().peekable();
    let below = if outputs.peek().is_some() {
        '┬'
    } else {
        '─'
    };
    let rule = "─".repeat(inner + 1);
    lines.push(format!("{}└{below}{rule}┘", lanes.straight()));
    while let Some(output) = outputs.next() {
        let stream = &plan.streams[output.stream];
        let more = outputs.peek().is_some();
        let has_readers = last_reader(plan, stream) > Some(index);
        let lane = has_readers.then(|| lanes.open(output.stream)).flatten();
        let stem = if more { '│' } else { ' ' };
        // The stem of the outputs hangs one column inside the box. A stream without a lane ends at it.
        let row = match lane {
            Some(lane) => {
                let elbow = if more { '┤' } else { '┘' };
                format!("{}─{elbow}", lanes.turn(lane, '┌', '─'))
            }
            None => {
                let elbow = if more { '├' } else { '└' };
                format!("{} {elbow}", lanes.straight())
            }
        };
        lines.push(format!(
            "{row} {}: {}",
            stream.name,
            stream.stream_type.summary()
        ));
        lines.push(format!(
            "{} {stem}   {}",
            lanes.straight(),
            describe_ring(stream)
        ));
    }
    if stage.outputs.is_empty() && index + 1 < plan.stages.len() {
        lines.push(lanes.straight());
    }
}

/// The inputs of a stage port by port, streams that are merged behind the one they join.
fn in_reading_order(stage: &StagePlan) -> impl Iterator<Item = (usize, &InputPlan)> {
    let inputs = || stage.inputs.iter().enumerate();
    stage
        .ports()
        .flat_map(move |first| inputs().filter(move |(_, input)| input.port == first.port))
}

fn describe_input(plan: &Plan, stage: &StagePlan, at: usize, input: &InputPlan) -> String {
    let joins = stage.merged_into(at).is_some();
    let arrow = if joins { "+" } else { "<-" };
    let stream = &plan.streams[input.stream].name;
    let mut text = format!("{} {arrow} {stream}", input.port);
    if stage.pacing == Some(at) && stage.pace == Pace::Data {
        text.push_str(", paces");
    }
    if input.feedback {
        text.push_str(", feedback");
    }
    if input.seat_kind == SeatKind::Lap {
        text.push_str(", lap");
    }
    match input.read {
        Read::Newest => text.push_str(", newest"),
        Read::All if input.seat_kind == SeatKind::Lap => text.push_str(", all"),
        Read::Same | Read::All => {}
    }
    let adapters = input.adapters.iter().filter_map(adapter_words);
    for words in adapters {
        text.push_str(&format!(", {words}"));
    }
    text
}

/// What an adapter does; nothing of a merge, whose streams have lines of their own.
fn adapter_words(adapter: &Adapter) -> Option<String> {
    Some(match adapter {
        Adapter::Merge(_) => return None,
        Adapter::Select(channels) => match channels.as_slice() {
            [channel] => format!("select channel {channel}"),
            channels => format!("select {} channels", channels.len()),
        },
        Adapter::Scale(unit) => format!("scale {unit}"),
        Adapter::Decimate(factor) => format!("decimate {factor}"),
        Adapter::Cast(dtype) => format!("cast {}", dtype.name()),
        Adapter::Window { n, step } => format!("window of {n} every {step} frames"),
    })
}

/// What the adapters of an input make of its blocks, and what that costs in time.
fn describe_adapted(input: &InputPlan) -> Vec<String> {
    if input.adapters.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("   = {}", input.stream_type.summary())];
    let frames = delay_frames(&input.adapters);
    if frames > 0.0 {
        let rate = input.stream_type.rate.as_f64();
        let time = if rate > 0.0 {
            format!(" ({:.3} ms)", frames / rate * 1e3)
        } else {
            String::new()
        };
        lines.push(format!(
            "     {frames} frames late{time}, settles in {DECIMATE_SETTLE_FRAMES} frames"
        ));
    }
    lines
}

fn describe_placement(stage: &StagePlan) -> String {
    let cpu = stage
        .cpu
        .map_or("any CPU".to_owned(), |cpu| format!("CPU {cpu}"));
    let policy = match stage.policy {
        Policy::Fifo => format!("fifo {}", stage.priority),
        Policy::Other if stage.nice == 0 => "other".to_owned(),
        Policy::Other => format!("other, nice {}", stage.nice),
    };
    let pace = match (stage.pace, stage.wait) {
        (Pace::Tick, _) if stage.divider > 1 => {
            format!("every {}. tick, phase {}", stage.divider, stage.phase)
        }
        (Pace::Tick, _) => "every tick".to_owned(),
        (Pace::Data, WaitKind::Futex) => "data-paced".to_owned(),
        (Pace::Data, WaitKind::Spin) => "data-paced, spins".to_owned(),
        (Pace::Clock, _) => "clock-paced".to_owned(),
        (Pace::Device, _) => "device-paced".to_owned(),
        (Pace::None, _) => "unpaced".to_owned(),
    };
    format!("{cpu}, {policy}, {pace}")
}

fn describe_ring(stream: &StreamPlan) -> String {
    let full = match stream.full {
        Full::Wait => "wait",
        Full::DropNewest => "drop_newest",
        Full::Fault => "fault",
    };
    let of_stages = |kind| {
        let seats = stream.seats.iter();
        let own = seats.filter(|seat| seat.kind == kind && seat.reader.stage().is_some());
        own.count()
    };
    let mut seats = Vec::new();
    for (kind, word) in [(SeatKind::Hold, "hold"), (SeatKind::Lap, "lap")] {
        match of_stages(kind) {
            0 => {}
            count => seats.push(format!("{count} {word}")),
        }
    }
    if stream.seats.iter().any(|s| s.reader == Reader::Recorder) {
        seats.push("recorder".to_owned());
    }
    if seats.is_empty() {
        seats.push("nobody".to_owned());
    }
    let seats = seats.join(" + ");
    format!(
        "{} slots, {} KiB, {full}, seats: {seats} + {} spare",
        stream.slots,
        bytes_of(stream).div_ceil(1024),
        stream.spare_seats
    )
}
