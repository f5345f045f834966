/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/message.h"

#include <errno.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What a request of each type begins with. */
static const struct {
    uint16_t type;
    size_t body;
} requests[] = {
    {XFRM_MSG_NEWSA, sizeof(struct xfrm_usersa_info)},
    {XFRM_MSG_UPDSA, sizeof(struct xfrm_usersa_info)},
    {XFRM_MSG_DELSA, sizeof(struct xfrm_usersa_id)},
    {XFRM_MSG_GETSA, sizeof(struct xfrm_usersa_id)},
    {XFRM_MSG_ALLOCSPI, sizeof(struct xfrm_userspi_info)},
    {XFRM_MSG_NEWAE, sizeof(struct xfrm_aevent_id)},
    {XFRM_MSG_GETAE, sizeof(struct xfrm_aevent_id)},
    {XFRM_MSG_FLUSHSA, sizeof(struct xfrm_usersa_flush)},
    {XFRM_MSG_GETSADINFO, sizeof(uint32_t)},
    {XFRM_MSG_NEWPOLICY, sizeof(struct xfrm_userpolicy_info)},
    {XFRM_MSG_UPDPOLICY, sizeof(struct xfrm_userpolicy_info)},
    {XFRM_MSG_DELPOLICY, sizeof(struct xfrm_userpolicy_id)},
    {XFRM_MSG_GETPOLICY, sizeof(struct xfrm_userpolicy_id)},
    {XFRM_MSG_FLUSHPOLICY, 0},
    {XFRM_MSG_GETSPDINFO, sizeof(uint32_t)},
    {XFRM_MSG_MIGRATE, sizeof(struct xfrm_userpolicy_id)},
};

bool spill_xfrm_is_dump(const struct nlmsghdr *header)
{
    return (header->nlmsg_type == XFRM_MSG_GETSA || header->nlmsg_type == XFRM_MSG_GETPOLICY) &&
           (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

static int find_body(struct spill_xfrm_message *message)
{
    const struct nlmsghdr *header = message->header;
    const size_t payload = header->nlmsg_len - MNL_NLMSG_HDRLEN;
    size_t i = 0;

    while (i < COUNT_OF(requests) && requests[i].type != header->nlmsg_type)
        i++;
    if (i == COUNT_OF(requests))
        return -EOPNOTSUPP;
    message->body = mnl_nlmsg_get_payload(header);
    message->body_size = requests[i].body;
    return payload >= requests[i].body ? 0 : -EINVAL;
}

static int find_attributes(struct spill_xfrm_message *message)
{
    const struct nlmsghdr *header = message->header;
    const size_t before = MNL_NLMSG_HDRLEN + MNL_ALIGN(message->body_size);
    const uint8_t *next = (const uint8_t *)header + before;
    size_t left = header->nlmsg_len > before ? header->nlmsg_len - before : 0;

    while (left >= sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const struct nlattr *)(const void *)next;
        const size_t size = attribute->nla_len;
        const uint16_t type = mnl_attr_get_type(attribute);

        if (size < sizeof(*attribute) || size > left)
            return -EINVAL;
        if (type <= XFRMA_MAX)
            message->attributes[type] = attribute;
        if (MNL_ALIGN(size) >= left)
            return 0;
        next += MNL_ALIGN(size);
        left -= MNL_ALIGN(size);
    }
    return left == 0 ? 0 : -EINVAL;
}

int spill_xfrm_message_read(const void *data, size_t left, struct spill_xfrm_message *message)
{
    const struct nlmsghdr *header = data;
    int status;

    memset(message, 0, sizeof(*message));
    if (left < MNL_NLMSG_HDRLEN)
        return -EINVAL;
    message->header = header;
    if (header->nlmsg_len < MNL_NLMSG_HDRLEN || header->nlmsg_len > left)
        return -EINVAL;
    /* Of a dump nothing counts but its kind. What else it may have is in no struct. */
    if (spill_xfrm_is_dump(header))
        return 0;
    status = find_body(message);
    return status == 0 ? find_attributes(message) : status;
}

const void *spill_xfrm_attribute(const struct spill_xfrm_message *message, unsigned type,
                                 size_t size)
{
    const struct nlattr *attribute = message->attributes[type];

    return attribute != NULL && mnl_attr_get_payload_len(attribute) >= size
               ? mnl_attr_get_payload(attribute)
               : NULL;
}

uint32_t spill_xfrm_number(const struct spill_xfrm_message *message, unsigned type)
{
    const void *payload = spill_xfrm_attribute(message, type, sizeof(uint32_t));
    uint32_t number = 0;

    if (payload != NULL)
        memcpy(&number, payload, sizeof(number));
    return number;
}
