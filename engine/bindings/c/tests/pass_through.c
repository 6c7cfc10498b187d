// Copies any stream from `in` to `out` and says on stderr what it sees of its type. C11 and C++17.
#include <ephapse.h>
#include <stdio.h>
#include <string.h>

static void *refused(const ephapse_setup *setup) {
    return ephapse_refuse_input(setup, "in", "there must be one");
}

static bool describe(const ephapse_setup *setup, ephapse_description *description) {
    if (setup->input_count != 1)
        return refused(setup) != NULL;
    description->settle_frames = 2;
    return ephapse_describe_output(description, "out", setup->inputs[0].type);
}

static void show(const ephapse_port *port) {
    const ephapse_type *type = port->type;
    fprintf(stderr, "%s: kind %u, dtype %u, rows of %zu bytes, rate %llu/%llu, unit '%s', si '%s': %s\n", port->name,
            type->kind, type->dtype, type->row_bytes, (unsigned long long)type->rate_numerator,
            (unsigned long long)type->rate_denominator, type->unit, type->si_unit, type->summary);
    for (uint32_t a = 0; a < type->rank; a++) {
        const ephapse_axis *axis = &type->axes[a];
        fprintf(stderr, "%s: axis %s, %u, unit '%s', labels", port->name, axis->name, axis->length, axis->unit);
        for (uint32_t i = 0; axis->labels && i < axis->length; i++)
            fprintf(stderr, " %s", axis->labels[i]);
        fprintf(stderr, "\n");
    }
    for (uint32_t c = 0; c < type->scales; c++)
        fprintf(stderr, "%s: channel %u, scale %g\n", port->name, c, type->scale[c]);
    for (uint32_t p = 0; p < type->positions; p++)
        fprintf(stderr, "%s: channel %u at %g %g %g um\n", port->name, p, type->positions_um[3 * p],
                type->positions_um[3 * p + 1], type->positions_um[3 * p + 2]);
    for (uint32_t f = 0; f < type->field_count; f++) {
        const ephapse_field *field = &type->fields[f];
        fprintf(stderr, "%s: %s.%s, dtype %u x %u at %u, unit '%s'\n", port->name, type->record_name, field->name,
                field->dtype, field->count, field->offset, field->unit);
    }
}

static void *prepare(const ephapse_setup *setup) {
    if (setup->input_count != 1 || setup->output_count != 1)
        return refused(setup);
    show(&setup->inputs[0]);
    show(&setup->outputs[0]);
    return (void *)setup; // no memory of its own
}

static int32_t process(void *own, const ephapse_context *context, const ephapse_inputs *inputs,
                       ephapse_outputs *outputs) {
    (void)own;
    (void)context;
    const ephapse_block *in = &inputs->blocks[0];
    const ephapse_slot *out = ephapse_begin(outputs, 0);
    memcpy(out->data, in->data, in->frames * in->type->row_bytes);
    out->header->user = in->header->user;
    ephapse_commit(outputs, 0, in->frames);
    return EPHAPSE_CONTINUE;
}

int main(int argc, char **argv) {
    static const ephapse_stage stage = {describe, prepare, process, NULL, NULL, NULL, NULL};
    return ephapse_stage_main(argc, argv, &stage);
}
