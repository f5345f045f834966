/* SPDX-License-Identifier: BSD-3-Clause */
/* What an interface leaves to its device, by ethtool's ioctl. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor/doctor.h"

int spill_doctor_offloads(const char *interface)
{
    static const uint32_t commands[] = {ETHTOOL_GTXCSUM, ETHTOOL_GTSO, ETHTOOL_GGSO};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = descriptor < 0 ? -1 : 0;

    for (size_t i = 0; on == 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct ethtool_value value = {.cmd = commands[i]};
        struct ifreq request = {.ifr_data = (void *)&value};

        memcpy(request.ifr_name, interface, strnlen(interface, sizeof(request.ifr_name) - 1));
        if (ioctl(descriptor, SIOCETHTOOL, &request) != 0)
            on = -1;
        else if (value.data != 0)
            on = 1;
    }
    if (descriptor >= 0)
        close(descriptor);
    return on;
}
