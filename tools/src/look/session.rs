//! Which session is meant, and its segments.

use anyhow::bail;
use ephapse_engine::abi::{PAGE, SessionWords, TimerWords, segment, session_state};
use ephapse_engine::launch::{Found, ProcessRecord, SessionRecord, segment_name, sessions};
use ephapse_engine::shm::{Access, Segment, ShmError};
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::problem::{choices, suggest};

/// A session to look at. Its launcher may be gone.
pub struct Session {
    found: Found,
}

/// The session of that name. Without a name, the only one that runs; if none runs, the only one that was left.
///
/// # Errors
/// There is none, or a name is needed.
pub fn choose(name: Option<&str>) -> anyhow::Result<Session> {
    pick(sessions()?, name)
}

fn pick(all: Vec<Found>, name: Option<&str>) -> anyhow::Result<Session> {
    if all.is_empty() {
        match name {
            Some(name) => bail!(
                "no session `{name}`: no session of this user is there, start one with `ephapse run GRAPH`"
            ),
            None => bail!("no session runs: start one with `ephapse run GRAPH`"),
        }
    }
    if let Some(name) = name {
        let names: Vec<String> = all.iter().map(|f| f.record.session.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        return match all.into_iter().find(|f| f.record.session == name) {
            Some(found) => Ok(Session { found }),
            None => bail!("no session `{name}`: {}", suggest(name, &names)),
        };
    }
    let (running, gone): (Vec<Found>, Vec<Found>) = all.into_iter().partition(|f| f.running);
    let mut candidates = if running.is_empty() { gone } else { running };
    if candidates.len() > 1 {
        let names: Vec<&str> = candidates
            .iter()
            .map(|f| f.record.session.as_str())
            .collect();
        bail!(
            "there are {} sessions, say which one ({})",
            candidates.len(),
            choices(&names)
        );
    }
    match candidates.pop() {
        Some(found) => Ok(Session { found }),
        None => bail!("no session runs: start one with `ephapse run GRAPH`"),
    }
}

impl Session {
    /// Name.
    pub fn name(&self) -> &str {
        &self.found.record.session
    }

    /// What its file says.
    pub fn record(&self) -> &SessionRecord {
        &self.found.record
    }

    /// Its launcher lived when it was chosen.
    pub fn has_launcher(&self) -> bool {
        self.found.running
    }

    /// Process id of the launcher.
    pub fn launcher_pid(&self) -> u32 {
        self.found.record.processes.first().map_or(0, |p| p.pid)
    }

    /// Every process is dead: nothing more will come. While the launcher lives, others may be started again.
    pub fn is_over(&self) -> bool {
        !self
            .found
            .record
            .processes
            .iter()
            .any(ProcessRecord::is_alive)
    }

    /// Process of the session that has, or had, this id: the ids in a segment alone may be somebody else's by now.
    pub fn is_alive(&self, pid: u32) -> bool {
        let mut processes = self.found.record.processes.iter();
        processes.any(|p| p.pid == pid && p.is_alive())
    }

    /// Reads the session's file again: a process may have been started anew.
    pub fn refresh(&mut self) {
        if let Ok(all) = sessions()
            && let Some(found) = all.into_iter().find(|f| f.record.session == self.name())
        {
            self.found = found;
        }
    }

    /// Streams, in the order of the graph.
    pub fn streams(&self) -> &[String] {
        &self.found.record.streams
    }

    /// The named streams; all of them if none is named.
    ///
    /// # Errors
    /// Names the one that is not there, and the nearest.
    pub fn expect_streams(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        let all: Vec<&str> = self.streams().iter().map(String::as_str).collect();
        if all.is_empty() {
            bail!(
                "session `{}` has no streams yet: it is still being prepared, try again",
                self.name()
            );
        }
        if let Some(unknown) = named.iter().find(|n| !all.contains(&n.as_str())) {
            bail!(
                "no stream `{unknown}` in session `{}`: {}",
                self.name(),
                suggest(unknown, &all)
            );
        }
        if named.is_empty() {
            return Ok(self.streams().to_vec());
        }
        Ok(named.to_vec())
    }

    /// The ring of a stream, read-only.
    ///
    /// # Errors
    /// The session has just ended, or the segment is damaged.
    pub fn ring(&self, stream: &str) -> Result<Segment, ShmError> {
        Segment::open(
            &segment_name(self.name(), stream),
            segment::RING,
            Access::ReadOnly,
        )
    }

    /// State and newest tick; `None` if the segment is gone.
    pub fn state(&self) -> Option<(&'static str, u64)> {
        state_of(self.name())
    }
}

/// State and newest tick of a session, from its segment; `None` if there is none.
pub fn state_of(session: &str) -> Option<(&'static str, u64)> {
    let segment = Segment::open(
        &segment_name(session, "session"),
        segment::SESSION,
        Access::ReadOnly,
    )
    .ok()?;
    let page = |at| segment.map(at, PAGE, Access::ReadOnly).ok();
    let words = page(PAGE)?.words::<SessionWords>(0);
    let timer = page(2 * PAGE)?.words::<TimerWords>(0);
    let state = words.state.load(Ordering::Acquire) as usize;
    Some((
        session_state::NAMES.get(state).copied()?,
        timer.tick.load(Ordering::Acquire),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_engine::launch::SessionRecord;

    fn found(name: &str, running: bool) -> Found {
        Found {
            record: SessionRecord {
                session: name.to_owned(),
                streams: vec!["raw".into(), "filtered".into()],
                ..SessionRecord::default()
            },
            running,
        }
    }

    fn refused(all: Vec<Found>, name: Option<&str>) -> String {
        match pick(all, name) {
            Ok(session) => panic!("{} was chosen", session.name()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn without_a_name_the_only_running_session_is_meant_whatever_was_left_beside_it() {
        let chosen = pick(vec![found("dead", false), found("b", true)], None).unwrap();
        assert_eq!(chosen.name(), "b");
        let left = pick(vec![found("dead", false)], None).unwrap();
        assert_eq!(left.name(), "dead");
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_with_a_way_out() {
        assert_eq!(
            refused(vec![], None),
            "no session runs: start one with `ephapse run GRAPH`"
        );
        assert_eq!(
            refused(vec![found("a", true), found("b", true)], None),
            "there are 2 sessions, say which one (possible: `a`, `b`)"
        );
        assert_eq!(
            refused(vec![found("culture", true)], Some("cultre")),
            "no session `cultre`: did you mean `culture`?"
        );
    }

    #[test]
    fn a_mistyped_stream_is_refused_with_the_nearest_name() {
        let session = pick(vec![found("a", true)], None).unwrap();
        let error = session.expect_streams(&["filterd".into()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no stream `filterd` in session `a`: did you mean `filtered`?"
        );
        assert_eq!(session.expect_streams(&[]).unwrap(), ["raw", "filtered"]);
    }
}
