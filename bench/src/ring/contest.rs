//! A contest over links: opens them, runs rounds in turns, closes them.

use super::is_paced;
use super::lane::Lane;
use crate::contest::{self, Contestants, Rules};
use crate::ends::{Ends, LinkSpec};
use crate::hop;
use crate::measured::{Comparison, Distance, Measured, Series};
use crate::probe::{Probe, path_of};
use crate::settings::Settings;
use anyhow::Context;
use std::fs::File;
use std::time::Duration;

/// Blocks before those that count, at least: every slot has been written and read by both CPUs.
const WARM_UP: u32 = 64;
/// Fewest blocks of a round.
const LEAST_BLOCKS: u32 = 20;

/// A contest of lanes over one or more pairs of ends.
pub(super) struct Contest<'a> {
    ends: Vec<&'a mut Ends>,
    lanes: Vec<Lane>,
    settings: &'a Settings,
    repetitions: usize,
    series_time: Duration,
    probe: Option<Probe>,
    /// Memory of the links, kept as long as they are open.
    memories: Vec<File>,
}

impl<'a> Contest<'a> {
    /// The first pair of ends is this program's.
    pub fn new(
        ends: Vec<&'a mut Ends>,
        lanes: Vec<Lane>,
        settings: &'a Settings,
        repetitions: usize,
        series_time: Duration,
    ) -> Self {
        Contest {
            ends,
            lanes,
            settings,
            repetitions,
            series_time: settings.duration.unwrap_or(series_time),
            probe: None,
            memories: Vec::new(),
        }
    }

    /// Opens the links, runs, closes them.
    pub fn run(
        mut self,
        run: &mut crate::Run,
        comparisons: Vec<Comparison>,
    ) -> anyhow::Result<Measured> {
        self.probe = Some(Probe::open(self.ends[0], self.settings.cpus, &run.id)?);
        for index in 0..self.lanes.len() {
            let group = self.lanes[index].series.group.clone();
            self.open(index, &run.id)
                .with_context(|| format!("{group}: {}", self.lanes[index].link))?;
        }
        let mut rules = Rules {
            repetitions: self.repetitions,
            run,
        };
        let measured = contest::run(&mut self, &mut rules, comparisons)?;
        for index in 0..self.lanes.len() {
            let ends = self.lanes[index].ends;
            self.ends[ends].close(key(index))?;
        }
        if let Some(probe) = self.probe.take() {
            probe.close(self.ends[0])?;
        }
        Ok(measured)
    }

    fn open(&mut self, index: usize, run: &str) -> anyhow::Result<()> {
        let lane = &self.lanes[index];
        let mut link = LinkSpec {
            link: lane.link.clone(),
            key: key(index),
            payload: lane.payload,
            slots: lane.slots,
            wait: lane.wait,
            memory: String::new(),
            run: run.to_owned(),
            cpus: self.settings.cpus,
        };
        if let Some(file) = hop::memory(&link)? {
            link.memory = path_of(&file);
            self.memories.push(file);
        }
        self.ends[lane.ends].open(&link, lane.in_one_process)
    }
}

/// Keys from 1 on: 0 is the probe's.
fn key(index: usize) -> u32 {
    index as u32 + 1
}

impl Contestants for Contest<'_> {
    fn series(&self) -> Vec<Series> {
        self.lanes.iter().map(|lane| lane.series.clone()).collect()
    }

    fn round(&mut self, index: usize) -> anyhow::Result<Vec<u64>> {
        let lane = &self.lanes[index];
        let per_round = self.series_time / u32::try_from(self.repetitions).unwrap_or(1).max(1);
        let in_time = |time: Duration| {
            let blocks = time.as_nanos() / lane.period.as_nanos().max(1);
            u32::try_from(blocks).unwrap_or(u32::MAX)
        };
        let blocks = lane
            .blocks
            .unwrap_or_else(|| in_time(per_round).max(LEAST_BLOCKS));
        let warm_up = match self.settings.warm_up {
            Some(time) if is_paced(lane.mode) => in_time(time),
            _ => WARM_UP.max(lane.slots),
        };
        self.ends[lane.ends].run(
            key(index),
            lane.mode,
            blocks,
            warm_up,
            u64::try_from(lane.period.as_nanos()).unwrap_or(u64::MAX),
        )
    }

    fn probe(&mut self) -> anyhow::Result<Distance> {
        let probe = self.probe.as_mut().context("no probe is open")?;
        Ok(probe.look(self.ends[0])?.0)
    }
}
