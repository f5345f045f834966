/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_UNMAP_H
#define SPILLWAY_UNMAP_H

/**
 * @file
 * Memory that a driver shares with a peer, and its end.
 *
 * When a peer of memif has left, DPDK's driver (22.11 to 25.11) says in its own state that there is
 * no link, and unmaps the rings at once, by EAL's interrupt thread. It waits for nobody and calls
 * nobody: an lcore that is in the midst of a receive or transmit call reads on in memory that is no
 * more, and the program dies. By its next call it would have seen that there is no link. So
 * munmap() is the program's own: called by that thread, it waits first until every lcore has come
 * to another turn. Meanwhile that thread tells of no other device's link either.
 */

/**
 * Has munmap() wait for lcores, where EAL's interrupt thread calls it.
 *
 * @param await    waits until no lcore is within a call of a driver that it was in before; by that
 *                 thread. NULL: nobody is waited for any more
 * @param context  handed to it; must live until the next call of this function has returned
 */
void spill_unmap_await(void (*await)(void *context), void *context);

#endif
