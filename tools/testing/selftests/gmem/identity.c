// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data on a device is the process's own memory, for whoever looks at the
 * process from outside: a core dump and a debugger find the bytes, /proc counts
 * them once, and so does the control group that pays for them.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gmem_fixture.h"

#define LEN		(4 * GT_HUGE)
#define BYTES		((long)LEN)
/* What a process may use besides: stacks, heap, what CPUs hold in batches. */
#define SLACK		(1L << 20)
#define WAIT_MS		60000
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE_FILE	"/tmp/gmem-core"
#define CGROUP		"/sys/fs/cgroup"
#define GROUP		CGROUP "/gmem-identity"

/* How a process and its child agree on who is next. */
struct board {
	int child;
	int parent;
	__u64 count;
	int error;
};

static struct board *make_board(void)
{
	struct board *board = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return board == MAP_FAILED ? NULL : board;
}

static bool await(int *flag, int value)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;

	while (gt_load(flag) < value && gt_now_ms() < end)
		usleep(1000);
	return gt_load(flag) >= value;
}

/* In a child: memory with a pattern, all on a device. 0 or a step that failed. */
static int resident(struct gt_dev *dev, unsigned int index, char *buf,
		    __u64 seed)
{
	if (gt_open(dev, index))
		return 1;
	gt_pattern(buf, LEN, seed);
	if (gt_to_device(dev, buf, LEN))
		return 2;
	return 0;
}

/* --------------------------------------------------------------- core dumps */

struct dump {
	char *buf;
	struct gt_dev dev;
	bool busy;
};

static void *dev_reads(void *arg)
{
	struct dump *dump = arg;

	for (;;)
		gt_touch_write(&dump->dev, dump->buf + GT_HUGE, GT_HUGE);
	return NULL;
}

/* Half is what the CPU wrote, half what the device wrote. Then it dies. */
static int dies(struct dump *dump)
{
	static char words[GT_HUGE];
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	pthread_t thread;
	int ret;

	ret = resident(&dump->dev, 0, dump->buf, 1);
	if (ret)
		return ret;
	gt_pattern(words, GT_HUGE, 2);
	if (gt_write(&dump->dev, dump->buf + GT_HUGE, GT_HUGE, words))
		return 3;
	if (!gt_all_on(dump->buf, LEN, dump->dev.hnid))
		return 4;
	if (dump->busy && pthread_create(&thread, NULL, dev_reads, dump))
		return 5;
	if (setrlimit(RLIMIT_CORE, &all))
		return 6;
	usleep(10000);
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* The offset of an address in a core file, or 0. */
static off_t core_offset(int fd, const void *va, size_t len)
{
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	unsigned int i;
	__u64 addr = (uintptr_t)va;

	if (pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    memcmp(ehdr.e_ident, ELFMAG, SELFMAG) || ehdr.e_type != ET_CORE)
		return 0;
	for (i = 0; i < ehdr.e_phnum; i++) {
		off_t at = ehdr.e_phoff + i * sizeof(phdr);

		if (pread(fd, &phdr, sizeof(phdr), at) != sizeof(phdr))
			return 0;
		if (phdr.p_type == PT_LOAD && addr >= phdr.p_vaddr &&
		    addr + len <= phdr.p_vaddr + phdr.p_filesz)
			return phdr.p_offset + addr - phdr.p_vaddr;
	}
	return 0;
}

/*
 * Whether a block of the dump holds what it must: words of a pattern from @index
 * on. A huge page that is on a device is left out by the kernel (7.2: a GUP for a
 * dump takes every entry that is not present for a hole), and must then be zeros
 * and nothing else.
 */
static bool dumped(const char *block, __u64 seed, size_t index, bool huge)
{
	const __u64 *words = (const __u64 *)block;
	size_t i, right = 0, zero = 0;

	for (i = 0; i < GT_HUGE / 8; i++) {
		right += words[i] == gt_pattern_word(seed, index + i);
		zero += !words[i];
	}
	return right == i || (huge && zero == i);
}

static void check_core(struct __test_metadata *_metadata, const char *buf,
		       bool huge)
{
	int fd = open(CORE_FILE, O_RDONLY | O_CLOEXEC);
	char *copy = gt_alloc(LEN, false);
	off_t off;
	size_t at;

	ASSERT_GE(fd, 0);
	ASSERT_NE(NULL, copy);
	off = core_offset(fd, buf, LEN);
	ASSERT_NE(0, off);
	ASSERT_EQ((ssize_t)LEN, pread(fd, copy, LEN, off));
	for (at = 0; at < LEN; at += GT_HUGE)
		EXPECT_TRUE(at == GT_HUGE ? dumped(copy + at, 2, 0, huge) :
					    dumped(copy + at, 1, at / 8, huge))
			TH_LOG("at %zx", at);
	gt_free(copy, LEN);
	close(fd);
}

static void core_dump(struct __test_metadata *_metadata, bool huge, bool busy)
{
	struct dump dump = { .buf = gt_alloc(LEN, huge), .busy = busy };
	char before[256];
	int status;
	pid_t pid;

	ASSERT_NE(NULL, dump.buf);
	ASSERT_EQ(0, gt_read_file(CORE_PATTERN, before, sizeof(before)));
	unlink(CORE_FILE);
	ASSERT_EQ(0, gt_write_file(CORE_PATTERN, CORE_FILE));
	pid = fork();
	if (!pid)
		_exit(dies(&dump));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, gt_write_file(CORE_PATTERN, before));
	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status))
		TH_LOG("status 0x%x", status);
	check_core(_metadata, dump.buf, huge);
	unlink(CORE_FILE);
	gt_free(dump.buf, LEN);
}

GT_TEST(core_dump_huge)
{
	core_dump(_metadata, true, false);
}

GT_TEST(core_dump_base)
{
	core_dump(_metadata, false, false);
}

GT_TEST(core_dump_while_device_works)
{
	core_dump(_metadata, true, true);
}

/* ------------------------------------------------------------------ debugger */

/* The words that a debugger looks at: all over the memory, odd places too. */
static size_t odd_place(unsigned int i)
{
	return i * (LEN / 16) + i * 8 + (i & 1 ? 3 : 0);
}

#define NR_PLACES	15

static long pattern_at(size_t off, __u64 seed)
{
	__u64 words[2] = {
		gt_pattern_word(seed, off / 8),
		gt_pattern_word(seed, off / 8 + 1),
	};
	long value;

	memcpy(&value, (char *)words + off % 8, sizeof(value));
	return value;
}

/* Is stopped, looked at and changed, and then sees the changes everywhere. */
static int debuggee(char *buf, bool readonly)
{
	struct gt_dev dev;
	unsigned int i;
	long seen;
	int ret;

	ret = resident(&dev, 0, buf, 1);
	if (ret)
		return ret;
	if (readonly && mprotect(buf, LEN, PROT_READ))
		return 3;
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 4;
	raise(SIGSTOP);
	for (i = 0; i < NR_PLACES; i++) {
		if (gt_read(&dev, buf + odd_place(i), sizeof(seen), &seen))
			return 5;
		if (seen != ~pattern_at(odd_place(i), 1))
			return 6;
		memcpy(&seen, buf + odd_place(i), sizeof(seen));
		if (seen != ~pattern_at(odd_place(i), 1))
			return 7;
		seen = pattern_at(odd_place(i), 1);
		if (!readonly && gt_write(&dev, buf + odd_place(i),
					  sizeof(seen), &seen))
			return 8;
	}
	if (!readonly && gt_dev_pattern(&dev, buf, LEN, 1))
		return 9;
	return 0;
}

static void debugger(struct __test_metadata *_metadata, bool huge,
		     bool readonly)
{
	char *buf = gt_alloc(LEN, huge);
	int status;
	unsigned int i;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	pid = fork();
	if (!pid)
		_exit(debuggee(buf, readonly));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status))
		TH_LOG("status 0x%x", status);
	for (i = 0; i < NR_PLACES; i++) {
		char *at = buf + odd_place(i);
		long want = pattern_at(odd_place(i), 1);

		errno = 0;
		EXPECT_EQ(want, ptrace(PTRACE_PEEKDATA, pid, at, 0));
		EXPECT_EQ(0, errno);
		EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, pid, at, ~want));
		EXPECT_EQ(~want, ptrace(PTRACE_PEEKDATA, pid, at, 0));
	}
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	gt_free(buf, LEN);
}

GT_TEST(ptrace_huge)
{
	debugger(_metadata, true, false);
}

GT_TEST(ptrace_base)
{
	debugger(_metadata, false, false);
}

/* As a breakpoint is set: behind the back of a read-only mapping. */
GT_TEST(ptrace_readonly_huge)
{
	debugger(_metadata, true, true);
}

GT_TEST(ptrace_readonly_base)
{
	debugger(_metadata, false, true);
}

/* ------------------------------------------------------------ /proc/PID/mem */

/* Waits while it is read, then while it is written to; and sees what came. */
static int looked_at(struct board *board, unsigned int index, char *buf)
{
	struct gt_dev dev;
	int ret;

	ret = resident(&dev, index, buf, 1);
	if (ret)
		return ret;
	gt_store(&board->child, 1);
	if (!await(&board->parent, 1))
		return 3;
	if (gt_dev_pattern(&dev, buf, LEN, 1) || gt_to_device(&dev, buf, LEN))
		return 4;
	gt_store(&board->child, 2);
	if (!await(&board->parent, 2))
		return 5;
	if (gt_dev_pattern(&dev, buf, LEN, 2))
		return 6;
	return gt_pattern_bad(buf, LEN, 2) >= 0 ? 7 : 0;
}

static int open_mem(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void proc_mem(struct __test_metadata *_metadata, unsigned int index,
		     bool huge)
{
	char *buf = gt_alloc(LEN, huge), *copy = gt_alloc(LEN, false);
	struct board *board = make_board();
	int fd, status;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, copy);
	ASSERT_NE(NULL, board);
	pid = fork();
	if (!pid)
		_exit(looked_at(board, index, buf));
	fd = open_mem(pid);
	ASSERT_GE(fd, 0);
	ASSERT_TRUE(await(&board->child, 1));
	ASSERT_EQ((ssize_t)LEN, pread(fd, copy, LEN, (uintptr_t)buf));
	EXPECT_EQ(-1, gt_pattern_bad(copy, LEN, 1));
	gt_store(&board->parent, 1);
	ASSERT_TRUE(await(&board->child, 2));
	gt_pattern(copy, LEN, 2);
	ASSERT_EQ((ssize_t)LEN, pwrite(fd, copy, LEN, (uintptr_t)buf));
	gt_store(&board->parent, 2);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(fd);
	munmap(board, GT_PAGE);
	gt_free(copy, LEN);
	gt_free(buf, LEN);
}

GT_TEST(proc_mem_huge)
{
	proc_mem(_metadata, 0, true);
}

GT_TEST(proc_mem_base)
{
	proc_mem(_metadata, self->nr - 1, false);
}

/* The child's device counts, the parent reads and writes beside it. */
static int counts(struct board *board, char *buf)
{
	struct gt_dev dev;
	__u64 before;
	int ret;

	memset(buf, 0, LEN);
	if (gt_open(&dev, 0))
		return 1;
	gt_store(&board->child, 1);
	while (!gt_load(&board->parent)) {
		ret = gt_atomic_add(&dev, buf, 1, &before);
		if (ret == -EAGAIN)
			continue;
		if (ret)
			return 2;
		if (before != board->count)
			return 3;
		gt_store(&board->count, before + 1);
		gt_hmadvise(dev.hnid, buf, GT_HUGE, HMADV_PREFETCH, 0);
	}
	return 0;
}

static void proc_mem_race(struct __test_metadata *_metadata, bool huge)
{
	char *buf = gt_alloc(LEN, huge);
	struct board *board = make_board();
	__u64 n, seen, least;
	int fd, status;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, board);
	pid = fork();
	if (!pid)
		_exit(counts(board, buf));
	fd = open_mem(pid);
	ASSERT_GE(fd, 0);
	ASSERT_TRUE(await(&board->child, 1));
	for (n = 1; n < 200 || gt_load(&board->count) < 20; n++) {
		off_t at = (uintptr_t)buf;

		if (n > 20000 || waitpid(pid, &status, WNOHANG))
			break;
		least = gt_load(&board->count);
		ASSERT_EQ(8, pread(fd, &seen, 8, at));
		ASSERT_GE(seen, least);
		ASSERT_EQ(8, pwrite(fd, &n, 8, at + 64));
		ASSERT_EQ(8, pread(fd, &seen, 8, at + 64));
		ASSERT_EQ(n, seen);
	}
	EXPECT_GE(board->count, 20);
	gt_store(&board->parent, 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(fd);
	munmap(board, GT_PAGE);
	gt_free(buf, LEN);
}

GT_TEST(proc_mem_race_huge)
{
	proc_mem_race(_metadata, true);
}

GT_TEST(proc_mem_race_base)
{
	proc_mem_race(_metadata, false);
}

/* ------------------------------------------------------------------ counting */

/* A field of the mapping of @va in smaps, in bytes; -1 if there is none. */
static long smaps_field(const void *va, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start, end, kb;
	bool inside = false;
	char line[512], name[64];
	long bytes = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)va >= start && (uintptr_t)va < end;
		else if (inside && sscanf(line, "%63[^:]: %lu", name, &kb) == 2 &&
			 !strcmp(name, field))
			bytes = kb << 10;
	}
	if (f)
		fclose(f);
	return bytes;
}

/* A line of a file that has names and numbers, or -1. */
static long file_field(const char *path, const char *field)
{
	FILE *f = fopen(path, "re");
	char line[256], name[64];
	long value = -1, n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63[^: ]%*[: \t]%ld", name, &n) == 2 &&
		    !strcmp(name, field))
			value = n;
	if (f)
		fclose(f);
	return value;
}

static long rss_anon(void)
{
	return file_field("/proc/self/status", "RssAnon") << 10;
}

/* Pages of the mapping of @va that numa_maps finds on host nodes. */
static long numa_pages(const void *va)
{
	FILE *f = fopen("/proc/self/numa_maps", "re");
	long pages = -1, n;
	char line[1024];

	while (f && fgets(line, sizeof(line), f)) {
		char *word, *save;

		if (strtoul(line, NULL, 16) != (uintptr_t)va)
			continue;
		pages = 0;
		for (word = strtok_r(line, " ", &save); word;
		     word = strtok_r(NULL, " ", &save))
			if (sscanf(word, "N%*d=%ld", &n) == 1)
				pages += n;
	}
	if (f)
		fclose(f);
	return pages;
}

/* All bytes are counted, once, wherever they are. */
static void counted(struct __test_metadata *_metadata, const char *buf,
		    bool huge, long rss, long len)
{
	EXPECT_EQ(len, smaps_field(buf, "Rss"));
	EXPECT_EQ(len, smaps_field(buf, "Pss"));
	EXPECT_EQ(len, smaps_field(buf, "Anonymous"));
	EXPECT_EQ(0, smaps_field(buf, "Swap"));
	if (!huge)
		EXPECT_EQ(0, smaps_field(buf, "AnonHugePages"));
	EXPECT_GE(rss_anon(), rss + len - SLACK);
	EXPECT_LE(rss_anon(), rss + len + SLACK);
}

static void rss(struct __test_metadata *_metadata, struct gt_dev *dev,
		bool huge)
{
	char *buf = gt_alloc(LEN, huge);
	long before = rss_anon();
	unsigned int n;

	ASSERT_NE(NULL, buf);
	counted(_metadata, buf, huge, before, 0);
	gt_pattern(buf, LEN, 1);
	for (n = 0; n < 3; n++) {
		counted(_metadata, buf, huge, before, BYTES);
		EXPECT_EQ(BYTES / (long)GT_PAGE, numa_pages(buf));
		ASSERT_EQ(0, gt_to_device(dev, buf, LEN));
		counted(_metadata, buf, huge, before, BYTES);
		/* On none of the host's nodes. */
		EXPECT_EQ(0, numa_pages(buf));
		EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	}
	ASSERT_EQ(0, gt_to_device(dev, buf, LEN));
	/* Half comes home, and half of the rest goes. */
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN / 2, 1));
	counted(_metadata, buf, huge, before, BYTES);
	EXPECT_EQ(BYTES / 2 / (long)GT_PAGE, numa_pages(buf));
	ASSERT_EQ(0, madvise(buf + LEN / 2, LEN / 4, MADV_DONTNEED));
	counted(_metadata, buf, huge, before, BYTES / 4 * 3);
	gt_free(buf, LEN);
	EXPECT_LE(rss_anon(), before + SLACK);
	EXPECT_GE(rss_anon(), before - SLACK);
}

GT_TEST(rss_huge)
{
	rss(_metadata, &self->dev[0], true);
}

GT_TEST(rss_base)
{
	rss(_metadata, &self->dev[self->nr - 1], false);
}

/* What a device makes, in memory that nobody touched, is counted too. */
static void rss_populated(struct __test_metadata *_metadata,
			  struct gt_dev *dev, bool huge)
{
	char *buf = gt_alloc(LEN, huge);
	long before = rss_anon();

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, gt_fill(dev, buf, LEN, 5));
	ASSERT_TRUE(gt_all_on(buf, LEN, dev->hnid));
	counted(_metadata, buf, huge, before, BYTES);
	ASSERT_EQ(5, *(__u64 *)(buf + LEN - 8));
	counted(_metadata, buf, huge, before, BYTES);
	gt_free(buf, LEN);
	EXPECT_LE(rss_anon(), before + SLACK);
	EXPECT_GE(rss_anon(), before - SLACK);
}

/* What a child shares is counted half for each. */
static void rss_shared(struct __test_metadata *_metadata, struct gt_dev *dev,
		       bool huge)
{
	char *buf = gt_alloc(LEN, huge);
	int go[2], status;
	char byte;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_to_device(dev, buf, LEN));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid)
		_exit(read(go[0], &byte, 1) != 1);
	ASSERT_TRUE(gt_all_on(buf, LEN, dev->hnid));
	EXPECT_EQ(BYTES, smaps_field(buf, "Rss"));
	/* Of 2 MiB frames, smaps does not know who shares them (7.2). */
	if (!huge || smaps_field(buf, "Pss") != BYTES)
		EXPECT_EQ(BYTES / 2, smaps_field(buf, "Pss"));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	EXPECT_EQ(BYTES, smaps_field(buf, "Rss"));
	EXPECT_EQ(BYTES / 2, smaps_field(buf, "Pss"));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(BYTES, smaps_field(buf, "Pss"));
	close(go[0]);
	close(go[1]);
	gt_free(buf, LEN);
}

GT_TEST(rss_shared_huge)
{
	rss_shared(_metadata, &self->dev[0], true);
}

GT_TEST(rss_shared_base)
{
	rss_shared(_metadata, &self->dev[0], false);
}

GT_TEST(rss_populated_huge)
{
	rss_populated(_metadata, &self->dev[0], true);
}

GT_TEST(rss_populated_base)
{
	rss_populated(_metadata, &self->dev[0], false);
}

/* ------------------------------------------------------------ control group */

static long charged(void)
{
	char text[64];

	if (gt_read_file(GROUP "/memory.current", text, sizeof(text)))
		return -1;
	return strtol(text, NULL, 10);
}

static bool charged_is(long len)
{
	return charged() >= len - SLACK && charged() <= len + 2 * SLACK;
}

static bool anon_is(long len)
{
	long anon = file_field(GROUP "/memory.stat", "anon");

	return anon >= len - SLACK && anon <= len + SLACK;
}

static void enter_group(struct __test_metadata *_metadata)
{
	char limit[32];

	gt_write_file(CGROUP "/cgroup.subtree_control", "+memory");
	rmdir(GROUP);
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	/* Whoever charges twice is killed. */
	snprintf(limit, sizeof(limit), "%lu", LEN + LEN / 2);
	ASSERT_EQ(0, gt_write_file(GROUP "/memory.max", limit));
}

/* Its memory goes to and fro, and costs the same everywhere. */
static int pays(struct board *board, unsigned int index, char *buf)
{
	struct gt_dev dev;
	unsigned int n;

	if (gt_write_file(GROUP "/cgroup.procs", "0"))
		return 1;
	if (gt_open(&dev, index))
		return 2;
	if (!charged_is(0))
		return 3;
	/* Half by the device, half by the CPU. */
	if (gt_fill(&dev, buf, LEN / 2, 1))
		return 4;
	if (!charged_is(BYTES / 2) || !anon_is(BYTES / 2))
		return 5;
	gt_pattern(buf, LEN, 1);
	for (n = 0; n < 6; n++) {
		if (!charged_is(BYTES) || !anon_is(BYTES))
			return 10 + n;
		if (gt_to_device(&dev, buf, LEN))
			return 20 + n;
		if (!charged_is(BYTES) || !anon_is(BYTES))
			return 30 + n;
		if (gt_pattern_bad(buf, LEN, 1) >= 0)
			return 40 + n;
	}
	if (gt_to_device(&dev, buf, LEN))
		return 50;
	munmap(buf, LEN / 2);
	if (!charged_is(BYTES / 2) || !anon_is(BYTES / 2))
		return 51;
	gt_store(&board->child, 1);
	return await(&board->parent, 1) ? 0 : 52;
}

static void memcg(struct __test_metadata *_metadata, unsigned int index,
		  bool huge)
{
	char *buf = gt_alloc(LEN, huge);
	struct board *board = make_board();
	unsigned int i;
	int status;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, board);
	enter_group(_metadata);
	pid = fork();
	if (!pid)
		_exit(pays(board, index, buf));
	/* It ends with half of it on the device. */
	if (await(&board->child, 1))
		EXPECT_TRUE(charged_is(BYTES / 2));
	gt_store(&board->parent, 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, WEXITSTATUS(status))
		TH_LOG("%ld bytes charged, %ld anonymous", charged(),
		       file_field(GROUP "/memory.stat", "anon"));
	EXPECT_FALSE(WIFSIGNALED(status));
	for (i = 0; i < 100 && charged() > SLACK; i++)
		usleep(20000);
	EXPECT_LE(charged(), SLACK);
	EXPECT_EQ(0, file_field(GROUP "/memory.stat", "anon"));
	EXPECT_EQ(0, file_field(GROUP "/memory.events", "oom_kill"));
	EXPECT_EQ(0, rmdir(GROUP));
	munmap(board, GT_PAGE);
	gt_free(buf, LEN);
}

GT_TEST(memcg_huge)
{
	memcg(_metadata, 0, true);
}

GT_TEST(memcg_base)
{
	memcg(_metadata, self->nr - 1, false);
}

TEST_HARNESS_MAIN
