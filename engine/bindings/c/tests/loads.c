// Loads a file and reads a socket to its end in `prepare`, whatever signals come meanwhile, and then copies frames. Says on
// stderr how much it got and how often each signal was handled.
#include <ephapse.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static volatile sig_atomic_t alarms, children;

static void count(int signal) {
    if (signal == SIGALRM)
        alarms++;
    else
        children++;
}

static long load_file(const char *path) {
    char piece[4096];
    long total = 0;
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        total += (long)got;
    int failed = ferror(file);
    fclose(file);
    return failed ? -1 : total;
}

static long read_socket(const char *path) {
    char piece[256];
    long total = 0;
    ssize_t got;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    while ((got = recv(fd, piece, sizeof piece, 0)) > 0)
        total += got;
    return close(fd) != 0 || got < 0 ? -1 : total;
}

static void *prepare(const ephapse_setup *setup) {
    const char *file = ephapse_param_string(setup, "file"), *socket = ephapse_param_string(setup, "socket");
    if (!file || !socket)
        return NULL;
    long loaded = load_file(file);
    if (loaded < 0)
        return ephapse_refuse_resource(setup, file, strerror(errno));
    long received = read_socket(socket);
    if (received < 0)
        return ephapse_refuse_resource(setup, socket, strerror(errno));
    fprintf(stderr, "loaded %ld, received %ld\n", loaded, received);
    return (void *)setup; // no memory of its own
}

static int32_t process(void *own, const ephapse_context *context, const ephapse_inputs *inputs,
                       ephapse_outputs *outputs) {
    (void)own;
    (void)context;
    const ephapse_block *in = &inputs->blocks[0];
    const ephapse_slot *out = ephapse_begin(outputs, 0);
    memcpy(out->data, in->data, in->frames * in->type->row_bytes);
    ephapse_commit(outputs, 0, in->frames);
    return EPHAPSE_CONTINUE;
}

static void drop(void *own) {
    (void)own;
    fprintf(stderr, "alarms %d, children %d\n", (int)alarms, (int)children);
}

int main(int argc, char **argv) {
    // As most programs do it: interrupted calls that can be resumed are. The waits of a stage's turns cannot.
    signal(SIGALRM, count);
    signal(SIGCHLD, count);
    return ephapse_stage_main(argc, argv, &(ephapse_stage){.prepare = prepare, .process = process, .drop = drop});
}
