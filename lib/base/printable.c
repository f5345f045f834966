/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that a terminal shows and does not obey. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "printable.h"

#define ESCAPE   4 /* of a byte: \xHH */
#define LEFT_OUT "..."

#define ASCII_LAST 0x7f
#define UTF8_LAST  0x10ffff

/* The longest that one character becomes: each byte of a sequence of four, escaped. */
#define PIECE_MAX (4 * ESCAPE)

/* The character that a sequence of that length stands for. */
static uint32_t utf8_point(const unsigned char *text, unsigned length)
{
    uint32_t point = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    unsigned i;

    for (i = 1; i < length; i++)
        point = point << 6 | (text[i] & 0x3fu);
    return point;
}

unsigned spill_utf8_length(const char *from)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *text = (const unsigned char *)from;
    unsigned length, i;
    uint32_t point;

    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xc2 && text[0] < 0xe0)
        length = 2;
    else if (text[0] >= 0xe0 && text[0] < 0xf0)
        length = 3;
    else if (text[0] >= 0xf0 && text[0] < 0xf5)
        length = 4;
    else
        return 0;
    for (i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    point = utf8_point(text, length);
    if (point < least[length] || point > UTF8_LAST || (point >= 0xd800 && point < 0xe000))
        return 0;
    return length;
}

/* Whether a character is shown in its place and does nothing else. */
static bool is_plain(uint32_t point)
{
    if (point < 0x20 || (point >= 0x7f && point < 0xa0))
        return false; /* C0, DEL, C1 */
    if (point >= 0x2028 && point <= 0x202e)
        return false; /* ends of lines and paragraphs, directions */
    return point != 0x61c && point != 0x200e && point != 0x200f &&
           !(point >= 0x2066 && point <= 0x2069); /* directions */
}

/* One character as it may be shown, none beyond `highest`; *at moves behind it. Returns how many
 * bytes it takes. */
static unsigned piece(const char **at, uint32_t highest, char out[PIECE_MAX + 1])
{
    const unsigned char *text = (const unsigned char *)*at;
    unsigned length = spill_utf8_length(*at), used = 0, i;
    const uint32_t point = length > 0 ? utf8_point(text, length) : UINT32_MAX;

    if (point <= highest && is_plain(point)) {
        memcpy(out, text, length);
        *at += length;
        return length;
    }
    length = length == 0 ? 1 : length;
    *at += length;
    if (text[0] == '\n' || text[0] == '\r' || text[0] == '\t') {
        out[0] = '\\';
        out[1] = text[0] == '\n' ? 'n' : text[0] == '\r' ? 'r' : 't';
        return 2;
    }
    for (i = 0; i < length; i++)
        used += (unsigned)snprintf(out + used, ESCAPE + 1, "\\x%02x", text[i]);
    return used;
}

static void copy(char *to, size_t size, const char *from, uint32_t highest)
{
    const size_t beginning = (size - sizeof(LEFT_OUT)) / 2;
    const size_t end = size - sizeof(LEFT_OUT) - beginning;
    size_t whole = 0, before = 0, used = 0;
    bool left_out = false;
    char out[PIECE_MAX + 1];
    const char *at;
    unsigned length;

    for (at = from; *at != '\0';)
        whole += piece(&at, highest, out);
    for (at = from; *at != '\0'; before += length) {
        length = piece(&at, highest, out);
        if (whole < size || before + length <= beginning || whole - before <= end) {
            memcpy(to + used, out, length);
            used += length;
        } else if (!left_out) {
            memcpy(to + used, LEFT_OUT, strlen(LEFT_OUT));
            used += strlen(LEFT_OUT);
            left_out = true;
        }
    }
    to[used] = '\0';
}

void spill_printable(char *to, size_t size, const char *from)
{
    copy(to, size, from, UTF8_LAST);
}

void spill_printable_ascii(char *to, size_t size, const char *from)
{
    copy(to, size, from, ASCII_LAST);
}
