// Tells on its output what a stage in C was given, block by block, and does by `what` what a stage should not.
#include <ephapse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One i64 per row of `out`.
enum { SEEN_STATE, SEEN_TICK_OR_NOT, SEEN_BLOCKS, SEEN_NEWEST, SEEN_ALIGNED, SEEN };

typedef struct {
    char what[16];
    int64_t after;
} probe;

static void *prepare(const ephapse_setup *setup) {
    double gain = 0, taps[4] = {0};
    bool fast = false;
    const char *what = ephapse_param_string(setup, "what");
    probe *own = calloc(1, sizeof *own);
    if (!own || !what || !ephapse_param_f64(setup, "gain", &gain) || !ephapse_param_bool(setup, "fast", &fast) ||
        !ephapse_param_i64(setup, "after", &own->after))
        return NULL;
    int64_t count = ephapse_param_f64s(setup, "taps", taps, 4);
    fprintf(stderr, "what %s, gain %g, fast %d, taps %lld: %g %g %g, state %zu, json %s, name %s\n", what, gain, fast,
            (long long)count, taps[0], taps[1], taps[2], setup->state_bytes, setup->params, setup->name);
    if (strcmp(what, "mute") == 0)
        return NULL;
    strncpy(own->what, what, sizeof own->what - 1);
    return own;
}

static int aligned(const void *pointer) {
    return pointer && (uintptr_t)pointer % 64 == 0;
}

static int32_t process(void *own, const ephapse_context *context, const ephapse_inputs *inputs,
                       ephapse_outputs *outputs) {
    probe *self = own;
    int64_t *turns = context->state; // set by `reset`
    const ephapse_block *in = &inputs->blocks[0];
    if (++*turns > self->after && strcmp(self->what, "stop") == 0)
        return ephapse_stop(context, "the electrode fell off");
    if (*turns > self->after && strcmp(self->what, "done") == 0)
        return EPHAPSE_DONE;
    if (*turns > self->after && strcmp(self->what, "nonsense") == 0)
        return 77;
    if (strcmp(self->what, "misuse") == 0) {
        if (ephapse_begin(outputs, 3) || ephapse_commit(outputs, 0, 1))
            abort();
        fprintf(stderr, "said: %s\n", ephapse_last_error());
    }
    ephapse_begin(outputs, 0); // begun twice: the first is as if never begun
    const ephapse_slot *out = ephapse_begin(outputs, 0);
    int64_t *seen = out->data;
    seen[SEEN_STATE] = *turns;
    seen[SEEN_TICK_OR_NOT] = context->now_ns >= in->header->sampled_ns;
    seen[SEEN_BLOCKS] = (int64_t)inputs->count;
    const ephapse_block *beside = ephapse_newest(inputs, 1);
    seen[SEEN_NEWEST] = ephapse_newest(inputs, 0) != in ? -2 : beside ? (int64_t)beside->header->position : -1;
    seen[SEEN_ALIGNED] = aligned(in->data) && aligned(out->data) && aligned(context->state);
    ephapse_commit(outputs, 0, 99); // cut to its room
    if (strcmp(self->what, "misuse") == 0)
        ephapse_begin(outputs, 0); // left: as if never begun, in this call and in the next
    return EPHAPSE_CONTINUE;
}

static void reset(void *own, void *state, size_t bytes) {
    (void)own;
    memset(state, 0, bytes);
    *(int64_t *)state = 1000;
}

static void finish(void *own, const ephapse_context *context, ephapse_outputs *outputs) {
    (void)own;
    const ephapse_slot *out = ephapse_begin(outputs, 0);
    memset(out->data, 0, SEEN * sizeof(int64_t));
    *(int64_t *)out->data = -*(const int64_t *)context->state;
    ephapse_commit(outputs, 0, 1);
}

static void drop(void *own) {
    fprintf(stderr, "dropped\n");
    free(own);
}

int main(int argc, char **argv) {
    return ephapse_stage_main(argc, argv, &(ephapse_stage){
        .prepare = prepare, .process = process, .reset = reset, .finish = finish, .drop = drop});
}
