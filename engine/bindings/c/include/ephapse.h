/* libephapse: stages and rings of Ephapse for C11 and C++17. Made by cbindgen from engine/bindings/c/src; README.md there
 * has the commands and an example.
 *
 * Rules for all of it:
 * - Pointers you give are valid for the call, and handles come from this library and are closed once. Null is an error where
 *   nothing else is said (`ephapse_last_error`), but a fault in `ephapse_producer_claim`, `ephapse_producer_commit`,
 *   `ephapse_reader_peek` and `ephapse_reader_release`, which look at nothing twice.
 * - Texts are UTF-8 and end with a zero byte. What the library shows stays its own: never free it.
 * - A handle is for one thread at a time. Nothing here unwinds or throws.
 * - Shapes: a block is `frames` rows of `type->row_bytes` bytes without padding, time first, the last axis fastest.
 *   Times are CLOCK_MONOTONIC nanoseconds.
 */

#ifndef EPHAPSE_H
#define EPHAPSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Kind of a stream: a dense array, time first.
#define EPHAPSE_FRAMES 1

// Kind of a stream: records, described field by field.
#define EPHAPSE_RECORDS 2

// Kind of a stream: opaque bytes.
#define EPHAPSE_BYTES 3

// Number format: signed 8 bits.
#define EPHAPSE_I8 1

// Number format: signed 16 bits, little-endian as all that follow.
#define EPHAPSE_I16 2

// Number format: signed 32 bits.
#define EPHAPSE_I32 3

// Number format: signed 64 bits.
#define EPHAPSE_I64 4

// Number format: unsigned 8 bits.
#define EPHAPSE_U8 5

// Number format: unsigned 16 bits.
#define EPHAPSE_U16 6

// Number format: unsigned 32 bits.
#define EPHAPSE_U32 7

// Number format: unsigned 64 bits.
#define EPHAPSE_U64 8

// Number format: `float`.
#define EPHAPSE_F32 9

// Number format: `double`.
#define EPHAPSE_F64 10

// Number format: digital lines, one bit per channel from the least significant bit, a row padded to whole bytes.
#define EPHAPSE_BITS 11

// Most axes of a stream.
#define EPHAPSE_MAX_AXES 4

// Flag: frames were lost, or the signal is discontinuous, before this block.
#define EPHAPSE_FLAG_GAP 1

// Flag: the block was made later than its time.
#define EPHAPSE_FLAG_LATE 2

// Flag: the data were made by a generator, not by a device.
#define EPHAPSE_FLAG_SYNTHETIC 4

// Flag: the maker started over without its state and has not yet settled.
#define EPHAPSE_FLAG_RESET 8

// Flag: the data come from a recording.
#define EPHAPSE_FLAG_REPLAY 16

// Two bits of `flags`: how `sampled_ns` was found. 0 nominal, 32 estimated, 64 measured, 96 unknown.
#define EPHAPSE_FLAG_CLOCK_MASK 96

// Why a stream ended: it has not.
#define EPHAPSE_END_NONE 0

// Why a stream ended: its source came to its end.
#define EPHAPSE_END_FINISHED 1

// Why a stream ended: the session was stopped.
#define EPHAPSE_END_STOPPED 2

// Why a stream ended: its producer reported a fault.
#define EPHAPSE_END_FAULT 3

// Why a stream ended: its producer died.
#define EPHAPSE_END_DIED 4

// What `process` returns: go on.
#define EPHAPSE_CONTINUE 0

// What `process` returns: a source has nothing to give at the moment; nothing was committed. Ask again.
#define EPHAPSE_AGAIN 1

// What `process` returns: end my streams; a finite source has come to its end.
#define EPHAPSE_DONE 2

// What `process` returns: ask the session to stop. With a reason: return what `ephapse_stop` returns.
#define EPHAPSE_STOP 3

// An anonymous reader of a ring: any number of them, at any time.
typedef struct ephapse_observer ephapse_observer;

// The outputs of one activation. Nothing of it is visible to readers before `process` has returned.
typedef struct ephapse_outputs ephapse_outputs;

// The producer of a ring, at most one per ring. For one thread at a time.
typedef struct ephapse_producer ephapse_producer;

// The owner of a `hold` seat, one per seat. For one thread at a time.
typedef struct ephapse_reader ephapse_reader;

// A ring that is open in this program. Its ends are opened from it and outlive it.
typedef struct ephapse_ring ephapse_ring;

// One axis. Texts are UTF-8 and never null in what the library shows; null means empty in what you give.
typedef struct ephapse_axis {
    // `time`, `channel`, `frequency`, `row`, `column`, or a name of the stage's own; at most 15 bytes.
    const char *name;
    // Unit of the axis, empty if none; at most 15 bytes.
    const char *unit;
    // One label per element, or null.
    const char *const *labels;
    // Elements along this axis.
    uint32_t length;
} ephapse_axis;

// One field of a record.
typedef struct ephapse_field {
    // Name, at most 31 bytes.
    const char *name;
    // Unit, empty if none; at most 15 bytes.
    const char *unit;
    // `EPHAPSE_I8` to `EPHAPSE_F64`.
    uint32_t dtype;
    // Elements; 1 for a scalar.
    uint32_t count;
    // Byte offset in the record.
    uint32_t offset;
} ephapse_field;

// The type of a stream: what one block holds, how it is laid out, what its numbers mean. Two streams fit only if all of
// it is the same, labels and units included. Zero a struct before you fill it in.
typedef struct ephapse_type {
    // `EPHAPSE_FRAMES`, `EPHAPSE_RECORDS` or `EPHAPSE_BYTES`.
    uint32_t kind;
    // Number format of a frame's elements; `EPHAPSE_U8` for records and bytes.
    uint32_t dtype;
    // Axes that count, 1 to 4.
    uint32_t rank;
    // Axes, time first. The length of `axes[0]` is the frames (records, bytes) that a block can hold.
    struct ephapse_axis axes[EPHAPSE_MAX_AXES];
    // Frames in `rate_denominator` seconds, in lowest terms.
    uint64_t rate_numerator;
    // See `rate_numerator`; both 0: no fixed rate (records, bytes).
    uint64_t rate_denominator;
    // Unit of the stored numbers (`uV`, `count`); at most 15 bytes.
    const char *unit;
    // SI unit of `stored * scale + offset` (`V`), empty if the numbers have no SI meaning; at most 15 bytes.
    const char *si_unit;
    // Per channel, `scales` of them: SI value per stored unit. Null: 1.
    const double *scale;
    // Per channel, `offsets` of them: SI value of a stored zero. Null: 0.
    const double *offset;
    // Per channel, `positions` times x, y, z of the electrode, micrometres; or null.
    const double *positions_um;
    // Entries of `scale`.
    uint32_t scales;
    // Entries of `offset`.
    uint32_t offsets;
    // Entries (of three numbers) of `positions_um`.
    uint32_t positions;
    // Fields of a record; 0 for frames and bytes.
    uint32_t field_count;
    // The fields, in order of offset.
    const struct ephapse_field *fields;
    // Name of the record layout: `spike`, `event`, `command`, `mark`, or your own; at most 31 bytes.
    const char *record_name;
    // Bytes of a record, a multiple of 8.
    uint32_t record_bytes;
    // Told by the library, not looked at in what you give: length of `axes[0]`.
    uint32_t frames_per_block;
    // Told by the library: length of the axis `channel`, else of the second axis, else 1.
    uint32_t channels;
    // Told by the library: bytes from one frame (record, byte) to the next, without padding.
    size_t row_bytes;
    // Told by the library: the type in a line, `20 x 60 i32, 20000 Hz, count`.
    const char *summary;
} ephapse_type;

// A port and the type of its stream.
typedef struct ephapse_port {
    // Name.
    const char *name;
    // Type; of an input behind its adapters.
    const struct ephapse_type *type;
} ephapse_port;

// What a stage is told. It stays where it is until the stage's `drop` has returned, and all it points to.
typedef struct ephapse_setup {
    // Name of the stage in the graph; empty in `describe`.
    const char *name;
    // All parameters, defaults filled in, as a JSON object. `ephapse_param_*` read it.
    const char *params;
    // Input ports, in the order of the manifest.
    const struct ephapse_port *inputs;
    // How many.
    size_t input_count;
    // Output ports, in the order of the manifest; none in `describe`.
    const struct ephapse_port *outputs;
    // How many.
    size_t output_count;
    // Bytes of state, as described; 0 in `describe`.
    size_t state_bytes;
    // Bytes of append-only state, as described; 0 in `describe`.
    size_t append_bytes;
} ephapse_setup;

// What a stage is, given parameters and input types. Zero at first, but for `parts_per_call`.
typedef struct ephapse_description {
    // Bytes of state that must survive a restart (`context->state`). 0: the stage starts from RESET.
    size_t state_bytes;
    // Bytes of append-only state (calibration buffers).
    size_t append_bytes;
    // Delay of the signal through the stage, in frames of its pacing input.
    double group_delay_frames;
    // Frames after a reset in which the outputs do not yet mean what they should.
    uint64_t settle_frames;
    // Most blocks one call of `process` publishes per stream; 1 at first.
    uint32_t parts_per_call;
    // Each block is made from its blocks alone: without state bytes, too, nothing behind a restart need be marked RESET.
    bool memoryless;
} ephapse_description;

// What a stage may know of the world during an activation.
typedef struct ephapse_context {
    // Tick; a logical one in an unpaced run.
    uint64_t tick;
    // The only clock of a stage: CLOCK_MONOTONIC ns at the start of the activation, logical time in an unpaced run.
    uint64_t now_ns;
    // `state_bytes` of state, aligned to 64 bytes, as the previous activation left it, to be changed in place: what the
    // next call must know. A stage killed at any instruction and started again goes on from here.
    void *state;
    // How many.
    size_t state_bytes;
    // The append-only region; null if there is none.
    void *append;
    // Its bytes.
    size_t append_bytes;
    // Parameter epoch.
    uint32_t epoch;
    // Stimulation has been switched off, or is held while a process is dead: a stage that stimulates must refuse whatever it is told.
    bool off;
} ephapse_context;

// Header of a block, 128 bytes, as it stands in the ring before the payload (engine/ABI.md, "Slots"). In a stage the
// runner presets it from the pacing block; a stage may change `first_frame`, `lost`, `flags`, `origin_first`,
// `origin_frame`, `settling`, the stamps and `user`. All times are CLOCK_MONOTONIC nanoseconds (logical ones in an unpaced run).
typedef struct ephapse_header {
    // Position of this block in its ring. Set by the library.
    uint64_t position;
    // Tick in which it was made; 0 for a source that knows none.
    uint64_t tick;
    // This stream's count of frames (records) before the block, lost ones included.
    uint64_t first_frame;
    // Stream of the pacing source, by index in the graph's stream table.
    uint32_t origin_stream;
    // `EPHAPSE_FLAG_*`.
    uint32_t flags;
    // Oldest frame of the pacing source that has contributed.
    uint64_t origin_first;
    // Newest frame of the pacing source that has contributed.
    uint64_t origin_frame;
    // Position after which the maker stood on its pacing input; the tick, for a source. Set by the runner.
    uint64_t cause;
    // Number of this block among the blocks of the same `cause`, from 0. Set by the runner.
    uint16_t part;
    // Blocks published for this `cause`. Set by the runner.
    uint16_t parts;
    // Valid frames (records, bytes) in the payload. Set by `commit`.
    uint32_t valid;
    // Frames lost before this block.
    uint64_t lost;
    // Frames from the block's start that do not yet mean what they should.
    uint32_t settling;
    // Parameter epoch of the maker.
    uint32_t epoch;
    // When the block's last frame was taken, ns.
    uint64_t sampled_ns;
    // When the host had it, ns.
    uint64_t arrived_ns;
    // When the maker committed it, ns. Set by the runner.
    uint64_t committed_ns;
    // For the maker's own use.
    uint64_t user;
    // Zero.
    uint64_t reserved[2];
} ephapse_header;

// A block to be read, in place: nothing is copied. Valid until it is released (at the stage level, until `process` returns).
typedef struct ephapse_block {
    // A checked private copy of its header.
    const struct ephapse_header *header;
    // `frames` rows of `type->row_bytes` bytes, the last axis fastest, aligned to 64 bytes (to 16 behind an edge adapter
    // and on a `lap` seat). In a ring, writing there is a fault (SIGSEGV).
    const void *data;
    // Type of the stream, behind the edge's adapters.
    const struct ephapse_type *type;
    // Valid frames (records, bytes); 0 says that nothing happened up to `header->origin_frame`.
    uint32_t frames;
    // Input port it came by, from 0 in the order of the manifest; 0 at the ring level.
    uint32_t port;
    // Its producer wrote a position or a length that cannot be: `frames` is 0, and nothing of it is shown.
    bool damaged;
} ephapse_block;

// The blocks of one activation.
typedef struct ephapse_inputs {
    // The pacing input's block first, then those of the other ports, port after port, oldest first. A port with
    // `read = "all"` may have several, one with `read = "newest"` may have none yet.
    const struct ephapse_block *blocks;
    // How many; 0 in a source.
    size_t count;
} ephapse_inputs;

// What a stage does. Zero the table and fill in what you have; only `process` must be there. `own` is always what
// `prepare` returned. `process`, `reset` and `finish` run in real time: no allocation, lock, log or system call there.
// No C++ exception and no `longjmp` may leave any of them.
typedef struct ephapse_stage {
    // From parameters and input types to what the stage is: fills in `description` (`ephapse_describe_output` for each
    // output) and returns true, or refuses with `return ephapse_refuse_parameter(...)` or another of these. Runs in a
    // process of its own before the session (`--ephapse-describe`). Null: the manifest says it all.
    bool (*describe)(const struct ephapse_setup *setup, struct ephapse_description *description);
    // Before the start: the last place that may allocate, open or plan. Returns the stage's own memory (anything but
    // null; `(void *)setup` if it needs none), or refuses with `return ephapse_refuse_parameter(...)` or another of these.
    void *(*prepare)(const struct ephapse_setup *setup);
    // One block of the pacing input (for a source: one block to make). Returns `EPHAPSE_CONTINUE`, `EPHAPSE_AGAIN`,
    // `EPHAPSE_DONE`, or what `ephapse_stop` returns.
    int32_t (*process)(void *own,
                       const struct ephapse_context *context,
                       const struct ephapse_inputs *inputs,
                       struct ephapse_outputs *outputs);
    // Writes the initial state, at start and before the block that follows a gap, a seam or a RESET. Null: all zero.
    void (*reset)(void *own, void *state, size_t bytes);
    // New parameters, between activations; false if they cannot be (`ephapse_refuse_parameter`), and the old ones stay.
    // Null: parameters do not change while it runs.
    bool (*tune)(void *own, const struct ephapse_setup *setup);
    // The inputs have ended: publish what is held. Null: nothing is.
    void (*finish)(void *own, const struct ephapse_context *context, struct ephapse_outputs *outputs);
    // Frees what `prepare` returned. Null: nothing to free.
    void (*drop)(void *own);
} ephapse_stage;

// A block to be written, in place: nothing is copied. Valid until it is committed.
typedef struct ephapse_slot {
    // Its header, preset.
    struct ephapse_header *header;
    // Room for `type->frames_per_block` rows of `type->row_bytes` bytes, the last axis fastest, aligned to 64 bytes. It holds
    // what an earlier block left there.
    void *data;
    // Type of the stream.
    const struct ephapse_type *type;
    // Frames (records, bytes) that may be committed: a full block, or less at the end of a timed run.
    uint32_t room;
} ephapse_slot;

// What a function of the ring level came to: 0 done; above 0 nothing wrong, but nothing done; below 0 an error, about which
// `ephapse_last_error` has a line.
typedef int32_t ephapse_outcome;

// Done.
#define EPHAPSE_OK 0

// Nothing there (no block, no room) within the time allowed. No error.
#define EPHAPSE_NOTHING 1

// The stream has ended and everything in it was read. No error.
#define EPHAPSE_ENDED 2

// An argument cannot be: a null pointer, a number out of range, a text that is not UTF-8.
#define EPHAPSE_BAD_ARGUMENT -1

// The segment is not what it should be: another type, another version, damaged, a role that somebody holds.
#define EPHAPSE_REFUSED -2

// The system said no: no such file, no memory, no permission.
#define EPHAPSE_SYSTEM -3

// A fault of the library itself, contained.
#define EPHAPSE_PANICKED -4

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// One line about the newest error of the calling thread: what, where, why, what to do. Empty if there was none. UTF-8,
// valid until the thread's next error.
const char *ephapse_last_error(void);

// `frames_per_block x channels` frames at `rate_hz`, without labels, positions and SI scale. `unit` (null: none) must live as
// long as the answer is used. A rate that is not positive means no fixed rate. The answer is not checked: whoever takes it does that.
struct ephapse_type ephapse_frames(uint32_t dtype,
                                   uint32_t frames_per_block,
                                   uint32_t channels,
                                   double rate_hz,
                                   const char *unit);

// Says that parameter `key` cannot be used, and why (one line: what is wrong, what would be right). Returns null, so that
// `describe`, `prepare` and `tune` can return its answer.
void *ephapse_refuse_parameter(const struct ephapse_setup *setup,
                               const char *key,
                               const char *why);

// Says that the stream at input `port` cannot be used, and why. Returns null.
void *ephapse_refuse_input(const struct ephapse_setup *setup, const char *port, const char *why);

// Says that something the stage needs (a file, a device, memory) cannot be had, and why. Returns null.
void *ephapse_refuse_resource(const struct ephapse_setup *setup, const char *what, const char *why);

// The number `key` of the parameters. False if it is missing or no number: `value` is as it was, and a stage that then
// returns null refuses with a line that says so.
bool ephapse_param_f64(const struct ephapse_setup *setup, const char *key, double *value);

// The whole number `key` of the parameters; else as `ephapse_param_f64`.
bool ephapse_param_i64(const struct ephapse_setup *setup, const char *key, int64_t *value);

// The truth value `key` of the parameters; else as `ephapse_param_f64`.
bool ephapse_param_bool(const struct ephapse_setup *setup, const char *key, bool *value);

// The text `key` of the parameters, UTF-8, valid as long as the stage; null if it is missing or no text. Not for `process`:
// it allocates.
const char *ephapse_param_string(const struct ephapse_setup *setup,
                                 const char *key);

// The list of numbers `key` of the parameters: writes the first `most` into `values` and returns how many there are, which
// may be more. -1 if it is missing or no list of numbers.
int64_t ephapse_param_f64s(const struct ephapse_setup *setup,
                           const char *key,
                           double *values,
                           size_t most);

// Names output `port` and the type of its stream (copied), in the order of the manifest. Returns false if the type cannot
// be (`ephapse_last_error`); the description is then refused whatever `describe` returns.
bool ephapse_describe_output(struct ephapse_description *description,
                             const char *port,
                             const struct ephapse_type *type);

// Runs a stage as this process's whole purpose, until the session ends: attaches to the rings that the launcher's stage
// file names (`EPHAPSE_STAGE`), compares types, calls `prepare`, takes its CPU and policy, then calls `process` for every
// activation. Asked with `--ephapse-describe` it answers that instead. To be returned from `main`: 0, or 1 after a line on
// stderr that is left in the stage's segment, too.
int ephapse_stage_main(int argc,
                       char **argv,
                       const struct ephapse_stage *functions);

// The next block of output `port`, to be filled and kept with `ephapse_commit`; a block not committed is as if never
// begun. Its header is preset from the pacing block: origin, stamps, flags, settling; for an output with the pacing
// input's rate also `first_frame` and `lost`. At most as many blocks per call as the description's `parts_per_call` have
// room for certain. Null if there is no such output (`ephapse_last_error`).
const struct ephapse_slot *ephapse_begin(struct ephapse_outputs *outputs,
                                         size_t port);

// Keeps the block begun at output `port`, with `frames` valid frames (records, bytes), 0 included; more than its `room` is
// cut to that. False if none was begun (`ephapse_last_error`).
bool ephapse_commit(struct ephapse_outputs *outputs,
                    size_t port,
                    size_t frames);

// For a source's account: its device, file or driver has delivered `frames` more frames (records) for output `port`. At the
// end of the run they are compared with the frames published and lost.
bool ephapse_count_source(struct ephapse_outputs *outputs,
                          size_t port,
                          uint64_t frames);

// Says why the session should stop (one line), and returns `EPHAPSE_STOP`, so that `process` can return its answer.
int32_t ephapse_stop(const struct ephapse_context *context, const char *why);

// The newest block of input `port`; null if it has none.
const struct ephapse_block *ephapse_newest(const struct ephapse_inputs *inputs, uint32_t port);

// Makes a ring for streams of `type`, with `slots` slots (a power of two) and `seats` `hold` seats (0 to 16), and opens it.
// With names it is the one stream of a session: this program counts as its launcher, `ephapse status` shows it and
// observers find it; `ephapse_ring_close` removes it, `ephapse gc` does if this program is killed. Session and stream are
// both null for a ring without a name, whose `ephapse_ring_descriptor` goes to a child or over a socket. Every seat holds
// the producer back from the start, whether somebody has opened it or not.
ephapse_outcome ephapse_ring_create(const char *session,
                                    const char *stream,
                                    const struct ephapse_type *type,
                                    uint32_t slots,
                                    uint32_t seats,
                                    struct ephapse_ring **ring);

// Opens the ring of a stream of a session of this user, made by another program or by `ephapse run`. Refuses what is
// damaged, of another version or somebody else's, by name.
ephapse_outcome ephapse_ring_open(const char *session, const char *stream, struct ephapse_ring **ring);

// Opens the ring behind a descriptor that was handed over (`ephapse_ring_descriptor`). The descriptor stays the caller's.
ephapse_outcome ephapse_ring_adopt(int descriptor,
                                   struct ephapse_ring **ring);

// Descriptor of a ring without a name, valid until the ring is closed; -1 for one with a name. It is closed on `exec` unless the
// caller says otherwise (`fcntl`).
int ephapse_ring_descriptor(const struct ephapse_ring *ring);

// Type of the ring's stream, valid until the ring is closed; null for a null ring.
const struct ephapse_type *ephapse_ring_type(const struct ephapse_ring *ring);

// Closes it; its maker removes it (a child that `fork` made of the maker leaves a ring with a name open, or it would). Ends
// that were opened from it go on. Null does nothing.
void ephapse_ring_close(struct ephapse_ring *ring);

// CLOCK_MONOTONIC, ns: what all stamps are in.
uint64_t ephapse_now_ns(void);

// Becomes the producer of `ring`. `expected` is the type that the ring must carry; null takes what there is. The role is
// taken once in a ring's life, until its launcher has seen the process dead.
ephapse_outcome ephapse_producer_open(struct ephapse_ring *ring,
                                      const struct ephapse_type *expected,
                                      struct ephapse_producer **producer);

// The next slot, to be written in place and published with `ephapse_producer_commit`. Its header is zero but for
// `position`; `first_frame`, the stamps and what else means something are the caller's to set. Null if every slot is held by a
// reader: wait (`ephapse_producer_wait`), or drop the block and say so in the next one's `lost`. No system call. Claimed
// again before it is committed, it is the same slot with a fresh header.
const struct ephapse_slot *ephapse_producer_claim(struct ephapse_producer *producer);

// Publishes the slot claimed, with `frames` valid frames (records, bytes), 0 included; more than fit are cut. No system
// call: readers that sleep are woken by `ephapse_producer_ring`, which comes last.
ephapse_outcome ephapse_producer_commit(struct ephapse_producer *producer, uint32_t frames);

// Wakes readers that sleep; a system call only if one does. After everything else of an activation: a reader of higher
// priority on this CPU runs before this returns.
void ephapse_producer_ring(struct ephapse_producer *producer);

// Waits until a slot is free, at most `timeout_ns`: `EPHAPSE_OK` or `EPHAPSE_NOTHING`.
ephapse_outcome ephapse_producer_wait(struct ephapse_producer *producer, uint64_t timeout_ns);

// Ends the stream behind the last published block, once, and wakes the readers: `reason` is `EPHAPSE_END_FINISHED`,
// `_STOPPED` or `_FAULT`; `lost` frames would have followed. There is nothing to claim or commit afterwards.
ephapse_outcome ephapse_producer_end(struct ephapse_producer *producer, uint64_t reason, uint64_t lost);

// Ends the stream (finished), if that has not been done, and lets go of the ring. Null does nothing.
void ephapse_producer_close(struct ephapse_producer *producer);

// Takes seat `seat` of `ring` (from 0; a `hold` seat). `expected` as in `ephapse_producer_open`. A seat is taken once in a
// ring's life, until its launcher has seen the process dead.
ephapse_outcome ephapse_reader_open(struct ephapse_ring *ring,
                                    uint32_t seat,
                                    const struct ephapse_type *expected,
                                    struct ephapse_reader **reader);

// The oldest block not yet released, in place; null if none is there (yet). Valid until it is released. No system call.
const struct ephapse_block *ephapse_reader_peek(struct ephapse_reader *reader);

// Gives the oldest block back to the producer, peeked or not; nothing if there is none. No system call: a producer that
// sleeps is woken by `ephapse_reader_ring`.
void ephapse_reader_release(struct ephapse_reader *reader);

// Wakes the producer if it sleeps for room; a system call only then. After everything else of an activation.
void ephapse_reader_ring(struct ephapse_reader *reader);

// Waits until there is a block to peek, at most `timeout_ns`: `EPHAPSE_OK`, `EPHAPSE_NOTHING`, or `EPHAPSE_ENDED` when the
// stream has ended and every block was released.
ephapse_outcome ephapse_reader_wait(struct ephapse_reader *reader,
                                    uint64_t timeout_ns);

// Why the stream has ended, `EPHAPSE_END_*`; `EPHAPSE_END_NONE` while it is open. Blocks before the end may still be there.
uint64_t ephapse_reader_end_reason(const struct ephapse_reader *reader);

// Lets go of the seat. What was not released stays held: the producer waits for it. Null does nothing.
void ephapse_reader_close(struct ephapse_reader *reader);

// Begins to observe `ring`.
ephapse_outcome ephapse_observer_open(struct ephapse_ring *ring, struct ephapse_observer **observer);

// Next position to be published: the newest block stands one before it.
uint64_t ephapse_observer_published(const struct ephapse_observer *observer);

// Oldest position that can still be copied.
uint64_t ephapse_observer_oldest(const struct ephapse_observer *observer);

// Copies the block at `position` into `header` and `data`, which has room for `bytes`: a full block
// (`frames_per_block * row_bytes`) must fit. `EPHAPSE_NOTHING` if it is not there yet, or was overwritten before or while it was
// copied: `data` then holds nothing of use.
ephapse_outcome ephapse_observer_copy(struct ephapse_observer *observer,
                                      uint64_t position,
                                      struct ephapse_header *header,
                                      void *data,
                                      size_t bytes);

// Ends it. Null does nothing.
void ephapse_observer_close(struct ephapse_observer *observer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* EPHAPSE_H */
