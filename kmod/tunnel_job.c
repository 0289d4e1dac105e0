// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tunnel's records at the cipher, one after the other, in softirq, where nobody can wait.
 *
 * A driver that is done later has its record left to it, with all that it writes to, and the record
 * is lost. On 6.12 that may happen now and then, where the kernel's use of vector registers was
 * interrupted. A driver that always is, is not for a tunnel: that direction ends.
 */
#include <linux/slab.h>

#include "tunnel.h"

/* So many records of a direction in a row. */
#define AF_KTLS_JOBS_LATE	8

/* Both have had it: the driver, and who left it the record. */
static void af_ktls_job_put(struct af_ktls_job *job)
{
	struct af_ktls_sock *ks;

	if (atomic_inc_return(&job->ends) < 2)
		return;
	ks = job->ks; /* set by the other one, if we are the driver */
	kfree_skb(job->skb);
	kfree_sensitive(job);
	af_ktls_put(ks);
}

static void af_ktls_job_done(void *data, int err)
{
	/* -EINPROGRESS: a backlogged request has only begun. */
	if (err != -EINPROGRESS)
		af_ktls_job_put(data);
}

/**
 * af_ktls_job_make - what it takes to have records encrypted or decrypted
 * @aead: the cipher with its key
 * @gfp: how to allocate
 */
struct af_ktls_job *af_ktls_job_make(struct crypto_aead *aead, gfp_t gfp)
{
	struct af_ktls_job *job = kzalloc(sizeof(*job) + crypto_aead_reqsize(aead), gfp);

	if (!job)
		return NULL;
	sg_init_table(job->sg, ARRAY_SIZE(job->sg));
	sg_set_buf(&job->sg[0], job->aad, AF_KTLS_AAD);
	aead_request_set_tfm(&job->request, aead);
	aead_request_set_callback(&job->request, 0, af_ktls_job_done, job);
	aead_request_set_ad(&job->request, AF_KTLS_AAD);
	return job;
}

/**
 * af_ktls_job_cancel - free what no driver has
 * @job: of af_ktls_job_make(), or NULL
 */
void af_ktls_job_cancel(struct af_ktls_job *job)
{
	kfree_sensitive(job); /* the salt is in its nonce */
}

static int af_ktls_job_result(struct af_ktls_sock *ks, struct af_ktls_job **place,
			      struct sk_buff *skb, int err)
{
	struct af_ktls_job *job = *place;

	if (likely(err != -EINPROGRESS)) {
		job->late = 0;
		return err;
	}
	*place = NULL;
	if (job->late < AF_KTLS_JOBS_LATE)
		*place = af_ktls_job_make(crypto_aead_reqtfm(&job->request), GFP_ATOMIC);
	if (*place)
		(*place)->late = job->late + 1;
	refcount_inc(&ks->uses);
	job->ks = ks;
	job->skb = skb_get(skb);
	af_ktls_job_put(job);
	if (!*place)
		af_ktls_tunnel_tell(ks, EOPNOTSUPP);
	return -EINPROGRESS;
}

/**
 * af_ktls_job_seal - frame a payload and encrypt it where it is
 * @ks: our socket
 * @job: the direction's; NULL when it ended
 * @skb: what holds the memory of @record
 * @record: room for the record, with the payload in its place
 * @payload: its length
 * @seq: number of the record, epoch on top
 *
 * Return: 0, -EINPROGRESS when a driver has the record, or its other error.
 */
int af_ktls_job_seal(struct af_ktls_sock *ks, struct af_ktls_job **job, struct sk_buff *skb,
		     u8 *record, size_t payload, u64 seq)
{
	const struct af_ktls_cipher *cipher = ks->cipher;
	struct af_ktls_job *j = *job;

	af_ktls_record_header(record, AF_KTLS_TYPE_DATA, seq, payload, cipher);
	af_ktls_record_aad(j->aad, AF_KTLS_TYPE_DATA, seq, payload);
	af_ktls_record_nonce(j->nonce, ks->tx.salt, seq, record + AF_KTLS_HEADER, cipher);
	sg_set_buf(&j->sg[1], record + AF_KTLS_HEADER + cipher->explicit, payload + AF_KTLS_TAG);
	aead_request_set_crypt(&j->request, j->sg, j->sg, payload, j->nonce);
	return af_ktls_job_result(ks, job, skb, crypto_aead_encrypt(&j->request));
}

/**
 * af_ktls_job_open - authenticate a record and decrypt it where it is
 * @ks: our socket
 * @job: the direction's; NULL when it ended
 * @skb: what holds the memory of @text
 * @text: ciphertext and tag, which nobody else can write or read
 * @explicit: what was sent of the nonce
 * @record: the header, parsed
 *
 * Return: 0, -EBADMSG when it is forged, -EINPROGRESS as above, or the driver's other error.
 */
int af_ktls_job_open(struct af_ktls_sock *ks, struct af_ktls_job **job, struct sk_buff *skb,
		     u8 *text, const u8 *explicit, const struct af_ktls_record *record)
{
	const struct af_ktls_cipher *cipher = ks->cipher;
	size_t sealed = record->length - cipher->explicit;
	struct af_ktls_job *j = *job;

	af_ktls_record_aad(j->aad, record->type, record->seq, sealed - AF_KTLS_TAG);
	af_ktls_record_nonce(j->nonce, ks->rx.salt, record->seq, explicit, cipher);
	sg_set_buf(&j->sg[1], text, sealed);
	aead_request_set_crypt(&j->request, j->sg, j->sg, sealed, j->nonce);
	return af_ktls_job_result(ks, job, skb, crypto_aead_decrypt(&j->request));
}
