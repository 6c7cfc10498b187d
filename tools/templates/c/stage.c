// The stage: what it is asked for stands in ephapse.h, its arithmetic in arithmetic.h, its manifest in stage.toml.
#include "arithmetic.h"
#include <ephapse.h>
#include <stdlib.h>

typedef struct {
    double gain;
    size_t channels;
} average_reference_stage;

static void *prepare(const ephapse_setup *setup) {
    double gain;
    if (!ephapse_param_f64(setup, "gain", &gain))
        return NULL;
    average_reference_stage *own = malloc(sizeof *own);
    if (own == NULL)
        return ephapse_refuse_resource(setup, "memory", "there is none");
    *own = (average_reference_stage){gain, setup->inputs[0].type->channels};
    return own;
}

// Real time: nothing here allocates, locks, prints or enters the kernel.
static int32_t process(void *own, const ephapse_context *context, const ephapse_inputs *inputs,
                       ephapse_outputs *outputs) {
    (void)context; // no state: each block stands for itself
    const average_reference_stage *self = own;
    const ephapse_block *in = &inputs->blocks[0];        // in place, read-only
    const ephapse_slot *out = ephapse_begin(outputs, 0); // in place
    average_reference(in->data, out->data, in->frames, self->channels, self->gain);
    ephapse_commit(outputs, 0, in->frames);
    return EPHAPSE_CONTINUE;
}

int main(int argc, char **argv) {
    static const ephapse_stage stage = {.prepare = prepare, .process = process, .drop = free};
    return ephapse_stage_main(argc, argv, &stage);
}
