//! The array's activity, one shaded cell per channel.

use super::cell_text::fitted;
use super::view::View;

/// Rows the array may take.
pub(super) const ROWS: usize = 16;

/// From silent to the top of the scale.
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// Up to this many channels each gets a bar with its number.
const BARS: usize = 8;

/// Up to this many channels each cell has a label.
const LABELLED: usize = 8 * ROWS;

/// Columns of an unlabelled array, and so most cells.
const WIDE: usize = 64;

/// The scale, then the array: at most 1 + [`ROWS`] lines.
pub(super) fn lines(view: &View) -> Vec<String> {
    let channels = view.channels;
    let most = (0..channels)
        .map(|c| view.activity_hz(c))
        .fold(0.0, f64::max);
    let top = round_up(most);
    let mut lines = vec![scale(view, top)];
    if channels <= BARS {
        lines.extend((0..channels).map(|c| bar(view, c, top)));
    } else if let Some(array) = electrodes(view) {
        lines.extend(labelled(view, &array, top));
    } else if channels <= LABELLED {
        let array = (0..channels).map(Some).collect::<Vec<_>>();
        lines.extend(labelled(view, &array, top));
    } else {
        lines.extend(unlabelled(view, top));
    }
    lines
}

fn scale(view: &View, top: f64) -> String {
    let channels = match view.channels {
        1 => "1 channel".to_owned(),
        n => format!("{n} channels"),
    };
    let quarter = |k: usize| (top * k as f64 / 4.0).to_string();
    format!(
        "Activity of {channels}, Hz:  {} 0  {} to {}  {} to {}  {} to {}  {} to {}",
        SHADES[0],
        SHADES[1],
        quarter(1),
        SHADES[2],
        quarter(2),
        SHADES[3],
        quarter(3),
        SHADES[4],
        quarter(4)
    )
}

/// The next of 1, 2, 5, 10, ... Hz: a scale that does not change with every frame.
fn round_up(most: f64) -> f64 {
    let mut top = 1.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(30) {
        if top >= most {
            break;
        }
        top *= factor;
    }
    top
}

fn shade(hz: f64, top: f64) -> char {
    let level = (hz / top * 4.0).ceil() as usize;
    SHADES[level.min(SHADES.len() - 1)]
}

fn bar(view: &View, channel: usize, top: f64) -> String {
    const WIDTH: usize = 50;
    let hz = view.activity_hz(channel);
    let filled = (hz / top * WIDTH as f64).round() as usize;
    format!(
        "  {:>8} {:<WIDTH$} {hz:>9.1} Hz",
        fitted(&view.label(channel), 8),
        "█".repeat(filled.min(WIDTH))
    )
}

/// Places of an 8 x 8 array whose labels say them, as MEA amplifiers number: `47` is column 4, row 7.
fn electrodes(view: &View) -> Option<Vec<Option<usize>>> {
    let mut places = vec![None; 64];
    for channel in 0..view.channels {
        // The reference electrode of a 60-electrode array stands at column 1, row 5.
        let label = match view.labels.get(channel)?.as_str() {
            "Ref" => "15",
            label => label,
        };
        let &[column @ b'1'..=b'8', row @ b'1'..=b'8'] = label.as_bytes() else {
            return None;
        };
        let place = &mut places[usize::from(row - b'1') * 8 + usize::from(column - b'1')];
        if place.replace(channel).is_some() {
            return None;
        }
    }
    Some(places)
}

/// Rows of eight cells, each a label and its shade; `None` is an empty place.
fn labelled(view: &View, array: &[Option<usize>], top: f64) -> Vec<String> {
    let cell = |place: &Option<usize>| match place {
        None => " ".repeat(9),
        Some(channel) => {
            let shade = shade(view.activity_hz(*channel), top).to_string();
            format!(
                "{:>4} {} ",
                fitted(&view.label(*channel), 4),
                shade.repeat(3)
            )
        }
    };
    array
        .chunks(8)
        .map(|row| {
            format!("  {}", row.iter().map(cell).collect::<String>())
                .trim_end()
                .to_owned()
        })
        .collect()
}

/// Shades alone, in order of the channels. More channels than cells share a cell: it shows the most active.
fn unlabelled(view: &View, top: f64) -> Vec<String> {
    let share = view.channels.div_ceil(WIDE * ROWS);
    let cells = (0..view.channels)
        .step_by(share)
        .map(|first| {
            let group = first..(first + share).min(view.channels);
            let hz = group.map(|c| view.activity_hz(c)).fold(0.0, f64::max);
            shade(hz, top)
        })
        .collect::<Vec<_>>();
    let (columns, width) = if cells.len() <= WIDE / 2 * ROWS {
        (WIDE / 2, 2)
    } else {
        (WIDE, 1)
    };
    cells
        .chunks(columns)
        .map(|row| {
            let row = row.iter().map(|shade| shade.to_string().repeat(width));
            format!("  {}", row.collect::<String>())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(channels: usize, hz: impl Fn(usize) -> f64) -> View {
        View {
            channels,
            grid: (0..channels).map(hz).collect(),
            ..View::default()
        }
    }

    #[test]
    fn one_channel_is_a_bar_with_its_rate() {
        let lines = lines(&view(1, |_| 12.5));
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].contains("1 channel,") && lines[0].contains("█ to 20"),
            "{}",
            lines[0]
        );
        assert!(lines[1].contains("12.5 Hz") && lines[1].contains('█'));
    }

    #[test]
    fn a_60_electrode_array_is_laid_out_as_its_labels_say() {
        let mut view = view(60, |_| 0.0);
        view.labels = (1..=8)
            .flat_map(|column| (1..=8).map(move |row| (column, row)))
            .filter(|place| ![(1, 1), (1, 8), (8, 1), (8, 8)].contains(place))
            .map(|(column, row)| format!("{column}{row}"))
            .collect();
        let at_47 = view.labels.iter().position(|l| l == "47").unwrap();
        view.grid[at_47] = 10.0;
        let lines = lines(&view);
        assert_eq!(lines.len(), 1 + 8);
        let row_7 = &lines[7];
        assert!(
            row_7.contains("47 ███") && row_7.contains("37 ···"),
            "{row_7}"
        );
        assert!(
            !lines[1].contains("11 ") && lines[1].contains("21 ···"),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn thirty_two_channels_stand_in_four_rows_of_eight_with_labels() {
        let lines = lines(&view(32, |c| c as f64));
        assert_eq!(lines.len(), 1 + 4);
        assert!(
            lines[1].contains("1 ···") && lines[4].ends_with("32 ▓▓▓"),
            "{}",
            lines[4]
        );
    }

    #[test]
    fn a_thousand_channels_fill_sixteen_rows_of_sixty_four() {
        let lines = lines(&view(1_024, |c| (c % 5) as f64));
        assert_eq!(lines.len(), 1 + ROWS);
        assert!(
            lines[1..]
                .iter()
                .all(|row| row.trim().chars().count() == 64)
        );
    }

    #[test]
    fn more_channels_than_cells_show_the_most_active_of_each_group() {
        let lines = lines(&view(4_096, |c| if c == 4_095 { 5.0 } else { 0.0 }));
        assert!(lines.len() <= 1 + ROWS);
        assert!(lines.last().unwrap().ends_with('█'));
    }

    #[test]
    fn activity_that_is_no_number_counts_as_silent() {
        let lines = lines(&view(9, |_| f64::NAN));
        assert!(lines[1].contains('·') && !lines[1].contains('█'));
        assert_eq!(round_up(f64::INFINITY.min(3.0)), 5.0);
    }
}
