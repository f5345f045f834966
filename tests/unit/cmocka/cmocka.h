/* SPDX-License-Identifier: BSD-3-Clause */
/* cmocka's own header, found behind this one: what 1.1 and 2.0 spell differently. */
#include_next <cmocka.h>

#ifdef assert_uint_in_range /* 2.0: the old name is deprecated */
#undef assert_in_range
#define assert_in_range assert_uint_in_range
#endif
