/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/host.h"

#include <glob.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

const char *const host_resources[] = {"cpus", "memory", "gpus", NULL};
const char *const host_labels[] = {"arch", "host", "os", NULL};

void
host_init(struct host *self)
{
    (void)uname(&self->uts);
}

static double
count_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (double)CPU_COUNT(&set);
    return (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static double
count_gpus(void)
{
    glob_t found;
    double n = 0;

    if (glob("/dev/nvidia[0-9]*", GLOB_NOSORT, NULL, &found) == 0)
        n = (double)found.gl_pathc;
    globfree(&found);
    return n;
}

double
host_amount(const char *name)
{
    if (strcmp(name, "cpus") == 0)
        return count_cpus();
    if (strcmp(name, "memory") == 0)
        return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return strcmp(name, "gpus") == 0 ? count_gpus() : 0;
}

const char *
host_label(const struct host *self, const char *name)
{
    if (strcmp(name, "arch") == 0)
        return self->uts.machine;
    if (strcmp(name, "host") == 0)
        return self->uts.nodename;
    return strcmp(name, "os") == 0 ? "linux" : NULL;
}
