/* SPDX-License-Identifier: MPL-2.0 */
/*
 * version - of leat, as daemons tell it; leat.h has the same for its users.
 */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define VERSION "0.1.0"

#endif
