/* SPDX-License-Identifier: MPL-2.0 */
/*
 * client - who is at the other end of the control socket: what a ROUTER calls
 * it. Says nothing of who that is, and dies with the connection.
 */
#ifndef BROKER_CLIENT_H
#define BROKER_CLIENT_H

#include <stdint.h>

#define CLIENT_NAME 32 /* bytes; libzmq gives 5 */

struct broker_client {
    uint8_t n;
    unsigned char name[CLIENT_NAME];
};

#endif
