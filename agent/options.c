/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/programs.h"
#include "base/mem.h"
#include "base/settings.h"
#include "base/utf8.h"
#include "base/version.h"
#include "flow/size.h"
#include "flow/value.h"
#include "proto/limits.h"
#include "proto/link.h"

enum {
    SET_BROKER,
    SET_SLOTS,
    SET_NAME,
    SET_LABEL,
    SET_RESOURCE,
    SET_IDLE,
    SET_LIFETIME,
    SET_DRAIN,
    SET_CWD,
    SET_PROGRAMS,
    SET_INSECURE,
    SET_LEVEL,
    SET_READY,
    SET_LIFELINE,
    SET_START,
    SET_COUNT
};

static const struct setting table[SET_COUNT] = {
    [SET_BROKER] = {'b', "broker", SETTING_TEXT, "LEAT_BROKER", "ADDRESS",
                    "tcp://127.0.0.1:7100",
                    "the broker: tcp://HOST[:PORT] or ipc://PATH; may also "
                    "stand alone"},
    [SET_SLOTS] = {'j', "slots", SETTING_COUNT, "LEAT_AGENT_SLOTS", "N", NULL,
                   "tasks at a time"},
    [SET_NAME] = {'n', "name", SETTING_TEXT, "LEAT_AGENT_NAME", "NAME", NULL,
                  "what it is called; a broker has one of a name"},
    [SET_LABEL] = {'L', "label", SETTING_LIST, "LEAT_AGENT_LABELS",
                   "NAME=VALUE", NULL,
                   "what `where:` of a task may ask for, besides arch, host "
                   "and os"},
    [SET_RESOURCE] = {'R', "resource", SETTING_LIST, "LEAT_AGENT_RESOURCES",
                      "NAME=AMOUNT", NULL,
                      "what `resources:` of tasks may take: cpus (as many as "
                      "slots), memory (all) and gpus are found out, others "
                      "not"},
    [SET_IDLE] = {0, "idle-timeout", SETTING_SPAN, "LEAT_AGENT_IDLE_TIMEOUT",
                  "SPAN", NULL,
                  "leave when there was nothing to do for so long"},
    [SET_LIFETIME] = {0, "lifetime", SETTING_SPAN, "LEAT_AGENT_LIFETIME",
                      "SPAN", NULL, "take no more tasks after so long"},
    [SET_DRAIN] = {0, "drain-timeout", SETTING_SPAN, "LEAT_AGENT_DRAIN_TIMEOUT",
                   "SPAN", "30s",
                   "when told to leave, let what runs run for so long"},
    [SET_CWD] = {'C', "cwd", SETTING_TEXT, "LEAT_AGENT_CWD", "DIR", NULL,
                 "go there first: where tasks run whose own directory is not "
                 "given"},
    [SET_PROGRAMS] = {0, "programs", SETTING_TEXT, "LEAT_AGENT_PROGRAMS", "DIR",
                      NULL, "where programs of C flows are kept"},
    [SET_INSECURE] = {0, "insecure", SETTING_FLAG, "LEAT_INSECURE", NULL, NULL,
                      "join a broker over a network without keys: whoever is "
                      "on it can run programs here"},
    [SET_LEVEL] = {'l', "log-level", SETTING_TEXT, "LEAT_AGENT_LOG_LEVEL",
                   "LEVEL", "info", "error, warn, info or debug"},
    [SET_READY] = {0, "ready-fd", SETTING_NUMBER, NULL, "FD", NULL,
                   "write a newline there when it has joined"},
    [SET_LIFELINE] = {0, "lifeline", SETTING_NUMBER, NULL, "FD", NULL,
                      "end everything when this pipe is closed at its other "
                      "end"},
    [SET_START] = {0, "start-fd", SETTING_NUMBER, NULL, "FD", NULL,
                   "look for the broker only once something can be read there"},
};

static char *
config_file(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (config && *config == '/')
        return mem_printf("%s/leat/agent.conf", config);
    return home && *home ? mem_printf("%s/.config/leat/agent.conf", home)
                         : NULL;
}

static int
read_level(struct agent_options *self, struct err *err)
{
    const char *text = settings_text(self->settings, SET_LEVEL);

    for (size_t i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(log_level_names[i], text) == 0) {
            self->level = (enum log_level)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "--log-level: `%s` is none of error, warn, info, debug",
                   text);
}

static int
read_address(struct agent_options *self, struct err *err)
{
    const char *text = settings_text(self->settings, SET_BROKER);
    size_t n;
    const char *const *words = settings_words(self->settings, &n);

    if (n > 1)
        return err_set(err, ERR_INVALID,
                       "there is one broker at a time: what is `%s`?",
                       words[1]);
    if (n == 1)
        text = words[0];
    if (link_address(&self->address, text, err) < 0)
        return -1;
    self->net.address = self->address;
    if (link_is_private(self->address) ||
        settings_flag(self->settings, SET_INSECURE))
        return 0;
    return err_set(err, ERR_DENIED,
                   "%s is reached over a network, on which whoever speaks to "
                   "this agent can run programs here: say --insecure if all "
                   "of it is trusted",
                   self->address);
}

static int
read_name(struct agent_options *self, struct err *err)
{
    const char *name = settings_text(self->settings, SET_NAME);
    size_t n;

    n = strlen(name);
    if (n == 0 || n > LIMIT_AGENT_NAME || utf8_valid(name, n) < n ||
        strcspn(name, " \t\n/=\"'\\") < n)
        return err_set(err, ERR_INVALID,
                       "--name: an agent's name has 1 to %u bytes and no "
                       "spaces, slashes or quotes",
                       LIMIT_AGENT_NAME);
    self->name = mem_dup(name);
    self->net.info.name = self->name;
    self->net.info.host = self->host.uts.nodename;
    return 0;
}

static int
read_slots(struct agent_options *self, struct err *err)
{
    int64_t slots = settings_number(self->settings, SET_SLOTS);

    if (slots > LIMIT_SLOTS)
        return err_set(err, ERR_LIMIT, "--slots: an agent has %u at most",
                       LIMIT_SLOTS);
    self->net.info.slots = (uint32_t)slots;
    return 0;
}

/* ---- resources and labels ---- */

/* One of that name is replaced. */
static void
set_resource(struct agent_options *self, const char *name, size_t n,
             double amount)
{
    struct agent_info *info = &self->net.info;

    for (uint32_t i = 0; i < info->nresource; i++) {
        struct flow_resource *resource = &self->resources[i];

        if (strlen(resource->name) == n &&
            memcmp(resource->name, name, n) == 0) {
            resource->amount = amount;
            return;
        }
    }
    self->resources[info->nresource++] =
        (struct flow_resource){mem_text(name, n), amount};
}

static int
read_resource(struct agent_options *self, const char *text, struct err *err)
{
    size_t n = strcspn(text, "=");
    char *name = mem_text(text, n);
    double amount = 0;
    int rc = -1;

    if (text[n] == '=' && flow_name_is_valid(name))
        rc = strcmp(name, "memory") == 0
                 ? size_read(text + n + 1, &amount)
                 : value_read_float(text + n + 1, &amount);
    free(name);
    if (rc < 0 || amount < 0)
        return err_set(err, ERR_INVALID,
                       "--resource: `%s` is not NAME=AMOUNT, the amount a "
                       "number (memory=4GiB)",
                       text);
    set_resource(self, text, n, amount);
    return 0;
}

static int
read_resources(struct agent_options *self, struct err *err)
{
    double slots = (double)self->net.info.slots;
    size_t n;
    const char *const *list = settings_list(self->settings, SET_RESOURCE, &n);

    if (n > LIMIT_LABELS - 3)
        return err_set(err, ERR_LIMIT, "--resource: there are more than %u",
                       LIMIT_LABELS - 3);
    self->resources = mem_alloc(LIMIT_LABELS, sizeof *self->resources);
    for (size_t i = 0; host_resources[i]; i++) {
        const char *name = host_resources[i];
        double amount = strcmp(name, "cpus") == 0 ? slots : host_amount(name);

        if (amount > 0)
            set_resource(self, name, strlen(name), amount);
    }
    for (size_t i = 0; i < n; i++) {
        if (read_resource(self, list[i], err) < 0)
            return -1;
    }
    self->net.info.resources = self->resources;
    return 0;
}

/* One of that name is replaced. */
static void
set_label(struct agent_options *self, char *label)
{
    struct agent_info *info = &self->net.info;
    size_t n = strcspn(label, "=") + 1;

    for (uint32_t i = 0; i < info->nlabel; i++) {
        if (strncmp(self->labels[i], label, n) == 0) {
            free(self->labels[i]);
            self->labels[i] = label;
            return;
        }
    }
    self->labels[info->nlabel++] = label;
}

static int
read_label(struct agent_options *self, const char *text, struct err *err)
{
    size_t n = strcspn(text, "=");
    char *name = mem_text(text, n);
    bool good = text[n] == '=' && flow_name_is_valid(name) &&
                utf8_valid(text, strlen(text)) == strlen(text) &&
                strlen(text) < LIMIT_NAME_BYTES * 2;

    free(name);
    if (!good)
        return err_set(err, ERR_INVALID, "--label: `%s` is not NAME=VALUE",
                       text);
    set_label(self, mem_dup(text));
    return 0;
}

static int
read_labels(struct agent_options *self, struct err *err)
{
    size_t n;
    const char *const *list = settings_list(self->settings, SET_LABEL, &n);

    if (n > LIMIT_LABELS - 3)
        return err_set(err, ERR_LIMIT, "--label: there are more than %u",
                       LIMIT_LABELS - 3);
    self->labels = mem_alloc(LIMIT_LABELS, sizeof(char *));
    for (size_t i = 0; host_labels[i]; i++)
        set_label(self, mem_printf("%s=%s", host_labels[i],
                                   host_label(&self->host, host_labels[i])));
    for (size_t i = 0; i < n; i++) {
        if (read_label(self, list[i], err) < 0)
            return -1;
    }
    self->net.info.labels = (const char *const *)self->labels;
    return 0;
}

/* ---- all ---- */

static int
fd_of(const struct agent_options *self, size_t i)
{
    return settings_text(self->settings, i)
               ? (int)settings_number(self->settings, i)
               : -1;
}

static void
read_rest(struct agent_options *self)
{
    const struct settings *settings = self->settings;
    struct agent_net_config *net = &self->net;

    self->cwd = settings_text(settings, SET_CWD);
    self->programs = mem_dup(settings_text(settings, SET_PROGRAMS));
    net->programs = self->programs;
    net->idle = settings_number(settings, SET_IDLE);
    net->lifetime = settings_number(settings, SET_LIFETIME);
    net->drain = settings_number(settings, SET_DRAIN);
    net->ready_fd = fd_of(self, SET_READY);
    net->lifeline = fd_of(self, SET_LIFELINE);
    net->start_fd = fd_of(self, SET_START);
    net->info.version = VERSION;
    net->info.pid = (uint32_t)getpid();
    while (net->info.incarnation == 0)
        (void)!getrandom(&net->info.incarnation, sizeof net->info.incarnation,
                         0);
}

static int
read_all(struct agent_options *self, struct err *err)
{
    if (read_level(self, err) < 0 || read_slots(self, err) < 0 ||
        read_name(self, err) < 0 || read_resources(self, err) < 0 ||
        read_labels(self, err) < 0)
        return -1;
    read_rest(self);
    return read_address(self, err);
}

static void
find_out(struct agent_options *self)
{
    double cores = host_amount("cpus");
    char *slots = mem_printf("%.0f", cores > 1 ? cores : 1);
    char *programs = agent_programs_folder();

    host_init(&self->host);
    settings_fall_back(self->settings, SET_SLOTS, slots);
    settings_fall_back(self->settings, SET_NAME, self->host.uts.nodename);
    settings_fall_back(self->settings, SET_PROGRAMS, programs);
    free(slots);
    free(programs);
}

int
agent_options_read(struct agent_options *self, int argc, char **argv,
                   enum agent_options_do *what, struct buf *help,
                   struct err *err)
{
    bool wants_help = false, wants_version = false;
    char *file = config_file();
    int rc;

    *self = (struct agent_options){0};
    rc = settings_read(&self->settings, table, SET_COUNT, file, argc, argv,
                       &wants_help, &wants_version, err);
    free(file);
    if (rc < 0)
        return -1;
    *what = wants_help      ? AGENT_HELP
            : wants_version ? AGENT_VERSION
                            : AGENT_SERVE;
    find_out(self);
    if (wants_help)
        settings_help(self->settings, help);
    if (*what != AGENT_SERVE)
        return 0;
    return read_all(self, err);
}

void
agent_options_release(struct agent_options *self)
{
    for (uint32_t i = 0; i < self->net.info.nresource; i++)
        free(self->resources[i].name);
    for (uint32_t i = 0; i < self->net.info.nlabel; i++)
        free(self->labels[i]);
    free(self->resources);
    free(self->labels);
    free(self->address);
    free(self->name);
    free(self->programs);
    settings_destroy(&self->settings);
    *self = (struct agent_options){0};
}
