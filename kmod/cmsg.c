// SPDX-License-Identifier: GPL-2.0-only
/* The control message that has a record's content type. */
#include "af_ktls.h"

/**
 * af_ktls_type_room - what a content type takes of a reader's control messages
 * @msg: the message
 *
 * A 32-bit program's is a header of 12 bytes and one byte, to the next multiple of 4.
 */
size_t af_ktls_type_room(const struct msghdr *msg)
{
	return msg->msg_flags & MSG_CMSG_COMPAT ? 16 : CMSG_SPACE(sizeof(u8));
}

/**
 * af_ktls_message_type - read the content type that a sender asks for
 * @msg: the message
 * @type: left alone if it asks for none
 *
 * Return: 0, or -EINVAL for anything but one byte that is a content type of DTLS.
 */
int af_ktls_message_type(struct msghdr *msg, u8 *type)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg) || cmsg->cmsg_level != SOL_KTLS ||
		    cmsg->cmsg_type != KTLS_RECORD_TYPE ||
		    cmsg->cmsg_len != CMSG_LEN(sizeof(*type)))
			return -EINVAL;
		*type = *(u8 *)CMSG_DATA(cmsg);
		if (*type < AF_KTLS_TYPE_FIRST || *type > AF_KTLS_TYPE_LAST)
			return -EINVAL;
	}
	return 0;
}
