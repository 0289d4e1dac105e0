// SPDX-License-Identifier: MIT
/* kernel-speed ALGORITHM KEY IV HEADER TAG SIZE SECONDS: how fast the kernel protects packets of SIZE bytes of payload.
 *
 * Through AF_ALG, the kernel's door for user space: a sendmsg and a read for each packet, and copies both ways, which
 * a VPN in the kernel does not have. ALGORITHM is an AEAD of the kernel's crypto API, as ESP uses them:
 * rfc4106(gcm(aes)), or authenc(hmac(sha1),cbc(aes)). The numbers are bytes: the key as `20`, or as `20+16` for the
 * HMAC's and the cipher's; the IV; the authenticated header; the tag.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_alg.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "timed.h"

#define ABSENT "not in /proc/crypto"
#define KEY_PARAMETERS 1   /* CRYPTO_AUTHENC_KEYA_PARAM, which no header for user space has */

struct packet {
    int socket;
    size_t whole;
    struct msghdr message;
    struct iovec data;
    char control[CMSG_SPACE(4) + CMSG_SPACE(4) + CMSG_SPACE(4 + 64)];
    unsigned char *plain, *sealed;
};

static void seal(void *what)
{
    struct packet *p = what;

    if (sendmsg(p->socket, &p->message, 0) != (ssize_t)p->data.iov_len)
        refuse(1, "sendmsg", strerror(errno));
    if (read(p->socket, p->sealed, p->whole) != (ssize_t)p->whole)
        refuse(1, "read", strerror(errno));
}

/* An HMAC's key and a cipher's as the kernel wants them: an attribute with the cipher key's length, then both. */
static size_t make_key(const char *lengths, unsigned char *key)
{
    const char *plus = strchr(lengths, '+');
    const size_t first = strtoul(lengths, NULL, 10), second = plus ? strtoul(plus + 1, NULL, 10) : 0;
    struct rtattr attribute = { .rta_len = RTA_LENGTH(4), .rta_type = KEY_PARAMETERS };
    const uint32_t length = htonl((uint32_t)second);
    size_t at = 0;

    if (first + second > 200)
        refuse(2, lengths, "too long for a key");
    if (plus) {
        memcpy(key, &attribute, sizeof(attribute));
        memcpy(key + RTA_LENGTH(0), &length, 4);
        at = RTA_SPACE(4);
    }
    for (size_t i = 0; i < first + second; i++)
        key[at + i] = (unsigned char)(i * 37 + 11);   /* no two parts alike: triple DES refuses that */
    return at + first + second;
}

/* The driver that serves `name`: of all in /proc/crypto that which has the highest priority. */
static void driver_of(const char *name, char *driver, size_t room)
{
    char line[256], value[160], current[160] = "", candidate[160] = "";
    long best = -1, priority;
    FILE *file = fopen("/proc/crypto", "r");

    snprintf(driver, room, ABSENT);
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "name : %159s", value) == 1)
            strcpy(current, value);
        else if (sscanf(line, "driver : %159s", value) == 1)
            strcpy(candidate, value);
        else if (sscanf(line, "priority : %ld", &priority) == 1 && !strcmp(current, name) && priority > best) {
            best = priority;
            snprintf(driver, room, "%s", candidate);
        }
    }
    if (file)
        fclose(file);
}

/* Why an algorithm could not be bound to: recent kernels have AEADs and offer none of them to user space. */
static const char *refused(const char *name)
{
    char driver[160];

    if (errno != ENOENT)
        return strerror(errno);
    driver_of(name, driver, sizeof(driver));
    return strcmp(driver, ABSENT) ? "the kernel has this algorithm, but keeps it from AF_ALG"
                                  : "the kernel has no such algorithm, or no algif_aead";
}

static void add(struct packet *p, struct cmsghdr **c, int type, size_t length)
{
    *c = *c ? CMSG_NXTHDR(&p->message, *c) : CMSG_FIRSTHDR(&p->message);
    (*c)->cmsg_level = SOL_ALG;
    (*c)->cmsg_type = type;
    (*c)->cmsg_len = CMSG_LEN(length);
}

static void prepare(struct packet *p, size_t iv_size, size_t header, size_t size)
{
    struct cmsghdr *c = NULL;
    const uint32_t encrypt = ALG_OP_ENCRYPT, assoc = (uint32_t)header, length = (uint32_t)iv_size;

    p->plain = calloc(1, p->whole);
    p->sealed = calloc(1, p->whole);
    if (iv_size > 60 || !p->plain || !p->sealed)
        refuse(2, "IV", "too long");
    p->data = (struct iovec){ p->plain, header + size };
    p->message.msg_iov = &p->data;
    p->message.msg_iovlen = 1;
    p->message.msg_control = p->control;
    p->message.msg_controllen = sizeof(p->control);
    add(p, &c, ALG_SET_OP, 4);
    memcpy(CMSG_DATA(c), &encrypt, 4);
    add(p, &c, ALG_SET_AEAD_ASSOCLEN, 4);
    memcpy(CMSG_DATA(c), &assoc, 4);
    p->message.msg_controllen = 2 * CMSG_SPACE(4);
    if (iv_size) {
        p->message.msg_controllen += CMSG_SPACE(4 + iv_size);
        add(p, &c, ALG_SET_IV, 4 + iv_size);
        memcpy(CMSG_DATA(c), &length, 4);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_alg address = { .salg_family = AF_ALG, .salg_type = "aead" };
    struct packet p = { 0 };
    unsigned char key[256];
    char driver[160];

    if (argc != 8)
        refuse(2, argv[0], "ALGORITHM KEY IV HEADER TAG SIZE SECONDS");
    const size_t iv_size = strtoul(argv[3], NULL, 10), header = strtoul(argv[4], NULL, 10);
    const size_t tag = strtoul(argv[5], NULL, 10), size = strtoul(argv[6], NULL, 10);

    snprintf((char *)address.salg_name, sizeof(address.salg_name), "%s", argv[1]);
    const int template = socket(AF_ALG, SOCK_SEQPACKET, 0);
    if (template < 0)
        refuse(127, "the kernel has no AF_ALG sockets (CONFIG_CRYPTO_USER_API_AEAD)", strerror(errno));
    if (bind(template, (struct sockaddr *)&address, sizeof(address)))
        refuse(127, argv[1], refused(argv[1]));
    if (setsockopt(template, SOL_ALG, ALG_SET_KEY, key, (socklen_t)make_key(argv[2], key)))
        refuse(1, "key", strerror(errno));
    if (setsockopt(template, SOL_ALG, ALG_SET_AEAD_AUTHSIZE, NULL, (socklen_t)tag))
        refuse(1, "tag", strerror(errno));
    p.socket = accept(template, NULL, NULL);
    if (p.socket < 0)
        refuse(1, "accept", strerror(errno));
    driver_of(argv[1], driver, sizeof(driver));
    p.whole = header + size + tag;
    prepare(&p, iv_size, header, size);
    timed(seal, &p, size, atof(argv[7]), driver);
    return 0;
}
