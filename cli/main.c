/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/leat.h"

int
main(int argc, char **argv)
{
    return leat_main(argc, argv, NULL, NULL);
}
