/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/drops.h"

SPILL_DROP_REASON(spill_drop_denied, "denied", "a rule, or the default, denies the packet's flow");
SPILL_DROP_REASON(spill_drop_drain_deadline, "drain_deadline",
                  "the program ended by force while the packet was still on its way");
SPILL_DROP_REASON(spill_drop_esp_fragment, "esp_fragment",
                  "a fragment that was to be protected in transport mode; or ESP in fragments that "
                  "is not from a peer's address, or for an association without addresses");
SPILL_DROP_REASON(spill_drop_esp_wrong_port, "esp_wrong_port",
                  "ESP, or a packet in the clear that an association is to protect, came in at the "
                  "wrong end of its wire");
SPILL_DROP_REASON(
    spill_drop_esp_too_big, "esp_too_big",
    "protected, the packet would be larger than the MTU of the port; its sender is told");
SPILL_DROP_REASON(spill_drop_tx_fit_limit, "tx_fit_limit",
                  "the packet was to be fragmented, or made one segment, and a busy lcore had no "
                  "time for more of that");
SPILL_DROP_REASON(spill_drop_esp_wrapped, "esp_wrapped",
                  "ESP for an address of ours, or what a rule protects, stands behind PPPoE, MPLS, "
                  "SNAP or more than two tags");
SPILL_DROP_REASON(spill_drop_tx_link_down, "tx_link_down",
                  "the kernel's interface below the port that it leaves by is down, without a "
                  "carrier, or gone");
SPILL_DROP_REASON(
    spill_drop_esp_required, "esp_required",
    "the packet came in the clear, and its rule is protect with an inbound association");
SPILL_DROP_REASON(spill_drop_esp_no_route, "esp_no_route",
                  "no route forwards to where the packet's association has its ESP go; its sender "
                  "is told, where it is not encrypted yet");
