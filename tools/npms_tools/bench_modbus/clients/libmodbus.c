/* libmodbus as it is meant to be used: a context and a blocking thread for each connection.
 *
 * libmodbus PORT CONNECTIONS SECONDS COUNT prints what load.py prints. */

#include <errno.h>
#include <modbus.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (128 * 1024)
#define WARM_UP_US 300000

struct worker {
    pthread_t thread;
    modbus_t *context;
    long reads, faults, wrong;
};

static volatile int is_over;
static int count;

static void *read_on(void *argument)
{
    struct worker *worker = argument;
    uint16_t words[MODBUS_MAX_READ_REGISTERS];

    while (!is_over) {
        if (modbus_read_input_registers(worker->context, 0, count, words) != count)
            worker->faults++;
        else if (words[count - 1] != count - 1)
            worker->wrong++, worker->reads++;
        else
            worker->reads++;
    }
    return NULL;
}

static double cpu_s(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double wall_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sum(struct worker *workers, int connections, long *totals)
{
    totals[0] = totals[1] = totals[2] = 0;
    for (int i = 0; i < connections; i++) {
        totals[0] += workers[i].reads;
        totals[1] += workers[i].faults;
        totals[2] += workers[i].wrong;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int port = atoi(argv[1]), connections = atoi(argv[2]);
    double seconds = atof(argv[3]);
    count = atoi(argv[4]);
    struct worker *workers = calloc((size_t)connections, sizeof *workers);
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    for (int i = 0; i < connections; i++) {
        workers[i].context = modbus_new_tcp("127.0.0.1", port);
        modbus_set_slave(workers[i].context, 1);
        modbus_set_response_timeout(workers[i].context, 2, 0);
        if (modbus_connect(workers[i].context) != 0) {
            fprintf(stderr, "connection %d: %s\n", i, modbus_strerror(errno));
            return 1;
        }
    }
    for (int i = 0; i < connections; i++)
        if (pthread_create(&workers[i].thread, &small, read_on, &workers[i]) != 0)
            return 1;

    long before[3], after[3];

    usleep(WARM_UP_US);
    sum(workers, connections, before);
    double wall = wall_s(), cpu = cpu_s();
    usleep((useconds_t)(seconds * 1e6));
    wall = wall_s() - wall;
    cpu = cpu_s() - cpu;
    sum(workers, connections, after);
    is_over = 1;
    printf("{\"reads\": %ld, \"faults\": %ld, \"wrong\": %ld, \"wall_s\": %f, \"cpu_s\": %f}\n",
           after[0] - before[0], after[1] - before[1], after[2] - before[2], wall, cpu);
    return 0;
}
