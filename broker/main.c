/* SPDX-License-Identifier: MPL-2.0 */
/*
 * leat-broker - gives the tasks of flows to agents.
 *
 * Exit status: 0 it was told to end and all is stored; 2 usage; 5 it can't
 * serve (the text says why); 1 not all could be stored.
 */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/settings.h"
#include "base/version.h"
#include "broker/server.h"
#include "proto/limits.h"
#include "proto/link.h"

enum { EXIT_USAGE = 2, EXIT_CANT = 5, EXIT_DENIED = 6 };

/* Descriptors that it may come to hold: lanes and returns, clients, runs. */
#define FILES           4096
#define FILES_TEMPORARY 256

enum {
    SET_BIND,
    SET_STORE,
    SET_LANES,
    SET_INSECURE,
    SET_LEVEL,
    SET_READY,
    SET_LIFELINE,
    SET_TEMPORARY,
    SET_COUNT
};

static const struct setting table[SET_COUNT] = {
    [SET_BIND] = {'b', "bind", SETTING_TEXT, "LEAT_BROKER_BIND", "ADDRESS",
                  "tcp://127.0.0.1:7100",
                  "where to serve: tcp://HOST:PORT (PORT + 1 too) or "
                  "ipc://PATH"},
    [SET_STORE] = {'s', "store", SETTING_TEXT, "LEAT_BROKER_STORE", "DIR", NULL,
                   "where runs are kept"},
    [SET_LANES] = {0, "lane-ports", SETTING_TEXT, "LEAT_BROKER_LANE_PORTS",
                   "FIRST-LAST", "7200-7455", "ports for agents, one each"},
    [SET_INSECURE] = {0, "insecure", SETTING_FLAG, "LEAT_INSECURE", NULL, NULL,
                      "serve an address that others reach, without keys: "
                      "whoever reaches it can run programs here"},
    [SET_LEVEL] = {'l', "log-level", SETTING_TEXT, "LEAT_BROKER_LOG_LEVEL",
                   "LEVEL", "info", "error, warn, info or debug"},
    [SET_READY] = {0, "ready-fd", SETTING_NUMBER, NULL, "FD", NULL,
                   "write a newline there when it serves"},
    [SET_LIFELINE] = {0, "lifeline", SETTING_NUMBER, NULL, "FD", NULL,
                      "end when this pipe is closed at its other end"},
    [SET_TEMPORARY] = {0, "temporary", SETTING_TEXT, NULL, "DIR", NULL,
                       "for one run: make this folder, and remove it at the "
                       "end"},
};

static int
complain(const struct err *err)
{
    (void)fprintf(stderr, "leat-broker: %s\n", err->msg);
    return -1;
}

/* ---- settings ---- */

static char *
config_file(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (config && *config == '/')
        return mem_printf("%s/leat/broker.conf", config);
    return home && *home ? mem_printf("%s/.config/leat/broker.conf", home)
                         : NULL;
}

static void
find_store(struct settings *settings)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *folder;

    if (state && *state == '/')
        folder = mem_printf("%s/leat-broker", state);
    else
        folder = mem_printf("%s/.local/state/leat-broker",
                            home && *home ? home : "");
    settings_fall_back(settings, SET_STORE, folder);
    free(folder);
}

static int
read_level(const struct settings *settings, enum log_level *ret,
           struct err *err)
{
    const char *text = settings_text(settings, SET_LEVEL);

    for (size_t i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(log_level_names[i], text) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "--log-level: `%s` is none of error, warn, info, debug",
                   text);
}

static int
read_lanes(const struct settings *settings,
           struct broker_server_options *options, struct err *err)
{
    const char *text = settings_text(settings, SET_LANES);
    char *end = NULL;
    unsigned long first = strtoul(text, &end, 10), last = 0;

    if (*end == '-')
        last = strtoul(end + 1, &end, 10);
    if (*end || first == 0 || last < first || last > 65535)
        return err_set(err, ERR_INVALID,
                       "--lane-ports: `%s` is no range of ports, such as "
                       "7200-7455",
                       text);
    options->first = (unsigned)first;
    options->last = (unsigned)last;
    return 0;
}

static int
read_options(const struct settings *settings, char **address,
             struct broker_server_options *options, struct err *err)
{
    if (read_lanes(settings, options, err) < 0 ||
        link_address(address, settings_text(settings, SET_BIND), err) < 0)
        return -1;
    if (!link_is_private(*address) && !settings_flag(settings, SET_INSECURE))
        return err_set(err, ERR_DENIED,
                       "others can reach %s, and whoever reaches a broker can "
                       "run programs on its agents: say --insecure if all of "
                       "that network is trusted",
                       *address);
    options->address = *address;
    options->temporary = settings_text(settings, SET_TEMPORARY) != NULL;
    options->lifeline = settings_text(settings, SET_LIFELINE)
                            ? (int)settings_number(settings, SET_LIFELINE)
                            : -1;
    return 0;
}

/* ---- the process ---- */

static int
raise_files(bool temporary, struct err *err)
{
    rlim_t need = temporary ? FILES_TEMPORARY : FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_system(err, "can't see how many files may be open");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_system(err, "can't raise how many files may be open");
    if (limit.rlim_max < need)
        return err_set(err, ERR_UNAVAILABLE,
                       "only %llu files may be open, and a broker needs %llu: "
                       "raise the limit (ulimit -Hn, or LimitNOFILE= of its "
                       "unit)",
                       (unsigned long long)limit.rlim_max,
                       (unsigned long long)need);
    return 0;
}

/* Before there is any thread: all inherit the mask. */
static int
catch_signals(int *ret, struct err *err)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    /* A file that can't grow is an error like a full disk. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
        sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_system(err, "can't block signals");
    *ret = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*ret < 0)
        return err_system(err, "can't read signals");
    return 0;
}

/* The first one has been heard; the next ends the process at once. */
static void
let_signals_through(int fd)
{
    struct signalfd_siginfo info;
    sigset_t set;

    (void)!read(fd, &info, sizeof info);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* What systemd wants to hear of a service of type notify. */
static void
notify_systemd(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n == 0 || n >= sizeof to.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (*path == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                 (const struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    (void)close(fd);
}

static void
tell_ready(const struct settings *settings,
           const struct broker_server_options *options)
{
    char text[LOG_QUOTED];

    log_info("ready", "bind=%s store=%s version=%s", options->address,
             log_quote(options->store, text), VERSION);
    notify_systemd("READY=1\n");
    if (settings_text(settings, SET_READY)) {
        int fd = (int)settings_number(settings, SET_READY);

        (void)!write(fd, "\n", 1);
        (void)close(fd);
    }
}

/* Made here, so that it is not left by whoever is ended before we begin. */
static int
make_folder(const char *folder, struct err *err)
{
    if (folder && mkdir(folder, 0700) < 0)
        return err_system(err, "can't make the folder %s", folder);
    return 0;
}

/* ---- serving ---- */

static int
serve(const struct settings *settings, struct broker_server_options *options)
{
    struct broker_server *server = NULL;
    char text[LOG_QUOTED];
    struct err err;
    int status = 0;

    if (raise_files(options->temporary, &err) < 0 ||
        catch_signals(&options->signals, &err) < 0 ||
        broker_server_new(&server, options, &err) < 0) {
        (void)complain(&err);
        return EXIT_CANT;
    }
    tell_ready(settings, options);
    broker_server_run(server);
    notify_systemd("STOPPING=1\n");
    let_signals_through(options->signals);
    if (broker_server_stop(&server, &err) < 0) {
        log_error("not_stored", "text=%s", log_quote(err.msg, text));
        status = 1;
    }
    log_info("ended", "status=%d", status);
    link_finish();
    return status;
}

static int
show_help(struct settings *settings)
{
    struct buf out = {0};

    find_store(settings);
    buf_text(&out, "Usage: leat-broker [OPTION]...\n\n"
                   "Give the tasks of flows to agents, and keep what comes of "
                   "them.\n\n");
    settings_help(settings, &out);
    (void)fputs(buf_str(&out), stdout);
    buf_release(&out);
    return 0;
}

static int
exit_of(const struct err *err)
{
    if (err->code == ERR_INVALID)
        return EXIT_USAGE;
    return err->code == ERR_DENIED ? EXIT_DENIED : EXIT_CANT;
}

static int
run(struct settings *settings)
{
    struct broker_server_options options = {.signals = -1, .lifeline = -1};
    enum log_level level = LOG_LEVEL_INFO;
    char *address = NULL;
    const char *const *words;
    const char *folder = settings_text(settings, SET_TEMPORARY);
    struct err err;
    size_t n = 0;
    int status = EXIT_USAGE;

    words = settings_words(settings, &n);
    if (n > 0) {
        (void)err_set(&err, ERR_INVALID,
                      "what is `%s`? leat-broker takes options only; see "
                      "leat-broker --help",
                      words[0]);
        (void)complain(&err);
        return status;
    }
    if (read_level(settings, &level, &err) < 0 ||
        read_options(settings, &address, &options, &err) < 0) {
        (void)complain(&err);
        status = exit_of(&err);
        goto out;
    }
    log_init("broker", level);
    find_store(settings);
    options.store = settings_text(settings, SET_STORE);
    status = EXIT_CANT;
    if (make_folder(folder, &err) < 0) {
        (void)complain(&err);
        goto out;
    }
    status = serve(settings, &options);
    if (folder)
        folder_remove(folder);
out:
    free(address);
    return status;
}

int
main(int argc, char **argv)
{
    struct settings *settings = NULL;
    bool help = false, version = false;
    char *file = config_file();
    struct err err;
    int status = EXIT_USAGE;

    if (sodium_init() < 0)
        return EXIT_CANT;
    if (settings_read(&settings, table, SET_COUNT, file, argc, argv, &help,
                      &version, &err) < 0) {
        (void)complain(&err);
    } else if (help) {
        status = show_help(settings);
    } else if (version) {
        (void)puts("leat-broker " VERSION);
        status = 0;
    } else {
        status = run(settings);
    }
    settings_destroy(&settings);
    free(file);
    return status;
}
