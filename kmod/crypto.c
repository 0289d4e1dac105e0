// SPDX-License-Identifier: GPL-2.0
/* The AEAD ciphers: keys, encryption for a sender that waits, decryption that may complete later. */
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "af_ktls.h"

/* A record at the cipher's driver; one allocation, with the scatter list and the driver's request behind it. */
struct ktls_job {
	struct ktls_sock *ks;
	struct sk_buff *skb;
	u64 seq;
	u8 type;
	u8 nonce[KTLS_NONCE];
	u8 aad[KTLS_AAD];
	struct aead_request *request;
	struct scatterlist sg[];
};

/**
 * ktls_direction_set - set the key of one direction
 * @direction: the direction
 * @cipher: the cipher
 * @key: key, salt and sequence number
 *
 * Return: 0, or what the crypto API says: -ENOENT when this kernel lacks the cipher.
 */
int ktls_direction_set(struct ktls_direction *direction, const struct ktls_cipher *cipher, const struct ktls_key *key)
{
	struct crypto_aead *aead = crypto_alloc_aead(cipher->algorithm, 0, 0);
	int err;

	if (IS_ERR(aead))
		return PTR_ERR(aead);
	err = crypto_aead_setkey(aead, key->key, cipher->key);
	if (!err)
		err = crypto_aead_setauthsize(aead, KTLS_TAG);
	if (err) {
		crypto_free_aead(aead);
		return err;
	}
	memcpy(direction->salt, key->salt, cipher->salt);
	direction->epoch = ktls_epoch(key->seq);
	smp_store_release(&direction->aead, aead); /* whoever sees the key sees the salt */
	return 0;
}

/**
 * ktls_direction_clear - free and wipe a key that nobody uses any more
 * @direction: the direction
 */
void ktls_direction_clear(struct ktls_direction *direction)
{
	crypto_free_aead(direction->aead); /* wipes its copy */
	memzero_explicit(direction, sizeof(*direction));
}

/**
 * ktls_encrypt - encrypt a record in place, and wait
 * @aead: the key
 * @sg: additional data, then the payload with room for the tag
 * @payload: length of the payload
 * @nonce: the nonce, not on the stack
 */
int ktls_encrypt(struct crypto_aead *aead, struct scatterlist *sg, size_t payload, u8 *nonce)
{
	struct aead_request *request = aead_request_alloc(aead, GFP_KERNEL);
	DECLARE_CRYPTO_WAIT(wait);
	int err;

	if (!request)
		return -ENOMEM;
	aead_request_set_callback(request, CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done, &wait);
	aead_request_set_crypt(request, sg, sg, payload, nonce);
	aead_request_set_ad(request, KTLS_AAD);
	err = crypto_wait_req(crypto_aead_encrypt(request), &wait);
	aead_request_free(request);
	return err;
}

static void ktls_decrypted(struct ktls_job *job, int err)
{
	struct ktls_sock *ks = job->ks;
	struct sk_buff *skb = job->skb;

	if (!err) {
		ktls_dtls_opened(ks, skb, job->type, job->seq);
	} else {
		if (err == -EBADMSG)
			ktls_count(ks, rx_forged);
		else
			ktls_count(ks, rx_errors);
		kfree_skb(skb);
	}
	kfree_sensitive(job);
	/* Our own reference: the socket may be released as soon as nothing is at the driver. */
	if (atomic_dec_and_test(&ks->decrypting))
		wake_up(&ks->idle);
	sock_put(&ks->sk);
}

static void ktls_decrypt_done(void *data, int err)
{
	/* -EINPROGRESS: a backlogged request has only begun. */
	if (err != -EINPROGRESS)
		ktls_decrypted(data, err);
}

/**
 * ktls_decrypt - decrypt a record, now or later; it ends in ktls_dtls_opened() or is dropped and counted
 * @ks: the socket
 * @skb: the record, header first; it is consumed
 * @record: its header, parsed
 *
 * Called in softirq under RCU, or with bottom halves off.
 */
void ktls_decrypt(struct ktls_sock *ks, struct sk_buff *skb, const struct ktls_record *record)
{
	const struct ktls_cipher *cipher = ks->cipher;
	struct crypto_aead *aead = ks->rx.aead;
	size_t head = KTLS_HEADER + cipher->explicit, sealed = record->length - cipher->explicit, size;
	struct sk_buff *last;
	struct ktls_job *job;
	int parts, err;

	/* What a sniffer or a local sender shares must not be decrypted in place. */
	parts = pskb_may_pull(skb, head) ? skb_cow_data(skb, 0, &last) : -ENOMEM;
	if (parts < 0)
		goto drop;
	size = ALIGN(struct_size(job, sg, parts + 1), crypto_tfm_ctx_alignment());
	job = kmalloc(size + sizeof(*job->request) + crypto_aead_reqsize(aead), GFP_ATOMIC);
	if (!job)
		goto drop;
	job->request = (void *)job + size;
	job->ks = ks;
	job->skb = skb;
	job->seq = record->seq;
	job->type = record->type;
	ktls_record_aad(job->aad, record->type, record->seq, sealed - KTLS_TAG);
	ktls_record_nonce(job->nonce, ks->rx.salt, record->seq, skb->data + KTLS_HEADER, cipher);
	sg_init_table(job->sg, parts + 1);
	sg_set_buf(job->sg, job->aad, KTLS_AAD);
	err = skb_to_sgvec(skb, job->sg + 1, head, sealed);
	if (err < 0) {
		kfree(job);
		goto drop;
	}
	aead_request_set_tfm(job->request, aead);
	aead_request_set_callback(job->request, 0, ktls_decrypt_done, job);
	aead_request_set_crypt(job->request, job->sg, job->sg, sealed, job->nonce);
	aead_request_set_ad(job->request, KTLS_AAD);

	sock_hold(&ks->sk);
	atomic_inc(&ks->decrypting);
	err = crypto_aead_decrypt(job->request);
	if (err != -EINPROGRESS)
		ktls_decrypted(job, err);
	return;
drop:
	ktls_count(ks, rx_errors);
	kfree_skb(skb);
}
