//! Redis streams: `XADD` with one binary field, `XREAD BLOCK` at the other side, over a Unix socket.
//!
//! Commands as on <https://redis.io/docs/latest/commands/xadd/> and <https://redis.io/docs/latest/commands/xread/>, through
//! the synchronous connection of the `redis` crate (<https://docs.rs/redis/1.8.1/redis/struct.Connection.html>). The block is
//! written into the packed command and sent from there; the reply is waited for, nothing is pipelined. `MAXLEN ~` keeps the
//! stream short. Because it would cut off blocks that nobody has read, the receiver writes down how far it has read every
//! quarter of `slots` blocks, beside its next `XREAD`, and the sender never runs further ahead than `slots`. The server is
//! the sender's keeper's child (see `redis_server`): normal priority, on every CPU.

use crate::redis_server;
use ephapse_bench::ends::LinkSpec;
use ephapse_bench::hop::payload::{self, Seen};
use ephapse_bench::hop::{Receiver, Sender, sleep_until};
use ephapse_engine::os::monotonic_ns;
use redis::{Client, Cmd, Connection, ConnectionLike, Value};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

/// The stream.
const BLOCKS: &str = "blocks";
/// How many blocks the receiver has read.
const READ: &str = "read";
/// The longest wait of one `XREAD`, and the time after which the other end is taken for gone.
const GIVE_UP: Duration = Duration::from_secs(2);
/// Between two looks at a receiver that is `slots` blocks behind.
const LOOK_AGAIN: Duration = Duration::from_micros(50);

fn failed(error: redis::RedisError) -> String {
    format!("Redis: {error}")
}

fn connect(folder: &Path) -> Result<Connection, String> {
    let url = format!("unix://{}", redis_server::socket(folder).display());
    let connection = Client::open(url).and_then(|c| c.get_connection());
    let connection = connection.map_err(failed)?;
    // A server that is stopped or killed in the middle of a command is not waited for for ever.
    let limit = Some(GIVE_UP + Duration::from_secs(1));
    connection.set_read_timeout(limit).map_err(failed)?;
    connection.set_write_timeout(limit).map_err(failed)?;
    Ok(connection)
}

/// Adds blocks to the stream.
pub struct RedisSender {
    connection: Connection,
    /// The packed `XADD`; its last argument is the block.
    command: Vec<u8>,
    block_at: usize,
    payload: usize,
    slots: u64,
    sent: u64,
    /// Blocks that the receiver has read, as last seen: a lower bound.
    read: u64,
}

/// The `XADD` of a block; its last argument is the block.
pub fn xadd(slots: u32, block: &[u8]) -> Cmd {
    let mut command = redis::cmd("XADD");
    let at_most = u64::from(slots) * 2;
    command.arg(BLOCKS).arg("MAXLEN").arg("~").arg(at_most);
    command.arg("*").arg("b").arg(block);
    command
}

impl RedisSender {
    /// Connects to the server in `folder`.
    ///
    /// # Errors
    /// What it said.
    pub fn open(folder: &Path, link: &LinkSpec) -> Result<Self, String> {
        let command = xadd(link.slots, &vec![0; link.payload]).get_packed_command();
        // An argument ends with "\r\n".
        let block_at = command.len() - 2 - link.payload;
        Ok(RedisSender {
            connection: connect(folder)?,
            command,
            block_at,
            payload: link.payload,
            slots: u64::from(link.slots),
            sent: 0,
            read: 0,
        })
    }

    fn look(&mut self) -> Result<(), String> {
        let read: Option<u64> = redis::cmd("GET")
            .arg(READ)
            .query(&mut self.connection)
            .map_err(failed)?;
        self.read = read.unwrap_or(0);
        Ok(())
    }
}

impl Sender for RedisSender {
    fn send(&mut self, position: u64) -> Result<(), String> {
        let began_ns = monotonic_ns();
        if self.sent - self.read >= self.slots {
            let mut looked = Ok(());
            let mut look = || {
                looked = self.look();
                looked.is_err() || self.sent - self.read < self.slots
            };
            sleep_until("free slot", &mut look, || std::thread::sleep(LOOK_AGAIN))?;
            looked?;
        }
        let block = &mut self.command[self.block_at..self.block_at + self.payload];
        payload::fill(block, position, began_ns);
        let added = self.connection.req_packed_command(&self.command);
        self.sent += 1;
        added.map(|_| ()).map_err(failed)
    }

    fn idle(&mut self, _: u64) {
        if self.sent - self.read >= self.slots / 2 {
            // An error will be said by the next block.
            let _ = self.look();
        }
    }
}

/// Reads the stream from its beginning.
pub struct RedisReceiver {
    connection: Connection,
    slots: u32,
    /// Id of the newest entry that has arrived here.
    last: Vec<u8>,
    /// Blocks that have arrived with it and were not read yet.
    arrived: VecDeque<Vec<u8>>,
    read: u64,
    /// What the sender was told.
    told: u64,
    command: Vec<u8>,
}

impl RedisReceiver {
    /// Connects to the server in `folder`.
    ///
    /// # Errors
    /// What it said.
    pub fn open(folder: &Path, link: &LinkSpec) -> Result<Self, String> {
        Ok(RedisReceiver {
            connection: connect(folder)?,
            slots: link.slots,
            last: b"0-0".to_vec(),
            arrived: VecDeque::with_capacity(link.slots as usize),
            read: 0,
            told: 0,
            command: Vec::new(),
        })
    }

    /// One `XREAD`, and before it, in the same write, how far this end has read, if it is time to say so.
    fn fetch(&mut self) -> Result<(), String> {
        self.command.clear();
        let tell = self.read - self.told >= u64::from((self.slots / 4).max(1));
        if tell {
            let mut set = redis::cmd("SET");
            set.arg(READ).arg(self.read);
            set.write_packed_command(&mut self.command);
            self.told = self.read;
        }
        let mut xread = redis::cmd("XREAD");
        xread.arg("COUNT").arg(self.slots).arg("BLOCK");
        xread.arg(GIVE_UP.as_millis() as u64);
        xread.arg("STREAMS").arg(BLOCKS).arg(&self.last);
        self.command.extend(xread.get_packed_command());
        let sent = self.connection.send_packed_command(&self.command);
        sent.map_err(failed)?;
        if tell {
            self.connection.recv_response().map_err(failed)?;
        }
        let reply = self.connection.recv_response().map_err(failed)?;
        for Entry { id, block } in entries(reply)? {
            self.last = id;
            self.arrived.push_back(block);
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    id: Vec<u8>,
    block: Vec<u8>,
}

/// `[[stream, [[id, [field, value]], ...]]]`, or nil after an `XREAD` that saw nothing.
fn entries(reply: Value) -> Result<Vec<Entry>, String> {
    let other = || "Redis: XREAD answered something else than one stream of one-field entries";
    let streams = match reply {
        Value::Nil => return Ok(Vec::new()),
        Value::Array(streams) => streams,
        _ => return Err(other().to_owned()),
    };
    let [Value::Array(stream)] = <[Value; 1]>::try_from(streams).map_err(|_| other())? else {
        return Err(other().to_owned());
    };
    let [_, Value::Array(entries)] = <[Value; 2]>::try_from(stream).map_err(|_| other())? else {
        return Err(other().to_owned());
    };
    let entry = |entry: Value| {
        let Value::Array(entry) = entry else {
            return None;
        };
        let [Value::BulkString(id), Value::Array(fields)] = <[Value; 2]>::try_from(entry).ok()?
        else {
            return None;
        };
        let [_, Value::BulkString(block)] = <[Value; 2]>::try_from(fields).ok()? else {
            return None;
        };
        Some(Entry { id, block })
    };
    let entries: Option<Vec<_>> = entries.into_iter().map(entry).collect();
    entries.ok_or_else(|| other().to_owned())
}

impl Receiver for RedisReceiver {
    fn receive(&mut self) -> Result<(Seen, u64), String> {
        if self.arrived.is_empty() {
            self.fetch()?;
        }
        let block = self.arrived.pop_front();
        let block = block.ok_or("no block for 2 s: the other end is gone")?;
        let seen = payload::read(&block);
        let now_ns = monotonic_ns();
        self.read += 1;
        Ok((seen, now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn entries_are_taken_out_of_a_reply_in_order() {
        let entry = |id: &str, value: &str| {
            Value::Array(vec![text(id), Value::Array(vec![text("b"), text(value)])])
        };
        let list = Value::Array(vec![entry("1-0", "one"), entry("1-1", "two")]);
        let reply = Value::Array(vec![Value::Array(vec![text(BLOCKS), list])]);
        let expected = [("1-0", "one"), ("1-1", "two")].map(|(id, block)| Entry {
            id: id.into(),
            block: block.into(),
        });
        assert_eq!(entries(reply), Ok(expected.into()));
        assert_eq!(entries(Value::Nil), Ok(Vec::new()));
        assert!(entries(Value::Array(vec![text("else")])).is_err());
    }

    #[test]
    fn the_block_stands_last_in_the_packed_command() {
        let packed = xadd(64, b"01234567").get_packed_command();
        assert!(packed.ends_with(b"$8\r\n01234567\r\n"), "{packed:?}");
    }
}
