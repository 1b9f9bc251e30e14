/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ready - tell whoever started a daemon that it is up.
 */
#ifndef BASE_READY_H
#define BASE_READY_H

/*
 * To systemd (NOTIFY_SOCKET), as "READY=1" and so on; and one newline to `fd`,
 * which is closed (less than 0: none). Nobody listening is no error.
 */
void ready_tell(const char *text, int fd);

#endif
