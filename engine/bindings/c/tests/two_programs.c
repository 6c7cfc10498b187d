// Two programs and a ring of their own. `write SESSION COUNT` makes the ring and writes, `read SESSION` reads, both until the
// end; `fork COUNT` does both on a ring without a name, the reader in a child that was handed the descriptor.
#include <ephapse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 1000000000ull

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, ephapse_last_error());
    return 1;
}

static ephapse_type wanted(void) {
    return ephapse_frames(EPHAPSE_I32, 4, 2, 1000, "count");
}

static int produce(ephapse_ring *ring, int32_t count) {
    ephapse_producer *producer;
    ephapse_type type = wanted();
    if (ephapse_producer_open(ring, &type, &producer) < 0)
        return failed("producer");
    for (int32_t n = 0; n < count; n++) {
        const ephapse_slot *slot;
        while (!(slot = ephapse_producer_claim(producer)))
            if (ephapse_producer_wait(producer, 20 * SECOND) != EPHAPSE_OK)
                return fprintf(stderr, "producer: no room for 20 s\n"), 1;
        slot->header->first_frame = 4ull * (uint64_t)n;
        slot->header->sampled_ns = ephapse_now_ns();
        for (int i = 0; i < 8; i++)
            ((int32_t *)slot->data)[i] = n;
        if (ephapse_producer_commit(producer, 4) != EPHAPSE_OK)
            return failed("commit");
        ephapse_producer_ring(producer);
    }
    if (ephapse_producer_commit(producer, 4) != EPHAPSE_BAD_ARGUMENT)
        return fprintf(stderr, "a commit without a claim went through\n"), 1;
    ephapse_producer_end(producer, EPHAPSE_END_FINISHED, 0);
    ephapse_producer_close(producer);
    return 0;
}

static int consume(ephapse_ring *ring) {
    ephapse_reader *reader;
    ephapse_type type = wanted(), other = ephapse_frames(EPHAPSE_F32, 4, 2, 1000, "count");
    if (ephapse_reader_open(ring, 0, &other, &reader) != EPHAPSE_REFUSED)
        return fprintf(stderr, "another type was not refused\n"), 1;
    printf("refused: %s\n", ephapse_last_error());
    if (ephapse_reader_open(ring, 0, &type, &reader) < 0)
        return failed("reader");
    int64_t blocks = 0, sum = 0;
    ephapse_outcome outcome;
    while ((outcome = ephapse_reader_wait(reader, 20 * SECOND)) == EPHAPSE_OK) {
        const ephapse_block *block = ephapse_reader_peek(reader);
        if (block->damaged || block->frames != 4 || block->header->position != (uint64_t)blocks)
            return fprintf(stderr, "block %lld is not as it was written\n", (long long)blocks), 1;
        for (int i = 0; i < 8; i++)
            sum += ((const int32_t *)block->data)[i];
        blocks++;
        ephapse_reader_release(reader);
        ephapse_reader_ring(reader);
    }
    printf("blocks %lld, sum %lld, outcome %d, reason %llu\n", (long long)blocks, (long long)sum, outcome,
           (unsigned long long)ephapse_reader_end_reason(reader));
    ephapse_reader_close(reader);
    return 0;
}

// The newest block, copied.
static int observe(ephapse_ring *ring) {
    ephapse_observer *observer;
    ephapse_header header;
    int32_t data[8];
    if (ephapse_observer_open(ring, &observer) < 0)
        return failed("observer");
    uint64_t newest = ephapse_observer_published(observer) - 1;
    if (ephapse_observer_copy(observer, newest, &header, data, 31) != EPHAPSE_BAD_ARGUMENT)
        return fprintf(stderr, "a block went into 31 bytes\n"), 1;
    if (ephapse_observer_copy(observer, newest + 1, &header, data, sizeof data) != EPHAPSE_NOTHING ||
        ephapse_observer_copy(observer, newest, &header, data, sizeof data) != EPHAPSE_OK)
        return fprintf(stderr, "the newest block is not there\n"), 1;
    printf("newest %llu: first frame %llu, %d; oldest %llu\n", (unsigned long long)newest,
           (unsigned long long)header.first_frame, data[7], (unsigned long long)ephapse_observer_oldest(observer));
    ephapse_observer_close(observer);
    return 0;
}

static int forked(int32_t count) {
    ephapse_ring *ring, *handed;
    ephapse_type type = wanted();
    if (ephapse_ring_create(NULL, NULL, &type, 8, 1, &ring) < 0)
        return failed("create");
    pid_t child = fork();
    if (child == 0) {
        if (ephapse_ring_adopt(ephapse_ring_descriptor(ring), &handed) < 0)
            return failed("adopt");
        printf("type: %s\n", ephapse_ring_type(handed)->summary);
        int consumed = consume(handed);
        ephapse_ring_close(handed);
        ephapse_ring_close(ring); // the child's copy of the handle
        return consumed;
    }
    int status = 1, produced = produce(ring, count);
    waitpid(child, &status, 0);
    int observed = observe(ring);
    ephapse_ring_close(ring);
    return produced || observed || status;
}

int main(int argc, char **argv) {
    ephapse_ring *ring;
    ephapse_type type = wanted();
    if (argc == 3 && strcmp(argv[1], "fork") == 0)
        return forked(atoi(argv[2]));
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        if (ephapse_ring_create(argv[2], "numbers", &type, 8, 1, &ring) < 0)
            return failed("create");
        printf("made\n");
        fflush(stdout);
        int done = produce(ring, atoi(argv[3]));
        getchar(); // the ring stays until the reader has read
        ephapse_ring_close(ring);
        return done;
    }
    if (argc == 3 && strcmp(argv[1], "read") == 0) {
        if (ephapse_ring_open(argv[2], "numbers", &ring) < 0)
            return failed("open");
        int done = consume(ring);
        ephapse_ring_close(ring);
        return done;
    }
    fprintf(stderr, "usage: write SESSION COUNT | read SESSION | fork COUNT\n");
    return 1;
}
