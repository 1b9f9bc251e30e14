/* SPDX-License-Identifier: MPL-2.0 */
/*
 * leat-agent - carries out tasks that a broker gives it.
 *
 * Exit status: 0 it was told to leave, and has; 2 usage; 5 it can't serve, or
 * the broker has another agent of that name; 6 the address takes keys, or the
 * broker speaks another version of the protocol.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/net.h"
#include "agent/options.h"
#include "agent/slice.h"
#include "base/version.h"
#include "proto/link.h"

enum { EXIT_USAGE = 2, EXIT_CANT = 5, EXIT_DENIED = 6 };

/* Descriptors: of its own, and of each slot (pipes, a worker, pidfds). */
#define FILES_OWN  64
#define FILES_SLOT 12

static int
complain(const struct err *err, int status)
{
    (void)fprintf(stderr, "leat-agent: %s\n", err->msg);
    return status;
}

/* *before: what tasks get. */
static int
raise_files(uint32_t slots, uint64_t *before, struct err *err)
{
    rlim_t need = FILES_OWN + (rlim_t)slots * FILES_SLOT;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_system(err, "can't see how many files may be open");
    *before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_system(err, "can't raise how many files may be open");
    if (limit.rlim_max < need)
        return err_set(err, ERR_UNAVAILABLE,
                       "only %llu files may be open, and %u slot%s %llu: "
                       "raise the limit (ulimit -Hn, or LimitNOFILE= of its "
                       "unit), or have fewer --slots",
                       (unsigned long long)limit.rlim_max, slots,
                       slots == 1 ? " needs" : "s need",
                       (unsigned long long)need);
    return 0;
}

/* Before there is any thread: all inherit the mask. What was inherited from
 * whoever started this is not for tasks, which get 0, 1 and 2 only. */
static int
set_up(struct agent_options *options, struct err *err)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_system(err, "can't block signals");
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return err_system(err, "can't open /dev/null");
    }
    if (options->cwd && chdir(options->cwd) < 0)
        return err_system(err, "can't go to %s", options->cwd);
    return raise_files(options->net.info.slots, &options->net.files, err);
}

static int
serve(struct agent_options *options)
{
    struct err err;
    int status = 0;

    log_init("agent", options->level);
    if (set_up(options, &err) < 0)
        return complain(&err, EXIT_CANT);
    log_info("start", "name=%s slots=%u broker=%s version=%s",
             options->net.info.name, options->net.info.slots,
             options->net.address, VERSION);
    slice_shorten();
    if (agent_net_run(&options->net, &err) < 0) {
        log_error("refused", "broker=%s name=%s", options->net.address,
                  options->net.info.name);
        status =
            complain(&err, err.code == ERR_DENIED ? EXIT_DENIED : EXIT_CANT);
    }
    link_finish();
    log_info("ended", "status=%d", status);
    return status;
}

int
main(int argc, char **argv)
{
    static const int exits[ERR_CODE_COUNT] = {[ERR_DENIED] = EXIT_DENIED,
                                              [ERR_INVALID] = EXIT_USAGE,
                                              [ERR_LIMIT] = EXIT_USAGE};
    struct agent_options options;
    enum agent_options_do what = AGENT_SERVE;
    struct buf help = {0};
    struct err err;
    int status = EXIT_CANT;

    if (sodium_init() < 0)
        return EXIT_CANT;
    if (agent_options_read(&options, argc, argv, &what, &help, &err) < 0) {
        status = complain(&err, exits[err.code] ? exits[err.code] : EXIT_CANT);
    } else if (what == AGENT_SERVE) {
        status = serve(&options);
    } else {
        if (what == AGENT_HELP)
            (void)printf("Usage: leat-agent [OPTION]... [ADDRESS]\n\n"
                         "Carry out tasks that a broker gives.\n\n%s",
                         buf_str(&help));
        else
            (void)puts("leat-agent " VERSION);
        status = 0;
    }
    buf_release(&help);
    agent_options_release(&options);
    return status;
}
