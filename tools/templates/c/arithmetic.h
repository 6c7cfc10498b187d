// Common average reference: each channel less the mean of all channels, times a gain.
#ifndef ARITHMETIC_H
#define ARITHMETIC_H

#include <stddef.h>

// `x` and `y` are frames x channels, row after row.
static inline void average_reference(const double *x, double *y, size_t frames, size_t channels, double gain) {
    for (size_t frame = 0; frame < frames; frame++, x += channels, y += channels) {
        double sum = 0;
        for (size_t c = 0; c < channels; c++)
            sum += x[c];
        for (size_t c = 0; c < channels; c++)
            y[c] = (x[c] - sum / (double)channels) * gain;
    }
}

#endif
