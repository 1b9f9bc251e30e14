/* SPDX-License-Identifier: MPL-2.0 */
/*
 * link_gate - who may be a peer of what this process has bound; only for link.
 *
 * libzmq asks it at each handshake of a socket that has a ZAP domain (RFC 27).
 * A socket that is for everybody has the domain LINK_GATE_OPEN; one that has a
 * secret has that as its domain, and it is the password that is asked for. So
 * it needs to know nothing, and answers in a thread of its own: a lane must not
 * wait for what the main thread is busy with.
 */
#ifndef PROTO_LINK_GATE_H
#define PROTO_LINK_GATE_H

#include <stdint.h>

#include "base/err.h"

#define LINK_GATE_OPEN "leat"

/* From now on handshakes are answered; once a process. */
int link_gate_start(void *context, struct err *err);
/* Peers that were turned away since the last call. */
uint64_t link_gate_refused(void);

#endif
