/* SPDX-License-Identifier: BSD-3-Clause */
#include "filter.h"

#include <errno.h>
#include <stdlib.h>

#include <pcap/pcap.h>

#define SNAP_BYTES 262144

static json_t *pack(const struct bpf_program *program)
{
    json_t *array = json_array();

    for (u_int i = 0; i < program->bf_len; i++) {
        const struct bpf_insn *instruction = &program->bf_insns[i];

        json_array_append_new(array, json_pack("[i, i, i, I]", (int)instruction->code,
                                               (int)instruction->jt, (int)instruction->jf,
                                               (json_int_t)instruction->k));
    }
    return array;
}

json_t *spill_ctl_filter_compile(const char *text, struct spill_error *error)
{
    pcap_t *none = pcap_open_dead(DLT_EN10MB, SNAP_BYTES);
    struct bpf_program program;
    json_t *array = NULL;

    if (none == NULL) {
        spill_error_set(error, "no memory");
        return NULL;
    }
    if (pcap_compile(none, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0) {
        array = pack(&program);
        pcap_freecode(&program);
    } else {
        spill_error_set(error, "where '%s': %s", text, pcap_geterr(none));
    }
    pcap_close(none);
    return array;
}

int spill_ctl_number_parse(const char *text, const char *what, unsigned least, unsigned most,
                           unsigned *number, struct spill_error *error)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || value < least ||
        value > most)
        return spill_error_set(error, "%s '%s': expected %u to %u", what, text, least, most);
    *number = (unsigned)value;
    return 0;
}
