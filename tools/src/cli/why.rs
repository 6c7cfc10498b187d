//! Which decision is to be walked back.

use clap::Args;
use ephapse_engine::hindsight::Wanted;

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// `worst`: the decision that waited longest; `last`: the newest; or a tick: of the decisions that a fault on purpose of that
    /// tick met, else of those that some stage worked on in it, the one that took longest
    #[arg(value_name = "TICK|worst|last", value_parser = decision)]
    pub decision: Wanted,
    /// Session, capture (by any of its files), or folder of captures. Default: the only session that runs; if none does, the
    /// newest capture in this folder, looked for three deep
    #[arg(value_name = "SESSION|CAPTURE|FOLDER")]
    pub of: Option<String>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

fn decision(text: &str) -> Result<Wanted, String> {
    match text {
        "worst" => Ok(Wanted::Worst),
        "last" => Ok(Wanted::Last),
        tick => {
            let tick = tick.replace([',', '_'], "").parse();
            tick.map(Wanted::Tick)
                .map_err(|_| "write a tick (a whole number), `worst` or `last`".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_may_be_written_as_reports_write_it() {
        assert_eq!(decision("worst"), Ok(Wanted::Worst));
        assert_eq!(decision("last"), Ok(Wanted::Last));
        assert_eq!(decision("12,345"), Ok(Wanted::Tick(12_345)));
        assert_eq!(decision("0"), Ok(Wanted::Tick(0)));
        for wrong in ["", "-1", "first", "1.5"] {
            assert!(decision(wrong).is_err(), "{wrong}");
        }
    }
}
