/* SPDX-License-Identifier: MPL-2.0 */
/*
 * link_address - what the text of an endpoint says.
 */
#ifndef PROTO_LINK_ADDRESS_H
#define PROTO_LINK_ADDRESS_H

#include <stdbool.h>

/* Microseconds for a socket of this machine to take a connection. */
#define LINK_PROBE_IPC 200000

bool address_is_ipc(const char *endpoint);

/* Its host is written as an IPv6 address, or has no other. */
bool address_needs_ipv6(const char *endpoint);

#endif
