/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/there_script.h"

#include <string.h>
#include <sys/utsname.h>

/*
 * A pid counts while a process of that number has leat-agent in its command
 * line: numbers are used again, and one that is dead but not waited for has
 * none. $key is the broker's.
 */
static const char script_begin[] =
    "set -u\n"
    "state=${XDG_STATE_HOME:-$HOME/.local/state}/leat\n"
    "bin=${XDG_CACHE_HOME:-$HOME/.cache}/leat/bin\n"
    "me=agent-$key@$(uname -n)\n"
    "log=$state/$me.log file=$state/$me.pid\n"
    "(umask 077 && mkdir -p \"$state\") || exit 1\n"
    "answer() { echo \"leat: $*\"; exit 0; }\n"
    "words() { tr '\\0' ' ' 2>/dev/null <\"/proc/$pid/cmdline\"; }\n"
    "alive() {\n"
    "    read -r pid 2>/dev/null <\"$file\" && [ -n \"$pid\" ] &&\n"
    "        words | grep -q leat-agent\n"
    "}\n";

/*
 * Two at once take turns, which the agent must not hold on to (9). Between
 * fork and exec it is still a shell: any command line is alive then.
 */
static const char script_start[] =
    "exec 9>\"$state/$me.lock\" || exit 1\n"
    "if command -v flock >/dev/null; then flock 9; fi\n"
    "if alive; then answer running \"$pid\"; fi\n"
    "agent=$(command -v leat-agent) || agent=$bin/leat-agent\n"
    "[ -x \"$agent\" ] || answer missing\n"
    "libs=$(ldd \"$agent\" 2>&1 | sed -n \\\n"
    "    -e 's/^[[:space:]]*\\([^ ]*\\) => not found.*/\\1/p' \\\n"
    "    -e 's/.*version .\\([A-Za-z0-9_.]*\\). not found.*/\\1/p' |\n"
    "    sort -u | tr '\\n' ' ')\n"
    "[ -z \"$libs\" ] || answer libraries \"$libs\"\n"
    ": >\"$log\" || exit 1\n"
    "cd || exit 1\n"
    "setsid \"$agent\" \"$@\" >>\"$log\" 2>&1 </dev/null 9>&- &\n"
    "pid=$!\n"
    "echo \"$pid\" >\"$file\"\n"
    "n=0\n"
    "while [ $n -lt 100 ]; do\n"
    "    if grep -q ' joined ' \"$log\"; then answer joined \"$pid\"; fi\n"
    "    [ -n \"$(words)\" ] || break\n"
    "    sleep 0.1\n"
    "    n=$((n + 1))\n"
    "done\n"
    "tail -n 3 \"$log\" >&2\n"
    "if [ -n \"$(words)\" ]; then answer waiting \"$pid\"; fi\n"
    "rm -f \"$file\"\n"
    "answer ended\n";

/* An agent has 30 s for what it has begun, and tasks their grace. Less than ssh
 * is given. */
static const char script_stop[] =
    "if ! alive; then rm -f \"$file\"; answer absent; fi\n"
    "kill -TERM \"$pid\" || exit 1\n"
    "n=0\n"
    "while alive; do\n"
    "    [ $n -lt 450 ] || answer still \"$pid\"\n"
    "    sleep 0.1\n"
    "    n=$((n + 1))\n"
    "done\n"
    "rm -f \"$file\"\n"
    "answer stopped \"$pid\"\n";

static const char script_ls[] = "if alive; then answer running \"$pid\"; fi\n"
                                "answer absent\n";

/* No ' in it, for it stands in them: not every login shell is POSIX. */
static const char script_copy[] =
    "if command -v leat-agent >/dev/null; then echo leat: copied; exit 0; fi; "
    "here=$(uname -sm); "
    "if [ \"$here\" != \"$0\" ]; then echo \"leat: other $here\"; exit 0; fi; "
    "bin=${XDG_CACHE_HOME:-$HOME/.cache}/leat/bin; "
    "new=$bin/.new.$(uname -n).$$; "
    "mkdir -p \"$bin\" && cat >\"$new\" && chmod 755 \"$new\" && "
    "mv \"$new\" \"$bin/leat-agent\" && echo leat: copied";

static void
begin(struct buf *out, const char *broker)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

    buf_text(out, "key=");
    for (const char *c = broker; *c; c++)
        buf_char(out, strchr(plain, *c) ? *c : '_');
    buf_char(out, '\n');
    buf_text(out, script_begin);
}

void
there_script_start(struct buf *out, const char *broker, const char *words)
{
    begin(out, broker);
    buf_printf(out, "set -- %s\n", words);
    buf_text(out, script_start);
}

void
there_script_stop(struct buf *out, const char *broker)
{
    begin(out, broker);
    buf_text(out, script_stop);
}

void
there_script_ls(struct buf *out, const char *broker)
{
    begin(out, broker);
    buf_text(out, script_ls);
}

void
there_script_copy(struct buf *out)
{
    struct utsname here;

    (void)uname(&here);
    buf_printf(out, "sh -c '%s' '%s %s'", script_copy, here.sysname,
               here.machine);
}
