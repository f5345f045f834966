/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What DPDK's parsers may be given. They trust their text: an open bracket has them read behind its
 * end, and of two "=" they take the wrong one for the end of the key.
 */
#include <string.h>

#include <rte_common.h>
#include <rte_kvargs.h>

#include "port/device.h"

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* One argument of a device; its text goes on behind it. */
struct argument {
    const char *name; /* of the device, for errors */
    int name_length;
    const char *text;
    size_t key;    /* bytes before the '=' */
    size_t length; /* in all */
    struct spill_error *error;
};

#define REFUSE(argument, format, ...)                                                              \
    spill_error_set((argument)->error, "%.*s: argument '%.*s': " format, (argument)->name_length,  \
                    (argument)->name, (int)RTE_MIN((argument)->length, (size_t)100),               \
                    (argument)->text, ##__VA_ARGS__)

/* Finds the end of an argument: the next comma that is not within brackets. */
static int measure(struct argument *argument)
{
    bool inside = false;
    size_t i;

    for (i = 0; argument->text[i] != '\0' && (inside || argument->text[i] != ','); i++) {
        argument->length = i + 1;
        if ((unsigned char)argument->text[i] < ' ' || argument->text[i] == 0x7f)
            return REFUSE(argument, "has a control byte, 0x%02x", (unsigned)argument->text[i]);
        if (argument->text[i] == (inside ? '[' : ']'))
            return REFUSE(argument, "its brackets don't match: expected [ and ] in turn");
        inside ^= argument->text[i] == '[' || argument->text[i] == ']';
    }
    argument->length = i;
    argument->key = strspn(argument->text, LETTERS_AND_DIGITS "_-.");
    return inside ? REFUSE(argument, "its bracket is not closed: expected a ]") : 0;
}

static int check_argument(struct argument *argument)
{
    const char *value;

    if (measure(argument) != 0)
        return -1;
    value = argument->text + argument->key + 1;
    if (argument->key == 0 || argument->key == argument->length)
        return REFUSE(argument, "expected key=value");
    if (argument->text[argument->key] != '=')
        return REFUSE(argument, "expected key=value, the key of letters, digits, '_', '-' or '.'");
    if (argument->key + 1 == argument->length)
        return REFUSE(argument, "expected a value behind '='");
    if (memchr(value, '=', argument->length - argument->key - 1) != NULL)
        return REFUSE(argument, "expected one '=': DPDK takes what stands before the last for the "
                                "key");
    if (*value == '[' && argument->text[argument->length - 1] != ']')
        return REFUSE(argument, "expected nothing behind the list");
    return 0;
}

int spill_device_check_text(const char *text, struct spill_error *error)
{
    size_t name = strspn(text, LETTERS_AND_DIGITS "_-.:");
    struct argument argument = {
        .name = text, .name_length = (int)name, .text = text + name, .error = error};
    unsigned count;

    if (name == 0 || (text[name] != '\0' && text[name] != ','))
        return spill_error_set(error,
                               "'%.*s': is no device: expected a PCI address as "
                               "0000:41:00.0, or a name of letters, digits and '_' as net_tap0",
                               (int)RTE_MIN(strcspn(text, ","), (size_t)100), text);
    if (name >= SPILL_DEVICE_NAME_MAX)
        return spill_error_set(error, "%.*s: a device name has at most %d characters",
                               (int)RTE_MIN(name, (size_t)100), text, SPILL_DEVICE_NAME_MAX - 1);
    if (strlen(text + name) > SPILL_DEVICE_ARGUMENTS_MAX)
        return spill_error_set(error, "%.*s: its arguments are longer than %d characters",
                               (int)name, text, SPILL_DEVICE_ARGUMENTS_MAX - 1);
    for (count = 0; *argument.text == ','; count++) {
        argument.text++;
        argument.length = strlen(argument.text);
        if (count == RTE_KVARGS_MAX)
            return REFUSE(&argument, "is one too many: expected at most %d", RTE_KVARGS_MAX);
        if (check_argument(&argument) != 0)
            return -1;
        argument.text += argument.length;
    }
    return 0;
}

bool spill_device_interface(const char *text, char name[IF_NAMESIZE])
{
    static const char *const drivers[] = {"net_af_packet", "net_af_xdp", "net_pcap"};
    static const char key[] = ",iface=";
    const char *value = strstr(text, key);
    bool known = false;
    size_t length, i;

    for (i = 0; i < RTE_DIM(drivers); i++)
        known |= strncmp(text, drivers[i], strlen(drivers[i])) == 0;
    if (!known || value == NULL)
        return false;
    value += strlen(key);
    length = strcspn(value, ",");
    if (length >= IF_NAMESIZE)
        return false;
    memcpy(name, value, length);
    name[length] = '\0';
    return true;
}
