// SPDX-License-Identifier: GPL-2.0-only
/* The AEAD ciphers: keys, encryption for a sender that waits, decryption that may end later. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>

#include "af_ktls.h"

static char *driver = "";
module_param(driver, charp, 0444);
MODULE_PARM_DESC(driver,
	"Drivers, as in /proc/crypto, to take for their ciphers (default: the kernel's choice)");

/* A record at the cipher's driver; one allocation, scatter list and driver's request behind it. */
struct af_ktls_job {
	struct af_ktls_sock *ks;
	struct sk_buff *skb;
	u64 seq;
	u8 type;
	u8 nonce[AF_KTLS_NONCE];
	u8 aad[AF_KTLS_AAD];
	struct aead_request *request;
	struct scatterlist sg[];
};

/* A driver of the parameter's list that does what `algorithm` does, or the kernel's choice. */
static struct crypto_aead *af_ktls_aead_alloc(const char *algorithm)
{
	const char *name = driver;

	while (*name) {
		char one[CRYPTO_MAX_ALG_NAME] = "";
		size_t length = 0, depth = 0;
		struct crypto_aead *aead;

		/* The commas of rfc7539(chacha20,poly1305) are its own. */
		for (; name[length] && (depth || name[length] != ','); length++)
			depth += (name[length] == '(') - (name[length] == ')');
		memcpy(one, name, min(length, sizeof(one) - 1));
		name += length + (name[length] == ',');
		aead = crypto_alloc_aead(one, 0, 0);
		if (IS_ERR(aead))
			continue;
		if (!strcmp(crypto_tfm_alg_name(crypto_aead_tfm(aead)), algorithm))
			return aead;
		crypto_free_aead(aead);
	}
	return crypto_alloc_aead(algorithm, 0, 0);
}

/**
 * af_ktls_cipher_present - whether this kernel has a cipher
 * @cipher: the cipher
 */
bool af_ktls_cipher_present(const struct af_ktls_cipher *cipher)
{
	return crypto_has_aead(cipher->algorithm, 0, 0);
}

static struct af_ktls_sealer *af_ktls_sealer_alloc(struct crypto_aead *aead)
{
	struct af_ktls_sealer *sealer =
		kzalloc(sizeof(*sealer) + crypto_aead_reqsize(aead), GFP_KERNEL_ACCOUNT);

	if (!sealer)
		return NULL;
	crypto_init_wait(&sealer->wait);
	aead_request_set_tfm(&sealer->request, aead);
	aead_request_set_callback(&sealer->request,
				  CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP,
				  crypto_req_done, &sealer->wait);
	aead_request_set_ad(&sealer->request, AF_KTLS_AAD);
	return sealer;
}

/**
 * af_ktls_direction_init - make ready one direction
 * @direction: the direction, which nobody else sees yet
 * @cipher: the cipher
 * @key: key, salt and sequence number
 * @send: with what it takes to send
 */
int af_ktls_direction_init(struct af_ktls_direction *direction, const struct af_ktls_cipher *cipher,
			   const struct ktls_key *key, bool send)
{
	struct crypto_aead *aead = af_ktls_aead_alloc(cipher->algorithm);
	int err;

	if (IS_ERR(aead))
		return PTR_ERR(aead);
	err = crypto_aead_setkey(aead, key->key, cipher->key);
	if (!err)
		err = crypto_aead_setauthsize(aead, AF_KTLS_TAG);
	if (!err && send) {
		direction->sealer = af_ktls_sealer_alloc(aead);
		if (!direction->sealer)
			err = -ENOMEM;
	}
	if (err) {
		crypto_free_aead(aead);
		return err;
	}
	memcpy(direction->salt, key->salt, cipher->salt);
	direction->epoch = af_ktls_epoch(key->seq);
	direction->aead = aead;
	return 0;
}

/**
 * af_ktls_direction_clear - free and wipe a key that nobody uses any more
 * @direction: the direction
 */
void af_ktls_direction_clear(struct af_ktls_direction *direction)
{
	kfree_sensitive(direction->sealer);
	crypto_free_aead(direction->aead); /* wipes its copy */
	memzero_explicit(direction, sizeof(*direction));
}

/**
 * af_ktls_encrypt - encrypt a record, and wait
 * @sealer: with nonce and additional data, and in `sealed` that data, then room for the ciphertext
 *          and the tag
 * @from: additional data, then the payload; may be `sealed`
 * @payload: length of the payload
 */
int af_ktls_encrypt(struct af_ktls_sealer *sealer, struct scatterlist *from, size_t payload)
{
	aead_request_set_crypt(&sealer->request, from, sealer->sealed, payload, sealer->nonce);
	return crypto_wait_req(crypto_aead_encrypt(&sealer->request), &sealer->wait);
}

static void af_ktls_decrypted(struct af_ktls_job *job, int err)
{
	struct af_ktls_sock *ks = job->ks;

	if (!err) {
		af_ktls_dtls_opened(ks, job->skb, job->type, job->seq);
	} else {
		if (err == -EBADMSG) {
			af_ktls_count(ks, rx_forged);
			af_ktls_dbg_record(ks, job->seq, "forged");
		} else {
			af_ktls_count(ks, rx_errors);
			af_ktls_dbg_record(ks, job->seq, "the cipher's driver failed");
		}
		kfree_skb(job->skb);
	}
	kfree_sensitive(job); /* the salt is in its nonce */
	af_ktls_put(ks);
}

static void af_ktls_decrypt_done(void *data, int err)
{
	/* -EINPROGRESS: a backlogged request has only begun. */
	if (err != -EINPROGRESS)
		af_ktls_decrypted(data, err);
}

static struct af_ktls_job *af_ktls_job_alloc(struct crypto_aead *aead, int parts)
{
	struct af_ktls_job *job;
	size_t size = ALIGN(struct_size(job, sg, parts), crypto_tfm_ctx_alignment());

	job = kmalloc(size + sizeof(*job->request) + crypto_aead_reqsize(aead), GFP_ATOMIC);
	if (job)
		job->request = (void *)job + size;
	return job;
}

/**
 * af_ktls_decrypt - decrypt a record, now or later
 * @ks: the socket
 * @skb: the record, header first, charged; it is consumed
 * @record: its header, parsed
 *
 * It ends in af_ktls_dtls_opened() or is dropped, counted.
 *
 * In place: nobody else may be able to write what is authenticated in one pass and decrypted in
 * another, or to read what a failed authentication leaves. Called in softirq under RCU.
 */
void af_ktls_decrypt(struct af_ktls_sock *ks, struct sk_buff *skb,
		     const struct af_ktls_record *record)
{
	const struct af_ktls_cipher *cipher = ks->cipher;
	struct crypto_aead *aead = ks->rx.aead;
	size_t head = AF_KTLS_HEADER + cipher->explicit, sealed = record->length - cipher->explicit;
	int parts = 1 + 1 + skb_shinfo(skb)->nr_frags, err;
	struct af_ktls_job *job = af_ktls_job_alloc(aead, parts);

	if (!job)
		goto drop;
	job->ks = ks;
	job->seq = record->seq;
	job->type = record->type;
	job->skb = skb;
	af_ktls_record_aad(job->aad, record->type, record->seq, sealed - AF_KTLS_TAG);
	af_ktls_record_nonce(job->nonce, ks->rx.salt, record->seq, skb->data + AF_KTLS_HEADER,
			     cipher);
	sg_init_table(job->sg, parts);
	sg_set_buf(job->sg, job->aad, AF_KTLS_AAD);
	if (skb_to_sgvec(skb, job->sg + 1, head, sealed) < 0 || !refcount_inc_not_zero(&ks->uses))
		goto drop;
	aead_request_set_tfm(job->request, aead);
	aead_request_set_callback(job->request, 0, af_ktls_decrypt_done, job);
	aead_request_set_crypt(job->request, job->sg, job->sg, sealed, job->nonce);
	aead_request_set_ad(job->request, AF_KTLS_AAD);
	err = crypto_aead_decrypt(job->request);
	if (err != -EINPROGRESS)
		af_ktls_decrypted(job, err);
	return;
drop:
	af_ktls_count(ks, rx_errors);
	af_ktls_dbg_record(ks, record->seq, "no memory, or the socket is closed");
	kfree_sensitive(job);
	kfree_skb(skb);
}
