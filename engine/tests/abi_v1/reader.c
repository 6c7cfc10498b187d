/* Reads a segment of Ephapse's ABI version 1 from a file and prints what stands in it, one "name value" per line.
 *
 * Knows of segments only what engine/ABI.md says, with no header of the engine: what it prints must be what the engine says of the same
 * bytes (tests/abi_v1.rs). Numbers in the strings below are widths in bytes, as in the document's tables; `t` marks a text,
 * `x` raw bytes, `.` bytes to pass over. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *image;
static uint64_t bytes;

static void refuse(const char *why) {
    fprintf(stderr, "refused: %s\n", why);
    exit(1);
}

static const uint8_t *at(uint64_t offset, uint64_t length) {
    if (offset > bytes || length > bytes - offset) refuse("something lies outside the segment");
    return image + offset;
}

static uint64_t number(uint64_t offset, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = width; i-- > 0;) value = value << 8 | at(offset, width)[i];
    return value;
}
#define U64(offset) number(offset, 8)
#define U32(offset) number(offset, 4)

static uint32_t crc32c(uint64_t from, uint64_t to) {
    uint32_t crc = ~0u;
    for (uint64_t i = from; i < to; i++) {
        crc ^= *at(i, 1);
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* Prints fields that stand one behind the other. */
static void fields(uint64_t offset, const char *list, const char *where, ...) {
    char name[64], prefix[64], kind[2];
    unsigned width;
    int used;
    va_list arguments;
    va_start(arguments, where);
    vsnprintf(prefix, sizeof prefix, where, arguments);
    va_end(arguments);
    for (; *list; list += used, offset += width) {
        if (sscanf(list, " .%u %n", &width, &used) == 1) continue;
        if (sscanf(list, " %1[tx]%u %63s %n", kind, &width, name, &used) == 3) {
            const uint8_t *text = at(offset, width);
            printf("%s.%s ", prefix, name);
            for (unsigned i = 0; i < width && (*kind == 'x' || text[i]); i++) printf(*kind == 'x' ? "%02x" : "%c", text[i]);
            printf("\n");
        } else if (sscanf(list, "%u %63s %n", &width, name, &used) == 2) {
            printf("%s.%s %" PRIu64 "\n", prefix, name, number(offset, width));
        } else refuse("this program has a wrong list of fields");
    }
}

static void header(void) {
    if (bytes < 128 || memcmp(image, "EPHAPSE", 8) != 0) refuse("not a segment");
    if (U64(8) >> 32 != 1) refuse("not version 1");
    if (U64(16) != 0x0102030405060708) refuse("another byte order");
    if (U64(32) != bytes) refuse("another length than it says");
    if (U64(40) < 128 || U64(40) > bytes) refuse("its fixed bytes are more than it has");
    if (U32(28) != crc32c(32, U64(40))) refuse("its checksum does not fit");
    fields(24, "4 kind .4 8 segment_bytes 8 fixed_bytes x16 session_id x16 machine_id 4 launcher_pid", "header");
}

static void session(void) {
    fields(4096, "8 state 8 start_ns 8 start_tick 8 stop_tick 8 stop 8 run_ns 8 period_ns 8 off", "session");
    fields(8192, "8 tick 8 tick_ns", "timer");
}

static void type(void) {
    fields(256, "4 kind 4 dtype 4 rank 4 memory_order 4 frames_per_block 4 fields 4 record_bytes .4 8 row_stride "
                "8 rate_numerator 8 rate_denominator t16 unit t16 si_unit t32 record_name", "type");
    for (uint64_t i = 0; i < U32(256 + 152); i++) fields(U64(256 + 120) + 8 * i, "x8 scale", "type.%u", (unsigned)i);
    for (uint64_t i = 0; i < U32(256 + 156); i++) fields(U64(256 + 128) + 8 * i, "x8 offset", "type.%u", (unsigned)i);
    for (uint64_t i = 0; i < U32(256 + 160); i++) fields(U64(256 + 136) + 24 * i, "x8 x x8 y x8 z", "type.%u", (unsigned)i);
    for (uint64_t i = 0; i < U32(256 + 20); i++)
        fields(U64(256 + 144) + 64 * i, "t32 name 4 dtype 4 count 4 offset .4 t16 unit", "field.%u", (unsigned)i);
    for (unsigned i = 0; i < U32(256 + 8); i++) {
        uint64_t axis = 256 + 168 + 64 * i, label = U64(axis + 40), end = label + U64(axis + 48);
        fields(axis, "4 length 4 labels t16 name t16 unit", "axis.%u", i);
        while (label < end) {
            const char *text = (const char *)at(label, end - label), *zero = memchr(text, 0, end - label);
            if (!zero) refuse("a label has no end");
            printf("axis.%u.label %s\n", i, text);
            label += (uint64_t)(zero - text) + 1;
        }
    }
}

static void ring(void) {
    uint64_t slots = U32(128), seats = U32(132), stride = U64(144), payload = U64(152);
    uint64_t producer = U64(160), seats_at = U64(168), bells = U64(184), slots_at = U64(192);
    if (slots == 0 || (slots & (slots - 1)) || stride / 128 < 1 + payload / 128) refuse("its geometry cannot be");
    if (stride > bytes / slots || (at(slots_at, slots * stride), 0)) refuse("its slots lie outside the segment");
    fields(128, "4 slots 4 seats 4 spare_seats 4 full 8 slot_stride 8 payload_bytes .56 4 stream 4 origin 4 sleepless", "ring");
    type();
    fields(producer, "8 owner .120 8 start_time .120 8 published 8 end 8 end_reason 8 end_lost .96 4 waiting", "producer");
    for (unsigned i = 0; i < seats; i++) {
        fields(768 + 64 * i, "4 kind 4 spare t32 stage t16 port 4 sleepless", "seat.%u", i);
        fields(seats_at + U64(176) * i, "8 owner .120 8 start_time 8 closed .112 8 position 8 joined .112 4 waiting", "seat.%u", i);
    }
    fields(bells, "4 data .124 4 room", "bells");
    /* Nobody writes to a file: the lap rule leaves out the slot that might be being written. */
    uint64_t published = U64(producer + 256);
    for (uint64_t p = published < slots ? 0 : published - slots + 1; p < published; p++) {
        uint64_t slot = slots_at + (p & (slots - 1)) * stride, size = U32(slot + 60) * U64(256 + 32);
        if (U64(slot) != p || U32(slot + 60) > U32(256 + 16) || size > payload) refuse("a block's header cannot be");
        fields(slot, "8 position 8 tick 8 first_frame 4 origin_stream 4 flags 8 origin_first 8 origin_frame 8 cause 2 part "
                     "2 parts 4 valid 8 lost 4 settling 4 epoch 8 sampled_ns 8 arrived_ns 8 committed_ns 8 user", "block.%u", (unsigned)p);
        printf("block.%" PRIu64 ".payload %08" PRIx32 "\n", p, crc32c(slot + 128, slot + 128 + size));
    }
}

static void stage(void) {
    uint64_t words = U64(128), bank, flip = U64(words + 128);
    fields(words, "8 owner 8 state 8 asks_stop 8 heartbeat_ns .96 8 flip .120 8 policy 8 priority 8 cpu 8 locked_bytes "
                  "8 allocations 8 minor_faults 8 major_faults 8 voluntary 8 involuntary 8 spurious 8 over_budget 8 worst_ns 8 epoch .24 "
                  "t512 reason t256 rt_why", "stage");
    fields(U64(136), "8 start_time 8 generation 8 epoch 8 poison", "orders");
    fields(U64(144), "t64 params", "stage");
    bank = U64(160) + (flip & 1) * U64(168);
    fields(bank, "8 ran 8 records 8 run 8 late_wake 8 long_run 8 no_room 8 dead 8 settle_left 8 append_used 8 started 8 activations", "bank");
    for (unsigned i = 0; i < 8; i++) {
        fields(bank + 128 + 64 * i, "8 position 8 consumed 8 jumped 8 lapped 8 gaps 8 lost_frames 8 faults", "input.%u", i);
        fields(bank + 640 + 64 * i, "8 published 8 offered 8 dropped 8 next_frame 8 counted 8 valid 8 lost 8 owed", "output.%u", i);
    }
    printf("bank.state %08" PRIx32 "\n", crc32c(bank + 1152, bank + 1152 + U64(176)));
    printf("stage.append %08" PRIx32 "\n", crc32c(U64(184), U64(184) + U64(192)));
    fields(200, "8 layout_hash", "stage");
}

static void telemetry(void) {
    uint64_t slots = U64(128), published = U64(4096);
    fields(4096, "8 published", "telemetry");
    fields(8192, "8 taken", "collector");
    for (uint64_t n = published < slots ? 0 : published - slots + 1; n < published; n++) {
        fields(12288 + (n & (slots - 1)) * 128, "8 tick 8 since_ns 8 woke_ns 8 committed_ns 8 sampled_ns 8 arrived_ns 8 origin_frame "
               "8 now_ns x16 consumed x16 produced 4 epoch x4 skipped x4 usage 2 cpu 2 frames 4 lost 1 ports 1 marks", "record.%u", (unsigned)n);
        if (U32(8) >= 1) fields(12288 + (n & (slots - 1)) * 128 + 118, "2 circumstances 4 blocks", "record.%u", (unsigned)n);
    }
}

static void events(void) {
    for (uint64_t entry = 4096; entry + 256 <= bytes; entry += 256)
        if (U64(entry) != 0) fields(entry + 8, "8 at_ns 8 tick t40 who t192 what", "event.%u", (unsigned)U64(entry));
}

int main(int count, char **arguments) {
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) refuse("give the file of one segment");
    if (fseek(file, 0, SEEK_END) || (bytes = (uint64_t)ftell(file)) == 0) refuse("it has no length");
    rewind(file);
    image = malloc(bytes);
    if (!image || fread(image, 1, bytes, file) != bytes) refuse("it cannot be read");
    fclose(file);
    header();
    void (*const kinds[])(void) = {session, ring, stage, telemetry, events};
    uint64_t kind = U32(24);
    if (kind < 1 || kind > 5) refuse("a kind that version 1 does not have");
    kinds[kind - 1]();
    free(image);
    return 0;
}
