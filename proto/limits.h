/* SPDX-License-Identifier: MPL-2.0 */
/*
 * limits - every bound of leat, in one place.
 *
 * Constants only, so every folder may include this one header.
 */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

#define LIMIT_SPAN_US (36525ull * 86400 * 1000000) /* any length of time */

/* flow files */
#define LIMIT_FILE_BYTES   (256u << 20) /* of a whole flow file */
#define LIMIT_SCALAR_BYTES (1u << 20)   /* of one scalar: a script, a string */
#define LIMIT_DEPTH        32           /* of nesting, in YAML and in JSON */
#define LIMIT_NAME_BYTES   128          /* of a task's or parameter's name */
#define LIMIT_TASKS        4000000u     /* in a flow */
#define LIMIT_PARAMS       1000u        /* in a flow */
#define LIMIT_REFERENCES   65536u       /* of one task to others */
#define LIMIT_ERRORS       100u         /* reported for one file */

/* runs */
#define LIMIT_CHILDREN    16000000u   /* of one mapped task */
#define LIMIT_VALUE_BYTES (16u << 20) /* of one value, as JSON text */
#define LIMIT_RETRIES     10000u
#define LIMIT_KEY_BYTES   40 /* longer child names become an index */

/* attempts */
#define LIMIT_ENV_VALUE_BYTES (128u << 10) /* the kernel's MAX_ARG_STRLEN */
#define LIMIT_ENV_BYTES       (1u << 20)   /* arguments and environment */
#define LIMIT_OUTPUT_TAIL     (64u << 10)  /* last bytes kept, a stream */
#define LIMIT_OUTPUT_BYTES    (64u << 20)  /* kept on disk, a stream */
#define LIMIT_CAUSE_BYTES     400          /* of the text why it failed */
#define LIMIT_DRAIN_MS        250   /* for output after the process has ended */
#define LIMIT_GRACE_MS        10000 /* from TERM to KILL, unless said */
#define LIMIT_KILL_MS         30000 /* for what was sent KILL to be gone */

/* between broker, agents and clients */
#define LIMIT_FRAME_BYTES     (1u << 20)   /* of one frame, with its envelope */
#define LIMIT_DECODE_BYTES    (16u << 20)  /* of memory for one decoded frame */
#define LIMIT_DECODE_COUNT    65536u       /* of allocations for it */
#define LIMIT_ITEM_BYTES      (896u << 10) /* values that travel with a task */
#define LIMIT_TRAVEL_BYTES    (896u << 10) /* a task's value on its way back */
#define LIMIT_CHUNK_BYTES     (256u << 10) /* a piece of a flow, program, output */
#define LIMIT_PROGRAM_BYTES   (256u << 20) /* of a C flow's program */
#define LIMIT_PROGRAMS_BYTES  (2ull << 30) /* kept by an agent, all together */
#define LIMIT_SHOWN_BYTES     256u  /* of a child's name as it is shown */
#define LIMIT_PATH_BYTES      4096u /* PATH_MAX */
#define LIMIT_HOST_BYTES      255u  /* of a machine's name */
#define LIMIT_AGENTS          256u  /* of a broker: a lane each */
#define LIMIT_SLOTS           4096u /* of an agent */
#define LIMIT_WINDOW          8192u /* tickets of an agent at once */
#define LIMIT_HELD            24576u /* attempts of an agent, spool too: a hello */
#define LIMIT_LANE_RUNS       32u    /* of which a lane knows parameters */
#define LIMIT_AHEAD           1024u /* C calls handed to one worker ... */
#define LIMIT_AHEAD_US        1000  /* ... of so much work altogether */
#define LIMIT_AGENT_NAME      64u   /* bytes */
#define LIMIT_LABELS          64u   /* of an agent; and named resources */
#define LIMIT_ACTIVE_RUNS     1000u /* of a broker, not at their end yet */
#define LIMIT_SUBMISSIONS     4096u /* known again if they come twice */
#define LIMIT_CLIENTS         1024u /* questions that wait, in all */
#define LIMIT_CRASHES         3u    /* of one task, by agents lost under it */
#define LIMIT_BEAT_MS         1000  /* between beats, both ways */
#define LIMIT_SUSPECT_MS      3000  /* silent: nothing new is sent */
#define LIMIT_LOST_MS         10000 /* silent: given up */
#define LIMIT_AWAY_MS         1000 /* connection gone: time to say hello again */
#define LIMIT_ADOPT_MS        3000  /* broker restarted: agents come back */
#define LIMIT_WORKER_START_MS 60000 /* for a C flow's program to serve */
#define LIMIT_WORKER_IDLE_MS  60000 /* without a call; then its worker ends */
#define LIMIT_HANDLERS_MS     60000 /* for the state handlers of a task */
#define LIMIT_STUCK_MS        1000  /* a lane that takes nothing is destroyed */
#define LIMIT_LEASE_MS        60000 /* exclusive: given up no sooner */
#define LIMIT_FENCE_MS        45000 /* exclusive: ended by an agent alone */
#define LIMIT_UNSTORED_BYTES \
    (64u << 20)                       /* on the way to the store: then wait */
#define LIMIT_OUTBOX_BYTES (4u << 20) /* output an agent keeps until stored */
#define LIMIT_ORIGIN       (1u << 24) /* origins of output are below */

/* hosts reached through ssh */
#define LIMIT_HOSTS  1000u /* in one command */
#define LIMIT_REMOTE 32u   /* at once */

/* pictures of our own layout */
#define LIMIT_DRAWN_TASKS    2000u
#define LIMIT_DRAWN_LINES    100000u /* from one layer to the next */
#define LIMIT_DRAWN_CHILDREN 36u     /* one by one; more: counts */
#define LIMIT_DRAWN_BOXES    60u     /* in text; more: a list */

#endif
