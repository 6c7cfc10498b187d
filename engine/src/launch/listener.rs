//! The launcher's end of the control socket: connections to requests, answers back.

use super::LaunchError;
use super::supervise::Happened;
use crate::control::{Answer, LONGEST_LINE, Request, socket_path};
use crate::trap::{Point, trap};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a connection may take over its request.
const REQUEST_WITHIN: Duration = Duration::from_secs(2);
/// Longest an answer may take: a stage is asked what it is and started again in that time.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// Connections at a time; who comes beside them is refused.
const MOST_CONNECTIONS: usize = 16;
/// Longest id, bytes.
const LONGEST_ID: usize = 64;

/// A request, and where its answer goes.
pub(super) struct Asked {
    pub request: Request,
    pub reply: mpsc::Sender<Answer>,
}

/// The listening thread. Dropped, it ends within a tenth of a second and removes the socket.
pub(super) struct Listener {
    path: PathBuf,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens for a session whose lock this process holds: what lies at the socket's place is a dead session's.
    pub fn start(session: &str, happened: mpsc::Sender<Happened>) -> Result<Self, LaunchError> {
        let path = socket_path(session)?;
        let _ = std::fs::remove_file(&path);
        let refused = |e: std::io::Error| LaunchError::File {
            path: path.clone(),
            why: format!("the control socket cannot be made: {e}"),
        };
        // Under its name only when somebody listens: whoever finds it is heard.
        let unheard = path.with_extension("control.new");
        let _ = std::fs::remove_file(&unheard);
        let listener = UnixListener::bind(&unheard).map_err(refused)?;
        trap(Point::Unheard);
        // The folder is this user's alone already.
        std::fs::set_permissions(&unheard, std::fs::Permissions::from_mode(0o600))
            .and_then(|()| listener.set_nonblocking(true))
            .and_then(|()| std::fs::rename(&unheard, &path))
            .map_err(refused)?;
        trap(Point::Listening);
        let over = Arc::new(AtomicBool::new(false));
        let flag = over.clone();
        let thread = std::thread::spawn(move || {
            let connections = Arc::new(AtomicUsize::new(0));
            while !flag.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((stream, _)) if connections.load(Ordering::Acquire) < MOST_CONNECTIONS => {
                        connections.fetch_add(1, Ordering::AcqRel);
                        let (happened, connections) = (happened.clone(), connections.clone());
                        std::thread::spawn(move || {
                            serve(stream, &happened);
                            connections.fetch_sub(1, Ordering::AcqRel);
                        });
                    }
                    Ok((stream, _)) => {
                        answer(
                            stream,
                            &Answer::refused("", "too many connections: ask again"),
                        );
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Ok(Listener {
            path,
            over,
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One connection: a line in, a line out.
fn serve(stream: UnixStream, happened: &mpsc::Sender<Happened>) {
    let given = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_read_timeout(Some(REQUEST_WITHIN)))
        .and_then(|()| {
            let mut line = String::new();
            BufReader::new((&stream).take(LONGEST_LINE)).read_line(&mut line)?;
            Ok(line)
        });
    // Whoever says nothing in time gets no answer.
    let Ok(line) = given else { return };
    let request = match serde_json::from_str::<Request>(&line) {
        Ok(request) if request.id.len() <= LONGEST_ID => request,
        Ok(_) => {
            let why = format!("the id is longer than {LONGEST_ID} bytes");
            return answer(stream, &Answer::refused("", why));
        }
        Err(e) => {
            let why = format!(
                "no request ({e}): send {{\"id\": \"...\", \"command\": \"status\"}}, or stop, off, restart"
            );
            return answer(stream, &Answer::refused("", why));
        }
    };
    let id = request.id.clone();
    let (reply, replied) = mpsc::channel();
    let gone = || Answer::refused(&id, "the session has just ended");
    let said = match happened.send(Happened::Asked(Asked { request, reply })) {
        Ok(()) => replied
            .recv_timeout(ANSWER_WITHIN)
            .unwrap_or_else(|_| gone()),
        Err(_) => gone(),
    };
    answer(stream, &said);
}

fn answer(mut stream: UnixStream, answer: &Answer) {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    // Who has gone meanwhile asks again.
    let _ = stream.write_all(&line);
}
