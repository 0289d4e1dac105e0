/* SPDX-License-Identifier: MIT */
#include "checksum.h"

#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

/* A word of 32 bits is as good as two of 16: the fold adds its halves. */
static uint64_t sum_words(const uint8_t *at, size_t size, uint64_t sum)
{
	uint32_t word = 0;

	for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, at, size);
	return sum + word;
}

#if defined(__x86_64__) && defined(__GNUC__)
/*
 * The same in vectors, since every byte of a superpacket passes here: multiplied by one, neighbours are added to 32 bits
 * (vpmaddwd). That takes them for signed, so each is moved down by 0x8000 first, and the whole up again. A sum of 64 KiB
 * does not fill its 32 bits.
 */
__attribute__((target("avx2"))) static uint64_t sum_vectors(const uint8_t *at, size_t size, uint64_t sum)
{
	const __m256i down = _mm256_set1_epi16((short)0x8000), ones = _mm256_set1_epi16(1);
	const __m256i none = _mm256_setzero_si256();
	__m256i four[4] = { none, none, none, none };
	size_t done = size & ~(size_t)127;
	int32_t lanes[8];

	for (const uint8_t *end = at + done; at < end; at += 128)
#pragma GCC unroll 4
		for (unsigned int i = 0; i < 4; i++) {
			__m256i words = _mm256_loadu_si256((const __m256i *)(at + 32 * i));

			words = _mm256_madd_epi16(_mm256_xor_si256(words, down), ones);
			four[i] = _mm256_add_epi32(four[i], words);
		}
	four[0] = _mm256_add_epi32(_mm256_add_epi32(four[0], four[1]), _mm256_add_epi32(four[2], four[3]));
	_mm256_storeu_si256((__m256i *)lanes, four[0]);
	for (unsigned int i = 0; i < 8; i++)
		sum += (int64_t)lanes[i];
	return sum_words(at, size - done, sum + done / 2 * 0x8000);
}
#endif

uint64_t checksum_sum(const uint8_t *at, size_t size, uint64_t sum)
{
#if defined(__x86_64__) && defined(__GNUC__)
	/* Below that the vectors are not worth it. */
	if (size >= 128 && __builtin_cpu_supports("avx2"))
		return sum_vectors(at, size, sum);
#endif
	return sum_words(at, size, sum);
}

uint16_t checksum_folded(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}
