// Passes frames on, until it reaches block `at`: there it writes into the frames it was given, as a mistake in somebody's
// stage would.
#include <ephapse.h>
#include <string.h>

typedef struct {
    int64_t at;
} strays;

static strays own;

static void *prepare(const ephapse_setup *setup) {
    return ephapse_param_i64(setup, "at", &own.at) ? &own : NULL;
}

static int32_t process(void *self, const ephapse_context *context, const ephapse_inputs *inputs,
                       ephapse_outputs *outputs) {
    (void)context;
    const ephapse_block *in = &inputs->blocks[0];
    const ephapse_slot *out = ephapse_begin(outputs, 0);
    memcpy(out->data, in->data, in->frames * in->type->row_bytes);
    if (in->frames > 0 && (int64_t)in->header->position == ((strays *)self)->at)
        memset((void *)in->data, 0x55, 64);
    ephapse_commit(outputs, 0, in->frames);
    return EPHAPSE_CONTINUE;
}

int main(int argc, char **argv) {
    return ephapse_stage_main(argc, argv, &(ephapse_stage){.prepare = prepare, .process = process});
}
