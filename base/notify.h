/* SPDX-License-Identifier: MPL-2.0 */
/*
 * notify - what a service tells whoever manages it (systemd's Type=notify).
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* Lines as sd_notify(3) has them: "READY=1". Nobody listens without
 * NOTIFY_SOCKET, and nothing depends on its being heard. */
void notify_manager(const char *lines);

#endif
