/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/cli.h"

#define NO_OPTIONS          \
    (const enum opt[])      \
    {                       \
        OPT_HELP, OPT_COUNT \
    }
#define OPTIONS(...)                     \
    (const enum opt[])                   \
    {                                    \
        __VA_ARGS__, OPT_HELP, OPT_COUNT \
    }

/* Where a run is kept and what this machine is: run, retry, each. */
#define OPTIONS_RUN                                                    \
    OPT_QUIET, OPT_VERBOSE, OPT_JSON, OPT_ENV, OPT_TIMEOUT, OPT_LABEL, \
        OPT_RESOURCE, OPT_STORE, OPT_SLOTS, OPT_BROKER, OPT_LOCAL, OPT_DETACH

/* Where runs are looked up. */
#define OPTIONS_PLACE OPT_STORE, OPT_BROKER, OPT_LOCAL

const struct command cli_commands[] = {
    {
        .name = "run",
        .summary = "execute a flow",
        .usage = "FLOW [-p NAME=VALUE]...",
        .flow = "FLOW is a flow file, or - for standard input.",
        .more = "Parameters are taken from -p, then -P, then LEAT_PARAM_NAME,\n"
                "then the flow's defaults. Progress and what tasks write go\n"
                "to standard error, the flow's output to standard output.\n"
                "Ctrl-C cancels the run, a second one kills what still runs.\n"
                "Tasks run one after another; with -j N, N at a time; with\n"
                "--broker, or where a broker is configured, on its agents.\n"
                "A number behind -j is always its N, as make has it.",
        .examples = "@ run nightly.yaml -p day=monday\n"
                    "@ run nightly.yaml -j 4\n"
                    "x=$(@ run -q sum.yaml)\n",
        .options = OPTIONS(OPT_PARAM, OPT_PARAMS, OPT_NAME, OPTIONS_RUN,
                           OPT_NO_CACHE, OPT_NO_STORE),
        .words = KIND_FLOW,
        .least = 1,
        .most = 1,
        .takes_flow = true,
        .run = cmd_run,
    },
    {
        .name = "check",
        .summary = "find all that is wrong with a flow",
        .usage = "FLOW...",
        .more = "Every error is shown with its place. Nothing is run.",
        .examples = "@ check nightly.yaml\n",
        .options = OPTIONS(OPT_QUIET, OPT_JSON),
        .words = KIND_FLOW,
        .least = 1,
        .most = CLI_WORDS_ANY,
        .takes_flow = true,
        .run = cmd_check,
    },
    {
        .name = "plan",
        .summary = "show what would run, in which order",
        .usage = "FLOW|RUN [-p NAME=VALUE]...",
        .more = "Parameters are bound and the lengths of maps are worked out\n"
                "as far as they can be known. With -v the options of tasks\n"
                "are shown too. Nothing is run.",
        .examples = "@ plan nightly.yaml -p day=monday\n"
                    "@ plan --why last\n",
        .options = OPTIONS(OPT_PARAM, OPT_PARAMS, OPT_WHY, OPT_FROM,
                           OPT_VERBOSE, OPT_JSON, OPTIONS_PLACE),
        .words = KIND_FLOW,
        .least = 1,
        .most = 1,
        .takes_flow = true,
        .run = cmd_plan,
    },
    {
        .name = "graph",
        .summary = "draw a flow, or a run of it",
        .usage = "FLOW|RUN [-o FILE]",
        .more = "Without --format the ending of FILE tells the format: .svg,\n"
                ".dot, .mmd; else it is text for a terminal.",
        .examples = "@ graph nightly.yaml\n"
                    "@ graph last -o run.svg\n",
        .options = OPTIONS(OPT_FORMAT, OPT_OUTPUT, OPTIONS_PLACE),
        .words = KIND_FLOW,
        .least = 1,
        .most = 1,
        .takes_flow = true,
        .run = cmd_graph,
    },
    {
        .name = "ls",
        .summary = "list runs, the newest first",
        .usage = "[-n N]",
        .examples = "@ ls -n 5\n",
        .options =
            OPTIONS(OPT_NUMBER, OPT_ALL, OPT_QUIET, OPT_JSON, OPTIONS_PLACE),
        .run = cmd_ls,
    },
    {
        .name = "show",
        .summary = "show a run and what became of each task",
        .usage = "[RUN]",
        .more = "RUN is a number, a name given with --name, or last (which\n"
                "it is if left out).",
        .examples = "@ show 12\n"
                    "@ show --json last | jq .state\n",
        .options = OPTIONS(OPT_VERBOSE, OPT_JSON, OPTIONS_PLACE),
        .words = KIND_RUN,
        .most = 1,
        .run = cmd_show,
    },
    {
        .name = "logs",
        .summary = "print what tasks have written",
        .usage = "[RUN|TASK]",
        .more = "TASK is RUN/name, RUN/name[key] for one child of a map,\n"
                "RUN/:failed for all that failed, or a name alone: of the\n"
                "last run.",
        .examples = "@ logs 12/train[8,3]\n"
                    "@ logs -f last\n",
        .options =
            OPTIONS(OPT_FOLLOW, OPT_ATTEMPT, OPT_RAW, OPT_JSON, OPTIONS_PLACE),
        .words = KIND_TASK,
        .most = 1,
        .run = cmd_logs,
    },
    {
        .name = "value",
        .summary = "print the value of a task, or a run's output",
        .usage = "TASK|RUN",
        .more = "Text is printed as it is, all else as JSON.",
        .examples = "@ value 12/sum\n",
        .options = OPTIONS(OPT_JSON, OPTIONS_PLACE),
        .words = KIND_TASK,
        .least = 1,
        .most = 1,
        .run = cmd_value,
    },
    {
        .name = "why",
        .summary = "explain the state of a task",
        .usage = "TASK",
        .more = "Says why it waits, was skipped, failed or was kept, and what\n"
                "a retry of the run would do with it.",
        .examples = "@ why 12/deploy\n",
        .options = OPTIONS(OPT_JSON, OPTIONS_PLACE),
        .words = KIND_TASK,
        .least = 1,
        .most = 1,
        .run = cmd_why,
    },
    {
        .name = "wait",
        .summary = "wait until runs have ended",
        .usage = "RUN...",
        .more = "Exits as run would have; of several runs as the first that\n"
                "did not succeed.",
        .examples = "@ wait 12 && echo done\n",
        .options = OPTIONS(OPT_QUIET, OPTIONS_PLACE),
        .words = KIND_RUN,
        .least = 1,
        .most = CLI_WORDS_ANY,
        .run = cmd_wait,
    },
    {
        .name = "watch",
        .summary = "follow a run that a broker has in hand",
        .usage = "[RUN]",
        .more = "Shows what run would have shown, from the run's beginning,\n"
                "and exits as run would have. Ctrl-C only leaves: the run\n"
                "goes on.",
        .examples = "@ watch 12\n",
        .options = OPTIONS(OPT_QUIET, OPT_VERBOSE, OPT_JSON, OPT_BROKER),
        .words = KIND_RUN,
        .most = 1,
        .run = cmd_watch,
    },
    {
        .name = "cancel",
        .summary = "end runs, or tasks of them",
        .usage = "RUN|TASK...",
        .more = "Starts nothing more and ends what runs: with TERM, and with\n"
                "KILL when its time to end is over. Does not wait for the\n"
                "end; wait does. With RUN/TASK or RUN/TASK[KEY] only that\n"
                "is cancelled, and the run goes on: for what depends on it,\n"
                "it has failed. That is for runs on clusters.",
        .examples = "@ cancel 12 && @ wait 12\n"
                    "@ cancel '12/train[8,3]'\n",
        .options = OPTIONS(OPT_NOW, OPT_QUIET, OPT_BROKER),
        .words = KIND_TASK,
        .least = 1,
        .most = CLI_WORDS_ANY,
        .run = cmd_cancel,
    },
    {
        .name = "retry",
        .summary = "go on with a run that did not succeed",
        .usage = "[RUN]",
        .more =
            "Executes what has not succeeded and what depends on it, in\n"
            "the same run; what has succeeded keeps its values. Lets\n"
            "paused tasks go on. plan --why tells it beforehand.\n"
            "\"retry 12 -j\" and \"retry -j4 12\" say which number is which.",
        .examples = "@ retry last\n"
                    "@ retry 12 --from train\n",
        .options = OPTIONS(OPT_FROM, OPTIONS_RUN, OPT_NO_CACHE),
        .words = KIND_RUN,
        .most = 1,
        .run = cmd_retry,
    },
    {
        .name = "rm",
        .summary = "remove runs with all they have written",
        .usage = "RUN...|--keep N|--older SPAN",
        .more = "RUN may also be a range as 3-7. --keep and --older leave\n"
                "interrupted and paused runs alone.",
        .examples = "@ rm 3-7\n"
                    "@ rm --older 30d\n",
        .options = OPTIONS(OPT_KEEP, OPT_OLDER, OPT_QUIET, OPTIONS_PLACE),
        .words = KIND_RUN,
        .most = CLI_WORDS_ANY,
        .run = cmd_rm,
    },
    {
        .name = "each",
        .summary = "run a command for each of many inputs",
        .usage = "[--] COMMAND [{}] ::: INPUT...",
        .more =
            "As GNU parallel: {} is the input, {.} without its ending, {/}\n"
            "its last part, {//} its folder, {/.} its last part without\n"
            "ending, {#} its number; {1}, {2.} ... of the first, second\n"
            "source. Several ::: give all combinations, :::+ goes in step\n"
            "with the one before, :::: reads inputs from a file. Without any\n"
            "they are read from standard input, one a line. No shell is\n"
            "used, unless COMMAND is one word that needs one: then inputs\n"
            "reach it as variables, never as code. The commands' output goes\n"
            "to standard output, with names before it on a terminal. With -j\n"
            "several run at once, and their lines are mixed, but whole.",
        .examples = "@ each -j -- gzip -9 {} ::: *.log\n"
                    "@ each 'convert {} {.}.png && rm {}' ::: *.gif\n"
                    "ls | @ each wc -l\n",
        .options =
            OPTIONS(OPT_NULL, OPT_DRY_RUN, OPT_TAG, OPT_NO_TAG, OPT_MAX_FAILS,
                    OPT_RETRY, OPT_LIMIT, OPT_NAME, OPTIONS_RUN, OPT_NO_STORE),
        .words = KIND_TEXT,
        .least = 1,
        .most = CLI_WORDS_ANY,
        .only_leat = true,
        .stop = true,
        .run = cmd_each,
    },
    {
        .name = "agents",
        .summary = "list a broker's agents",
        .usage = "[--wait N]",
        .more = "With --wait until N agents are ready for work, but no longer\n"
                "than --timeout.",
        .examples = "@ agents --wait 2 --timeout 30s\n",
        .options =
            OPTIONS(OPT_WAIT, OPT_TIMEOUT, OPT_QUIET, OPT_JSON, OPT_BROKER),
        .only_leat = true,
        .run = cmd_agents,
    },
    {
        .name = "drain",
        .summary = "let an agent finish what it has and leave",
        .usage = "AGENT...",
        .more = "It is given nothing more; what it has not started goes to\n"
                "others.",
        .examples = "@ drain rack2\n",
        .options = OPTIONS(OPT_QUIET, OPT_BROKER),
        .words = KIND_TEXT,
        .least = 1,
        .most = CLI_WORDS_ANY,
        .only_leat = true,
        .run = cmd_drain,
    },
    {
        .name = "agent",
        .summary = "start, stop and list agents on other hosts",
        .usage = "start HOST...|stop [HOST]...|ls [HOST]...",
        .more =
            "Through ssh, and what it is configured to: users, ports, keys,\n"
            "jump hosts. LEAT_SSH is a command line to use instead. It must\n"
            "not ask for a password. Without HOST, stop and ls are for the\n"
            "hosts where agents of this broker were started from here. stop\n"
            "lets an agent finish what it has begun.\n"
            "An agent of this machine is a program: leat-agent ADDRESS.",
        .examples = "@ agent start rack1 rack2 --broker tcp://10.0.0.41 "
                    "--insecure\n"
                    "@ agent ls\n",
        .options = OPTIONS(OPT_HOSTS, OPT_COPY, OPT_SLOTS, OPT_LABEL,
                           OPT_RESOURCE, OPT_INSECURE, OPT_JSON, OPT_BROKER),
        .words = KIND_VERB,
        .least = 1,
        .most = CLI_WORDS_ANY,
        .only_leat = true,
        .run = cmd_agent,
    },
    {
        .name = "broker",
        .summary = "be a broker: the program leat-broker",
        .usage = "[ARGUMENT]...",
        .more = "All but --help is for leat-broker: see leat-broker --help.",
        .examples = "@ broker --bind tcp://127.0.0.1\n",
        .options = NO_OPTIONS,
        .most = CLI_WORDS_ANY,
        .only_leat = true,
        .passes = true,
        .run = cmd_broker,
    },
    {
        .name = "completion",
        .summary = "print a script that completes command lines",
        .usage = "bash|zsh",
        .examples = "source <(@ completion bash)\n",
        .options = NO_OPTIONS,
        .words = KIND_SHELL,
        .least = 1,
        .most = 1,
        .run = cmd_completion,
    },
    {
        .name = "help",
        .summary = "show help on a command",
        .usage = "[COMMAND]",
        .examples = "@ help run\n",
        .options = NO_OPTIONS,
        .words = KIND_COMMAND,
        .most = 1,
        .run = cmd_help,
    },
    {
        .name = "version",
        .summary = "print the version",
        .usage = "",
        .examples = "@ version\n",
        .options = NO_OPTIONS,
        .run = cmd_version,
    },
};

const size_t cli_ncommand = sizeof cli_commands / sizeof cli_commands[0];
