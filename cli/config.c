/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/names.h"
#include "base/span.h"
#include "base/utf8.h"
#include "cli/file.h"
#include "cli/machine.h"
#include "cli/node.h"
#include "flow/value.h"
#include "store/store.h"

struct reader {
    struct config *config;
    struct yaml yaml;
    struct diags diags;
};

/* ---- one setting: from text, of the file or of the environment ---- */

/* Each says what would be right, or returns NULL. */
typedef const char *setting_fn(struct config *config, const char *text);

static const char *
set_store(struct config *config, const char *text)
{
    if (text[0] == '\0')
        return "a folder";
    free(config->store);
    config->store = mem_dup(text);
    return NULL;
}

static const char *
set_broker(struct config *config, const char *text)
{
    if (text[0] == '\0')
        return "an address as tcp://HOST";
    free(config->broker);
    config->broker = mem_dup(text);
    return NULL;
}

/* The same words that the daemons take. */
static const char *
set_insecure(struct config *config, const char *text)
{
    static const char *const words[] = {"no",  "false", "off", "0",
                                        "yes", "true",  "on",  "1"};

    for (int i = 0; i < 8; i++) {
        if (strcmp(text, words[i]) == 0) {
            config->insecure = i >= 4;
            return NULL;
        }
    }
    return "yes or no";
}

static const char *
set_keep(struct config *config, const char *text)
{
    json_int_t n = 0;

    if (value_read_int(text, &n) < 0 || n < 0)
        return "a number of runs, or 0 for all";
    config->keep = (uint64_t)n;
    return NULL;
}

static const char *
set_max_age(struct config *config, const char *text)
{
    int64_t age = 0;

    if (span_parse(text, &age) < 0)
        return "a length of time as 12h or 30d, or 0 for ever";
    config->max_age = age;
    return NULL;
}

static const char *
set_colour(struct config *config, const char *text)
{
    static const char *const names[] = {
        [COLOUR_AUTO] = "auto",
        [COLOUR_ALWAYS] = "always",
        [COLOUR_NEVER] = "never",
    };

    for (int i = 0; i <= COLOUR_NEVER; i++) {
        if (strcmp(text, names[i]) == 0) {
            config->colour = (enum colour)i;
            return NULL;
        }
    }
    return "auto, always or never";
}

static const struct setting {
    const char *key;
    const char *variable;
    setting_fn *set; /* NULL: a mapping, see below */
} settings[] = {
    {"store", "LEAT_STORE", set_store},
    {"broker", "LEAT_BROKER", set_broker},
    {"insecure", "LEAT_INSECURE", set_insecure},
    {"keep", "LEAT_KEEP", set_keep},
    {"max-age", "LEAT_MAX_AGE", set_max_age},
    {"colour", "LEAT_COLOUR", set_colour},
    {"resources", NULL, NULL},
    {"labels", NULL, NULL},
};

#define NSETTING (sizeof settings / sizeof settings[0])

/* ---- the file ---- */

/* What a name is mapped to, or NULL. */
static json_t *
mapped_value(struct reader *self, const char *name, const struct node *node,
             bool amount)
{
    char *text;
    double number;
    json_t *value = NULL;

    if (node->kind != NODE_SCALAR)
        return NULL;
    text = mem_text(yaml_text(&self->yaml, node), node->len);
    if (!amount)
        value = json_string(text);
    else if (machine_amount(name, strlen(name), text, &number) == 0)
        value = json_real(number);
    free(text);
    return value;
}

static void
read_mapping(struct reader *self, const char *key, const struct node *node)
{
    bool amounts = strcmp(key, "resources") == 0;
    json_t *map = amounts ? self->config->resources : self->config->labels;
    const struct node *at;

    if (node->kind != NODE_MAP) {
        diags_add(&self->diags, yaml_place(node), NULL,
                  "`%s` is a mapping of names to %s", key,
                  amounts ? "amounts" : "texts");
        return;
    }
    for (at = yaml_first(node); at; at = yaml_next(&self->yaml, at)) {
        char *name = mem_text(yaml_text(&self->yaml, at), at->len);
        json_t *value;

        at = yaml_next(&self->yaml, at);
        value = mapped_value(self, name, at, amounts);
        if (value)
            json_object_set_new(map, name, value);
        else
            diags_add(&self->diags, yaml_place(at), NULL, "`%s` is not %s",
                      name, amounts ? "an amount above 0" : "a text");
        free(name);
    }
}

static void
unknown_key(struct reader *self, const struct node *node, const char *key)
{
    const char *names[NSETTING];
    const char *near;

    for (size_t i = 0; i < NSETTING; i++)
        names[i] = settings[i].key;
    near = names_near(key, names, NSETTING);
    diags_add(&self->diags, yaml_place(node),
              near ? mem_printf("did you mean `%s`?", near) : NULL,
              "unknown key `%s`", key);
}

static void
read_setting(struct reader *self, const struct node *at)
{
    const struct node *node = yaml_next(&self->yaml, at);
    char *key = mem_text(yaml_text(&self->yaml, at), at->len);
    const struct setting *setting = NULL;
    const char *right;
    char *text = NULL;

    for (size_t i = 0; i < NSETTING && !setting; i++) {
        if (strcmp(settings[i].key, key) == 0)
            setting = &settings[i];
    }
    if (!setting) {
        unknown_key(self, at, key);
    } else if (!setting->set) {
        read_mapping(self, key, node);
    } else {
        if (node->kind == NODE_SCALAR)
            text = mem_text(yaml_text(&self->yaml, node), node->len);
        right = setting->set(self->config, text ? text : "");
        if (right)
            diags_add(&self->diags, yaml_place(node), NULL, "`%s` wants %s",
                      key, right);
        else if (setting->set == set_store)
            self->config->store_from = FROM_FILE;
        else if (setting->set == set_broker)
            self->config->broker_from = FROM_FILE;
    }
    free(text);
    free(key);
}

static void
read_text(struct reader *self, const char *text, size_t len)
{
    const struct node *at;

    self->diags.file = self->config->file;
    self->diags.text = text;
    self->diags.len = len;
    if (!yaml_read(&self->yaml, text, len, &self->diags) || self->yaml.n == 0)
        return;
    if (self->yaml.nodes[0].kind != NODE_MAP) {
        if (self->yaml.nodes[0].len > 0)
            diags_add(&self->diags, yaml_place(&self->yaml.nodes[0]), NULL,
                      "settings are a mapping of keys to values");
        return;
    }
    for (at = yaml_first(&self->yaml.nodes[0]); at;
         at = yaml_next(&self->yaml, yaml_next(&self->yaml, at))) {
        if (!at->duplicate)
            read_setting(self, at);
    }
}

static void
read_file(struct config *self, struct buf *problems)
{
    struct reader reader = {.config = self};
    char *text = NULL;
    size_t len = 0;
    struct err err;

    if (access(self->file, F_OK) < 0)
        return;
    if (file_read(self->file, &text, &len, &err) < 0) {
        buf_printf(problems, "leat: %s\n", err.msg);
        return;
    }
    read_text(&reader, text, len);
    if (reader.diags.n > 0)
        diags_print(&reader.diags, problems, false);
    diags_release(&reader.diags);
    yaml_release(&reader.yaml);
    free(text);
}

/* ---- all together ---- */

static char *
config_place(void)
{
    const char *folder = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (folder && folder[0] == '/')
        return mem_printf("%s/leat/config.yaml", folder);
    return mem_printf("%s/.config/leat/config.yaml", home ? home : "");
}

static void
complain(struct buf *problems, const char *name, const char *right,
         const char *text)
{
    buf_printf(problems, "leat: %s wants %s, not `", name, right);
    utf8_escape(problems, text, strlen(text));
    buf_text(problems, "`\n");
}

static void
read_environment(struct config *self, struct buf *problems)
{
    for (size_t i = 0; i < NSETTING; i++) {
        const char *text =
            settings[i].variable ? getenv(settings[i].variable) : NULL;
        const char *right;

        if (!text || text[0] == '\0')
            continue;
        right = settings[i].set(self, text);
        if (right)
            complain(problems, settings[i].variable, right, text);
        else if (settings[i].set == set_store)
            self->store_from = FROM_ENVIRONMENT;
        else if (settings[i].set == set_broker)
            self->broker_from = FROM_ENVIRONMENT;
    }
}

int
config_load(struct config *self, struct buf *problems)
{
    *self = (struct config){
        .file = config_place(),
        .keep = CONFIG_KEEP,
        .resources = json_object(),
        .labels = json_object(),
    };
    read_file(self, problems);
    read_environment(self, problems);
    if (!self->store)
        self->store = store_default_folder();
    return problems->len > 0 ? -1 : 0;
}

void
config_release(struct config *self)
{
    free(self->file);
    free(self->store);
    free(self->broker);
    json_decref(self->resources);
    json_decref(self->labels);
    *self = (struct config){0};
}

void
config_set_store(struct config *self, const char *folder,
                 enum config_origin from)
{
    free(self->store);
    self->store = mem_dup(folder);
    self->store_from = from;
}

void
config_set_broker(struct config *self, const char *address,
                  enum config_origin from)
{
    free(self->broker);
    self->broker = mem_dup(address);
    self->broker_from = from;
}

const char *
config_broker_origin(enum config_origin origin)
{
    return origin == FROM_ENVIRONMENT ? "from LEAT_BROKER"
           : origin == FROM_FLAG      ? "from --broker"
                                      : "from config.yaml";
}

const char *
config_origin_name(enum config_origin origin)
{
    static const char *const names[] = {
        [FROM_DEFAULT] = "the default",
        [FROM_FILE] = "from config.yaml",
        [FROM_ENVIRONMENT] = "from LEAT_STORE",
        [FROM_FLAG] = "from --store",
    };

    return names[origin];
}
