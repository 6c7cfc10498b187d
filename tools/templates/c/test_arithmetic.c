// The arithmetic of the stage, without a session: make test
#include "arithmetic.h"
#include <stdio.h>

int main(void) {
    const double frames[] = {1, 2, 6, -4, 0, 4}, expected[] = {-4, -2, 6, -8, 0, 8};
    double referenced[6];
    int wrong = 0;
    average_reference(frames, referenced, 2, 3, 2.0);
    for (int i = 0; i < 6; i++)
        if (referenced[i] != expected[i]) {
            fprintf(stderr, "frame %d, channel %d: %g, expected %g\n", i / 3, i % 3, referenced[i], expected[i]);
            wrong = 1;
        }
    puts(wrong ? "FAILED" : "passed");
    return wrong;
}
