/* SPDX-License-Identifier: MPL-2.0 */
/* folder - a folder and all that is in it. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

/*
 * Remove it with all that is in it; links are not followed. What can't be
 * removed stays: somebody else may be removing it, too. NULL will do.
 */
void folder_remove(const char *path);

#endif
