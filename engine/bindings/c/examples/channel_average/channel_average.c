// The mean over neighbouring channels, frame by frame: a stage of one's own in C. See stage.toml for its manifest.
#include <ephapse.h>
#include <stdlib.h>

typedef struct {
    int64_t width; // channels on both sides and in between
    size_t channels;
} average;

static void *prepare(const ephapse_setup *setup) {
    const ephapse_type *type = setup->inputs[0].type;
    int64_t width;
    if (type->kind != EPHAPSE_FRAMES || type->dtype != EPHAPSE_F64)
        return ephapse_refuse_input(setup, "frames", "wants f64 frames: put a `cast` on the edge");
    if (!ephapse_param_i64(setup, "width", &width))
        return NULL;
    if (width < 1 || width > 15 || width % 2 == 0)
        return ephapse_refuse_parameter(setup, "width", "must be odd, 1 to 15 channels");
    average *own = malloc(sizeof *own);
    if (own)
        *own = (average){width, type->row_bytes / sizeof(double)};
    return own ? own : ephapse_refuse_resource(setup, "memory", "there is none");
}

static int32_t process(void *own, const ephapse_context *context, const ephapse_inputs *inputs,
                       ephapse_outputs *outputs) {
    (void)context; // no state: each frame stands for itself
    const average *self = own;
    const size_t n = self->channels, side = (size_t)self->width / 2;
    const ephapse_block *in = &inputs->blocks[0];
    const ephapse_slot *out = ephapse_begin(outputs, 0);
    const double *x = in->data;
    double *y = out->data;
    for (size_t frame = 0; frame < in->frames; frame++, x += n, y += n)
        for (size_t c = 0; c < n; c++) {
            size_t from = c < side ? 0 : c - side, to = c + side < n ? c + side : n - 1;
            double sum = 0;
            for (size_t k = from; k <= to; k++)
                sum += x[k];
            y[c] = sum / (double)(to - from + 1);
        }
    ephapse_commit(outputs, 0, in->frames);
    return EPHAPSE_CONTINUE;
}

int main(int argc, char **argv) {
    return ephapse_stage_main(argc, argv, &(ephapse_stage){
        .prepare = prepare, .process = process, .drop = free});
}
