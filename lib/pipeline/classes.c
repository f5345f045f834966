/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of classes of expensive work. */
#include "pipeline/classes.h"

#include "pipeline/classification.h"
#include "pipeline/decryption.h"
#include "pipeline/encryption.h"

const struct spill_class_row *const spill_class_rows[SPILL_CLASSES] = {
    [SPILL_CLASS_CLASSIFY] = &spill_classification,
    [SPILL_CLASS_DECRYPT] = &spill_decryption,
    [SPILL_CLASS_ENCRYPT] = &spill_encryption,
};
