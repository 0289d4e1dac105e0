// SPDX-License-Identifier: MIT
/*
 * profile: a plugin of QEMU that counts every instruction of a guest, by the code that it belongs to and the task that
 * executed it, while a window is open. The guest cannot notice: no sampling, and no time of its clock.
 *
 * The window is opened and closed from within, by window.c: `xchg %r10, %r10` does nothing else. %rdi says which (1, 2),
 * %rsi and %rdx are where a task_struct has its `tgid` and its `comm`, %rcx is the guest's clock.
 *
 * Code of the kernel is told by its address. Code in user space is told by what its page holds, as a hash, and by the
 * place in that page: QEMU translates a page once for all processes that have mapped it, wherever they have.
 *
 * When the window closes, the file `profile` in the folder `dir` has, in hexadecimal numbers where none is named:
 *
 *   clock OPENED CLOSED (decimal)                   the guest's clock
 *   task NUMBER PID COMM (decimal)                  0 stands for all that found no room
 *   kernel ADDRESS LENGTH TASK TIMES (all in hex)   a block of LENGTH instructions was executed so often by a task
 *   user PAGE OFFSET LENGTH TASK TIMES              PAGE is the hash
 *
 * The interface is QEMU's, version 4 (include/qemu/qemu-plugin.h); Debian ships no header.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define PAGE 4096
#define TASKS 128
#define BUCKETS (1 << 16)

EXPORT int qemu_plugin_version = 4;

typedef struct {
	uint8_t *data;
	unsigned int len;
} GByteArray;
typedef struct {
	void *data;
	unsigned int len;
} GArray;
typedef struct {
	void *handle;
	const char *name;
	const char *feature;
} reg_descriptor;
typedef struct {
	void *score;
	size_t offset;
} score_u64;
typedef void (*vcpu_cb)(unsigned int vcpu, void *data);
enum { NO_REGS = 0, R_REGS = 1 };
enum { COND_NE = 3 };

GByteArray *g_byte_array_new(void);
GByteArray *g_byte_array_set_size(GByteArray *array, unsigned int length);
void *qemu_plugin_scoreboard_new(size_t size);
void qemu_plugin_u64_set(score_u64 entry, unsigned int vcpu, uint64_t value);
void qemu_plugin_register_vcpu_init_cb(uint64_t id, void (*cb)(uint64_t id, unsigned int vcpu));
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*cb)(uint64_t id, void *tb));
void qemu_plugin_register_vcpu_tb_exec_cond_cb(void *tb, vcpu_cb cb, int flags, int cond, score_u64 entry,
					       uint64_t value, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(void *insn, vcpu_cb cb, int flags, void *data);
size_t qemu_plugin_tb_n_insns(const void *tb);
uint64_t qemu_plugin_tb_vaddr(const void *tb);
void *qemu_plugin_tb_get_insn(const void *tb, size_t number);
size_t qemu_plugin_insn_data(const void *insn, void *to, size_t length);
size_t qemu_plugin_insn_size(const void *insn);
void *qemu_plugin_insn_haddr(const void *insn);
GArray *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(void *handle, GByteArray *to);
bool qemu_plugin_read_memory_vaddr(uint64_t address, GByteArray *to, size_t length);

struct block {
	uint64_t page; /* 0: the kernel's */
	uint64_t place; /* an address of the kernel, or the offset in the page */
	uint64_t length;
	uint64_t *times; /* by task */
	struct block *next;
};

struct task {
	int32_t pid;
	char comm[16];
};

static char path[256], part[256];
static void *rdi, *rsi, *rdx, *rcx;
static GByteArray *bytes;
static score_u64 is_open;
static struct block *blocks[BUCKETS];
static struct task tasks[TASKS];
static unsigned int known, now;
static uint64_t current, tgid_offset, comm_offset, opened;

static uint64_t value_of(void *reg)
{
	uint64_t value = 0;

	g_byte_array_set_size(bytes, 0);
	qemu_plugin_read_register(reg, bytes);
	memcpy(&value, bytes->data, bytes->len < sizeof(value) ? bytes->len : sizeof(value));
	return value;
}

static bool read_task(struct task *task)
{
	if (!current || !qemu_plugin_read_memory_vaddr(current + tgid_offset, bytes, sizeof(task->pid)))
		return false;
	memcpy(&task->pid, bytes->data, sizeof(task->pid));
	if (!qemu_plugin_read_memory_vaddr(current + comm_offset, bytes, sizeof(task->comm)))
		return false;
	memcpy(task->comm, bytes->data, sizeof(task->comm));
	task->comm[sizeof(task->comm) - 1] = 0;
	/* A task chooses its own name: it is one word in one line. */
	for (char *byte = task->comm; *byte; byte++)
		if (*byte < ' ' || *byte > '~')
			*byte = '?';
	return true;
}

/* A task that has another name since `execve` is another row. */
static void find_task(void)
{
	struct task task = {};

	now = 0;
	if (!read_task(&task))
		return;
	for (unsigned int i = 1; i < known; i++) {
		if (tasks[i].pid == task.pid && !strcmp(tasks[i].comm, task.comm)) {
			now = i;
			return;
		}
	}
	if (known < TASKS) {
		now = known;
		tasks[known++] = task;
	}
}

/* QEMU forgets its translations now and then, and makes them again: a block that was there before is the same. */
static struct block *find_block(uint64_t page, uint64_t place, uint64_t length)
{
	struct block **bucket = &blocks[((page ^ place ^ length << 12) * 0x9e3779b97f4a7c15) >> 48];
	struct block *block;

	for (block = *bucket; block; block = block->next)
		if (block->page == page && block->place == place && block->length == length)
			return block;
	block = calloc(1, sizeof(*block));
	block->page = page;
	block->place = place;
	block->length = length;
	block->next = *bucket;
	*bucket = block;
	return block;
}

static void executed(unsigned int vcpu, void *data)
{
	struct block *block = data;

	if (!block->times)
		block->times = calloc(TASKS, sizeof(*block->times));
	block->times[now]++;
}

/* At the instruction with which a kernel goes over to the next task's stack (arch/x86/entry/entry_64.S): %rsi is it. */
static void switched(unsigned int vcpu, void *data)
{
	current = value_of(rsi);
	if (opened)
		find_task();
}

static void open_window(unsigned int vcpu)
{
	tgid_offset = value_of(rsi);
	comm_offset = value_of(rdx);
	opened = value_of(rcx);
	known = 1;
	find_task();
	qemu_plugin_u64_set(is_open, vcpu, 1);
}

static void write_block(FILE *file, struct block *block)
{
	for (unsigned int i = 0; block->times && i < TASKS; i++) {
		if (!block->times[i])
			continue;
		if (block->page)
			fprintf(file, "user %lx ", block->page);
		else
			fprintf(file, "kernel ");
		fprintf(file, "%lx %lx %x %lx\n", block->place, block->length, i, block->times[i]);
	}
	free(block->times);
	block->times = NULL;
}

/* A profile that was not written whole is none: nobody finds it. */
static void close_window(unsigned int vcpu)
{
	FILE *file = fopen(part, "w");
	bool whole;

	qemu_plugin_u64_set(is_open, vcpu, 0);
	if (!file)
		return;
	fprintf(file, "clock %lu %lu\n", opened, value_of(rcx));
	opened = 0;
	for (unsigned int i = 1; i < known; i++)
		fprintf(file, "task %u %d %s\n", i, tasks[i].pid, tasks[i].comm);
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct block *block = blocks[i]; block; block = block->next)
			write_block(file, block);
	whole = !ferror(file);
	if (!fclose(file) && whole)
		rename(part, path);
}

static void marked(unsigned int vcpu, void *data)
{
	switch (value_of(rdi)) {
	case 1:
		open_window(vcpu);
		break;
	case 2:
		if (opened)
			close_window(vcpu);
		break;
	}
}

/* FNV-1a, eight bytes at once. */
static uint64_t hash_of(const void *page)
{
	const uint64_t *words = page;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		hash = (hash ^ words[i]) * 0x100000001b3;
	return hash;
}

static bool is_mark(const uint8_t *code, size_t length)
{
	return length == 3 && !memcmp(code, "\x4d\x87\xd2", 3);
}

/* mov %rsp, X(%rdi); mov X(%rsi), %rsp: nothing else in a kernel does this. */
static bool is_switch(const uint8_t *before, size_t before_length, const uint8_t *code, size_t length)
{
	return before_length == 7 && length == 7 && !memcmp(before, "\x48\x89\xa7", 3) &&
	       !memcmp(code, "\x48\x8b\xa6", 3) && !memcmp(before + 3, code + 3, 4);
}

static void translated(uint64_t id, void *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb), page = 0;
	uintptr_t host = (uintptr_t)qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0));
	uint8_t code[16], before[16] = {};
	size_t length, before_length = 0;
	struct block *block;

	if (!(address >> 63)) {
		page = host ? hash_of((void *)(host & -(uintptr_t)PAGE)) : 1;
		address = host % PAGE;
	}
	block = find_block(page, address, qemu_plugin_tb_n_insns(tb));
	qemu_plugin_register_vcpu_tb_exec_cond_cb(tb, executed, NO_REGS, COND_NE, is_open, 0, block);
	for (size_t i = 0; i < block->length; i++) {
		void *insn = qemu_plugin_tb_get_insn(tb, i);

		length = qemu_plugin_insn_size(insn);
		qemu_plugin_insn_data(insn, code, sizeof(code));
		if (is_mark(code, length))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, R_REGS, NULL);
		else if (!block->page && is_switch(before, before_length, code, length))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, switched, R_REGS, NULL);
		memcpy(before, code, sizeof(before));
		before_length = length;
	}
}

static void started(uint64_t id, unsigned int vcpu)
{
	GArray *registers = qemu_plugin_get_registers();
	const reg_descriptor *all = registers->data;

	for (unsigned int i = 0; i < registers->len; i++) {
		if (!strcmp(all[i].name, "rdi"))
			rdi = all[i].handle;
		else if (!strcmp(all[i].name, "rsi"))
			rsi = all[i].handle;
		else if (!strcmp(all[i].name, "rdx"))
			rdx = all[i].handle;
		else if (!strcmp(all[i].name, "rcx"))
			rcx = all[i].handle;
	}
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	const char *dir = argc == 1 && !strncmp(argv[0], "dir=", 4) ? argv[0] + 4 : NULL;

	if (!dir) {
		fprintf(stderr, "profile: dir=FOLDER is wanted\n");
		return 1;
	}
	snprintf(path, sizeof(path), "%s/profile", dir);
	snprintf(part, sizeof(part), "%s/profile.part", dir);
	bytes = g_byte_array_new();
	is_open = (score_u64){qemu_plugin_scoreboard_new(sizeof(uint64_t)), 0};
	qemu_plugin_register_vcpu_init_cb(id, started);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
