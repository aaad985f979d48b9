// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data goes to a device and comes back, byte-exact: as huge and as base pages,
 * on one device and on all at once; and what cannot move is used in place.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "gmem_fixture.h"

/* ------------------------------------------------------------- round trips */

/* Fill it and let the device read it all: now all of it is there. */
static void round_trip_out(struct __test_metadata *_metadata,
			   const struct gt_dev *dev, char *buf, size_t len,
			   bool huge)
{
	struct gmem_mock_stats before, after;
	__u64 maps;

	gt_pattern(buf, len, len);
	ASSERT_EQ(huge ? len : 0, gt_huge_bytes(buf));
	ASSERT_EQ(0, gt_stats(dev, &before));
	ASSERT_EQ(0, gt_dev_pattern(dev, buf, len, len));
	ASSERT_EQ(0, gt_stats(dev, &after));
	ASSERT_TRUE(gt_all_on(buf, len, dev->hnid));
	ASSERT_GE(after.to_device_bytes - before.to_device_bytes, len);
	ASSERT_GT(after.faults_migrated, before.faults_migrated);
	ASSERT_EQ(before.faults_inplace, after.faults_inplace);
	maps = huge ? (after.maps_2m - before.maps_2m) * GT_HUGE :
		      (after.maps_4k - before.maps_4k) * GT_PAGE;
	ASSERT_GE(maps, len);
}

/* One page in each 2 MiB is written by the device; its seed is its offset. */
static bool is_device_page(size_t off)
{
	return off % GT_HUGE == GT_PAGE;
}

static bool page_is_right(const char *buf, size_t off, size_t len)
{
	const __u64 *word = (const __u64 *)(buf + off);
	__u64 seed = is_device_page(off) ? off : len;
	size_t base = is_device_page(off) ? 0 : off / sizeof(*word), i;

	for (i = 0; i < GT_PAGE / sizeof(*word); i++)
		if (gt_load(&word[i]) != gt_pattern_word(seed, base + i))
			return false;
	return true;
}

/* Let the device change some, and read it all back. */
static void round_trip_home(struct __test_metadata *_metadata,
			    const struct gt_dev *dev, char *buf, size_t len)
{
	struct gmem_mock_stats before, after;
	char page[GT_PAGE];
	size_t off;

	/* What the device writes must come home, not what was sent. */
	for (off = GT_PAGE; off < len; off += GT_HUGE) {
		gt_pattern(page, GT_PAGE, off);
		ASSERT_EQ(0, gt_write(dev, buf + off, GT_PAGE, page));
	}
	ASSERT_TRUE(gt_all_on(buf, len, dev->hnid));
	ASSERT_EQ(0, gt_stats(dev, &before));
	for (off = 0; off < len; off += GT_PAGE)
		ASSERT_TRUE(page_is_right(buf, off, len))
			TH_LOG("wrong data at offset %zu", off);
	ASSERT_TRUE(gt_all_on(buf, len, GT_HOME));
	ASSERT_EQ(0, gt_translated(dev, buf, len));
	ASSERT_EQ(0, gt_stats(dev, &after));
	ASSERT_GE(after.from_device_bytes - before.from_device_bytes, len);
	ASSERT_EQ(before.copy_errors, after.copy_errors);
}

static void round_trip(struct __test_metadata *_metadata,
		       const struct gt_dev *dev, size_t len, bool huge)
{
	char *buf = gt_alloc(len, huge);

	ASSERT_NE(NULL, buf);
	round_trip_out(_metadata, dev, buf, len, huge);
	round_trip_home(_metadata, dev, buf, len);
	gt_free(buf, len);
}

GT_TEST_TIMEOUT(huge_pages, 900)
{
	size_t len = gt_large_bytes(&self->dev[0], 1);

	ASSERT_GE(len, GT_MB(16));
	TH_LOG("%zu MiB in 2 MiB pages", len >> 20);
	round_trip(_metadata, &self->dev[0], len, true);
}

GT_TEST_TIMEOUT(base_pages, 900)
{
	size_t len = gt_large_bytes(&self->dev[0], 1);

	ASSERT_GE(len, GT_MB(16));
	TH_LOG("%zu MiB in 4 KiB pages", len >> 20);
	round_trip(_metadata, &self->dev[0], len, false);
}

static void one_of_many(struct __test_metadata *_metadata, unsigned int index,
			size_t len)
{
	struct gt_dev dev;

	ASSERT_EQ(0, gt_open(&dev, index));
	round_trip(_metadata, &dev, len, true);
	round_trip(_metadata, &dev, len, false);
	_exit(0);
}

/* Four processes, spread over all devices. */
GT_TEST_TIMEOUT(all_devices_at_once, 1800)
{
	unsigned int nr_procs = 4, share, i;
	int status, failed = 0;
	size_t len;

	/* With fewer devices than processes, several share one. */
	share = (nr_procs + self->nr - 1) / self->nr;
	len = gt_large_bytes(&self->dev[0], nr_procs);
	if (len > (self->dev[0].mem_bytes - GT_MB(16)) / share)
		len = (self->dev[0].mem_bytes - GT_MB(16)) / share;
	len &= ~(GT_HUGE - 1);
	ASSERT_GE(len, GT_MB(4));
	TH_LOG("%zu MiB in each of %u processes on %u devices", len >> 20,
	       nr_procs, self->nr);
	for (i = 0; i < nr_procs; i++) {
		pid_t pid = fork();

		ASSERT_GE(pid, 0);
		if (!pid)
			one_of_many(_metadata, i % self->nr, len);
	}
	for (i = 0; i < nr_procs; i++) {
		ASSERT_GE(wait(&status), 0);
		failed += status != 0;
	}
	EXPECT_EQ(0, failed);
}

/* A page goes around all devices, and each of them changes it. */
GT_TEST(from_device_to_device)
{
	size_t len = GT_MB(4);
	__u64 *buf = gt_alloc(len, true);
	unsigned int round, i;
	__u64 before;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, 1);
	buf[0] = 0;
	for (round = 0; round < 4; round++) {
		for (i = 0; i < self->nr; i++) {
			ASSERT_EQ(0, gt_atomic_add(&self->dev[i], buf, 1,
						   &before));
			EXPECT_EQ(round * self->nr + i, before);
			EXPECT_TRUE(gt_all_on(buf, GT_PAGE,
					      self->dev[i].hnid));
		}
	}
	EXPECT_EQ(4 * self->nr, buf[0]);
	buf[0] = gt_pattern_word(1, 0);
	EXPECT_EQ(-1, gt_pattern_bad(buf, len, 1));
	gt_free(buf, len);
}

/* A device reads one word of a huge page after it has used zero pages in place. */
static int read_after_zeros(const char *zeros, const __u64 *word, __u64 want)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)zeros,
		.len = GT_HUGE,
	};
	struct gt_dev dev;
	__u64 seen;
	size_t i;

	for (i = 0; i < GT_HUGE; i += GT_PAGE)
		if (gt_load(zeros + i))
			return 1;
	if (gt_open(&dev, 0) || gt_run(&dev, &op))
		return 2;
	if (gt_read(&dev, word, sizeof(seen), &seen))
		return 3;
	return seen == want ? 0 : 4;
}

/*
 * The child has no record yet of where the data is: the fault in the middle of a
 * huge page finds it on another device. What the fault before has left behind must
 * not be taken for the rest of the page.
 */
GT_TEST(child_faults_in_the_middle)
{
	char *zeros = gt_alloc(GT_HUGE, false), *buf = gt_alloc(GT_HUGE, true);
	__u64 *word = (__u64 *)(buf + GT_HUGE / 2);
	int status;
	pid_t pid;

	ASSERT_NE(NULL, zeros);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 1);
	ASSERT_EQ(0, gt_to_device(&self->dev[self->nr - 1], buf, GT_HUGE));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(read_after_zeros(zeros, word,
				       gt_pattern_word(1, GT_HUGE / 16)));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("step %d", WEXITSTATUS(status));
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	gt_free(zeros, GT_HUGE);
	gt_free(buf, GT_HUGE);
}

/*
 * What a device writes to is copied first if a child shares it: each page goes home
 * for that by itself, and comes back. Its neighbours stay, also those of a huge page.
 */
static void write_shared(struct __test_metadata *_metadata,
			 struct gt_dev *dev, bool huge)
{
	size_t step = 2 * GT_PAGE, nr = GT_HUGE / step, i;
	struct gmem_mock_stats before, after;
	char *buf = gt_alloc(GT_HUGE, huge);
	int go[2], status;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 1);
	ASSERT_EQ(0, gt_to_device(dev, buf, GT_HUGE));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &status, 1) ||
		      gt_pattern_bad(buf, GT_HUGE, 1) != -1);
	}
	close(go[0]);

	ASSERT_EQ(0, gt_stats(dev, &before));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, gt_atomic_add(dev, (__u64 *)(buf + i * step), 1,
					   NULL));
	ASSERT_EQ(0, gt_stats(dev, &after));
	EXPECT_TRUE(gt_all_on(buf, GT_HUGE, dev->hnid));
	/* Now and then one is busy, and something else is tried. */
	EXPECT_GE(2 * nr * GT_PAGE,
		  after.from_device_bytes - before.from_device_bytes);
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	for (i = 0; i < nr; i++)
		*(__u64 *)(buf + i * step) -= 1;
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	gt_free(buf, GT_HUGE);
}

GT_TEST(write_shared_huge)
{
	write_shared(_metadata, &self->dev[0], true);
}

GT_TEST(write_shared_base)
{
	write_shared(_metadata, &self->dev[0], false);
}

/* ------------------------------------------------------------- what it does */

/*
 * An odd range over three pages: half is on the device and half was never
 * touched by it.
 */
GT_TEST(read_and_write)
{
	char *buf = gt_alloc(GT_HUGE, false), out[9000], in[9000];
	struct gt_dev *dev = &self->dev[0];
	size_t i;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 7);
	ASSERT_EQ(0, gt_touch(dev, buf, GT_PAGE));
	ASSERT_EQ(0, gt_read(dev, buf + 13, sizeof(in), in));
	EXPECT_EQ(0, memcmp(in, buf + 13, sizeof(in)));
	for (i = 0; i < sizeof(out); i++)
		out[i] = i * 31;
	gt_pattern(buf, GT_HUGE, 7);
	ASSERT_EQ(0, gt_touch(dev, buf, GT_PAGE));
	ASSERT_EQ(0, gt_write(dev, buf + 13, sizeof(out), out));
	EXPECT_EQ(0, memcmp(out, buf + 13, sizeof(out)));
	/* The neighbours are as they were. */
	memset(out, 0, sizeof(out));
	gt_pattern(out, 16, 7);
	EXPECT_EQ(0, memcmp(out, buf, 13));
	EXPECT_EQ(gt_pattern_word(7, 1200),  ((__u64 *)buf)[1200]);
	gt_free(buf, GT_HUGE);
}

GT_TEST(fill_and_copy)
{
	size_t len = GT_HUGE + 5 * GT_PAGE, room = 2 * GT_HUGE, i;
	char *src = gt_alloc(room, true), *dst = gt_alloc(room, false);
	struct gt_dev *dev = &self->dev[0];
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_COPY,
		.len = len,
	};

	ASSERT_NE(NULL, src);
	ASSERT_NE(NULL, dst);
	gt_pattern(src, room, 3);
	memset(dst, 0x55, room);
	ASSERT_EQ(0, gt_fill(dev, src + 4088, 16, 0x0123456789abcdefULL));
	op.va = (uintptr_t)dst + 3;
	op.arg = (uintptr_t)src + 4085;
	ASSERT_EQ(0, gt_run(dev, &op));
	EXPECT_EQ(len, op.done);
	EXPECT_EQ(0, memcmp(dst + 3, src + 4085, len));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0x0123456789abcdefULL, ((__u64 *)src)[511 + i]);
	EXPECT_EQ(gt_pattern_word(3, 513), ((__u64 *)src)[513]);
	EXPECT_EQ(0x55, dst[2]);
	EXPECT_EQ(0x55, dst[3 + len]);
	/* Overlapping ranges are refused, and nothing is moved. */
	op.arg = op.va + 1;
	EXPECT_EQ(-EINVAL, gt_run(dev, &op));
	EXPECT_EQ(0, memcmp(dst + 3, src + 4085, len));
	gt_free(src, room);
	gt_free(dst, room);
}

GT_TEST(checksum_sees_each_word)
{
	__u64 *buf = gt_alloc(GT_HUGE, true), sum, want;
	struct gt_dev *dev = &self->dev[0];

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 5);
	ASSERT_EQ(0, gt_checksum(dev, buf, GT_HUGE, &want));
	buf[77777] ^= 1ULL << 40;
	ASSERT_EQ(0, gt_checksum(dev, buf, GT_HUGE, &sum));
	EXPECT_NE(want, sum);
	buf[77777] ^= 1ULL << 40;
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, GT_HUGE, 5));
	gt_free(buf, GT_HUGE);
}

GT_TEST(factorial)
{
	__u32 *buf = gt_alloc(GT_HUGE, false), want = 1, i;
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FACTORIAL,
		.va = (uintptr_t)buf,
		.len = 64,
	};
	struct gt_dev *dev = &self->dev[0];

	ASSERT_NE(NULL, buf);
	for (i = 0; i < 17; i++)
		buf[i] = i;
	ASSERT_EQ(0, gt_run(dev, &op));
	for (i = 0; i < 16; i++) {
		want *= i ? i : 1;
		EXPECT_EQ(want, buf[i]);
	}
	EXPECT_EQ(16, buf[16]);
	/* A value that is too large ends the op where it stands. */
	for (i = 0; i < 16; i++)
		buf[i] = 3;
	buf[9] = GMEM_MOCK_FACTORIAL_MAX + 1;
	EXPECT_EQ(-EDOM, gt_run(dev, &op));
	EXPECT_EQ(6, buf[0]);
	EXPECT_EQ(GMEM_MOCK_FACTORIAL_MAX + 1, buf[9]);
	EXPECT_EQ(3, buf[15]);
	gt_free(buf, GT_HUGE);
}

/*
 * What came along to the device is also the memory of the process that this test was
 * forked from, and would stay there for it.
 */
static void all_home(void)
{
	unsigned long start, end;
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx rw", &start, &end) == 2)
			gt_hmadvise(HMADV_NODE_ANY, (void *)start, end - start,
				    HMADV_PREFETCH, 0);
	if (f)
		fclose(f);
}

/* All of a program's memory is the device's memory. */
static __u64 in_data[1024] = { 1 };
static __u64 in_bss[1024];

GT_TEST(stack_data_and_heap)
{
	__u64 on_stack = 40, *on_heap = malloc(GT_MB(1) + 8), before;
	struct gt_dev *dev = &self->dev[0];

	ASSERT_NE(NULL, on_heap);
	on_heap[5] = 41;
	in_data[600] = 42;
	EXPECT_EQ(0, gt_atomic_add(dev, &on_stack, 1, &before));
	EXPECT_EQ(40, before);
	EXPECT_EQ(0, gt_atomic_add(dev, &on_heap[5], 1, &before));
	EXPECT_EQ(41, before);
	EXPECT_EQ(0, gt_atomic_add(dev, &in_data[600], 1, &before));
	EXPECT_EQ(42, before);
	EXPECT_EQ(0, gt_atomic_add(dev, &in_bss[600], 1, &before));
	EXPECT_EQ(0, before);
	EXPECT_EQ(41, gt_load(&on_stack));
	EXPECT_EQ(42, gt_load(&on_heap[5]));
	EXPECT_EQ(43, gt_load(&in_data[600]));
	EXPECT_EQ(1, gt_load(&in_bss[600]));
	free(on_heap);
	all_home();
}

/* Memory that nobody has touched is zero for the device, and then its own. */
GT_TEST(untouched_memory_is_zero)
{
	struct gt_dev *dev = &self->dev[0];
	unsigned int huge;

	for (huge = 0; huge < 2; huge++) {
		__u64 *buf = gt_alloc(2 * GT_HUGE, huge), sum, i;

		ASSERT_NE(NULL, buf);
		/* The CPU has seen the zero page of the first word's page. */
		EXPECT_EQ(0, gt_load(buf));
		ASSERT_EQ(0, gt_checksum(dev, buf, 2 * GT_HUGE, &sum));
		EXPECT_EQ(0, sum);
		ASSERT_EQ(0, gt_fill(dev, buf, 8, 1));
		ASSERT_EQ(0, gt_fill(dev, buf + 1000, 8, 2));
		EXPECT_EQ(1, buf[0]);
		EXPECT_EQ(2, buf[1000]);
		buf[0] = 0;
		buf[1000] = 0;
		for (i = 0; i < 2 * GT_HUGE / 8; i++)
			if (buf[i])
				break;
		EXPECT_EQ(2 * GT_HUGE / 8, i);
		gt_free(buf, 2 * GT_HUGE);
	}
}

/* Real DMA, with interrupts: a few pages both ways. */
GT_TEST(through_edu)
{
	struct gmem_mock_stats before, after;
	struct gt_dev *dev = &self->dev[0];
	size_t len = 2 * GT_PAGE;
	char *buf = gt_alloc(GT_HUGE, false);

	ASSERT_NE(NULL, buf);
	/* No more than these pages: what is around them would be cleared. */
	ASSERT_EQ(0, munmap(buf + len, GT_HUGE - len));
	gt_pattern(buf, len, 11);
	ASSERT_EQ(0, gt_stats(dev, &before));
	ASSERT_EQ(0, gt_set_engine("edu"));
	EXPECT_EQ(0, gt_touch(dev, buf, len));
	EXPECT_TRUE(gt_all_on(buf, len, dev->hnid));
	ASSERT_EQ(0, gt_stats(dev, &after));
	EXPECT_EQ(len, after.edu_bytes - before.edu_bytes);
	EXPECT_EQ(-1, gt_pattern_bad(buf, len, 11));
	EXPECT_EQ(0, gt_set_engine("cpu"));
	ASSERT_EQ(0, gt_stats(dev, &after));
	EXPECT_EQ(2 * len, after.edu_bytes - before.edu_bytes);
	/* A page is two halves, each goes in and out. */
	EXPECT_GE(after.edu_dmas - before.edu_dmas, 4 * 2 * len / GT_PAGE);
	EXPECT_GE(after.edu_irqs - before.edu_irqs, 4 * 2 * len / GT_PAGE);
	EXPECT_EQ(before.edu_timeouts, after.edu_timeouts);
	EXPECT_EQ(before.verify_errors, after.verify_errors);
	gt_free(buf, len);
}

/* ----------------------------------------------------------- what stays put */

static int touch_did(const struct gt_dev *dev, const void *va, __u32 *did)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_WRITABLE,
		.va = (uintptr_t)va,
		.len = GT_PAGE,
	};
	int ret = gt_run(dev, &op);

	*did = op.outcomes;
	return ret;
}

/*
 * A full device uses the rest in place; when there is room again, memory moves
 * again.
 */
GT_TEST_TIMEOUT(full_device, 900)
{
	struct gt_dev *dev = &self->dev[0];
	size_t len = GT_MB(16), nr = dev->mem_bytes / len + 2, i;
	struct gmem_mock_stats before, after;
	char **buf = calloc(nr, sizeof(*buf));
	size_t moved = 0;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, gt_stats(dev, &before));
	for (i = 0; i < nr; i++) {
		buf[i] = gt_alloc(len, true);
		ASSERT_NE(NULL, buf[i]);
		gt_pattern(buf[i], len, i);
		ASSERT_EQ(0, gt_touch_write(dev, buf[i], len));
		moved += gt_all_on(buf[i], len, dev->hnid);
	}
	ASSERT_EQ(0, gt_stats(dev, &after));
	/* Most of the device's memory was usable, and not more than all. */
	EXPECT_GE(moved, (nr - 2) / 8 * 7);
	EXPECT_LE(moved, nr - 2);
	EXPECT_GT(after.faults_inplace, before.faults_inplace);
	EXPECT_EQ(before.faults_failed, after.faults_failed);
	EXPECT_TRUE(gt_all_on(buf[nr - 1], len, GT_HOME));
	for (i = 0; i < nr; i++)
		EXPECT_EQ(0, gt_dev_pattern(dev, buf[i], len, i));
	EXPECT_EQ(-1, gt_pattern_bad(buf[0], len, 0));
	EXPECT_EQ(-1, gt_pattern_bad(buf[nr - 1], len, nr - 1));

	/* Room again. */
	for (i = 0; i < nr; i++)
		gt_free(buf[i], len);
	buf[0] = gt_alloc(len, true);
	ASSERT_NE(NULL, buf[0]);
	gt_pattern(buf[0], len, 9);
	EXPECT_EQ(0, gt_touch_write(dev, buf[0], len));
	EXPECT_TRUE(gt_all_on(buf[0], len, dev->hnid));
	EXPECT_EQ(-1, gt_pattern_bad(buf[0], len, 9));
	gt_free(buf[0], len);
	free(buf);
}

/* The data is in place, and the other view of it sees what the device does. */
static void use_in_place(struct __test_metadata *_metadata,
			 struct gt_dev *dev, __u64 *buf, __u64 *other)
{
	struct gmem_mock_stats before, after;
	__u64 old;
	__u32 did;

	gt_pattern(other, GT_PAGE, 21);
	ASSERT_EQ(0, gt_stats(dev, &before));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, GT_PAGE, 21));
	ASSERT_EQ(0, touch_did(dev, buf, &did));
	EXPECT_EQ(0, did & (GMEM_MOCK_DID_MIGRATE | GMEM_MOCK_DID_LOCAL));
	ASSERT_EQ(0, gt_stats(dev, &after));
	EXPECT_GT(after.faults_inplace, before.faults_inplace);
	EXPECT_EQ(before.faults_migrated, after.faults_migrated);
	other[3] = 100;
	ASSERT_EQ(0, gt_atomic_add(dev, buf + 3, 5, &old));
	EXPECT_EQ(100, old);
	EXPECT_EQ(105, gt_load(&other[3]));
	EXPECT_EQ(105, gt_load(&buf[3]));
}

GT_TEST(file_mapping_in_place)
{
	int fd = memfd_create("gmem", MFD_CLOEXEC);
	__u64 *one, *two, seen;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, GT_PAGE));
	one = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	two = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, one);
	ASSERT_NE(MAP_FAILED, two);
	use_in_place(_metadata, &self->dev[0], one, two);
	/* Also through read(2). */
	ASSERT_EQ(sizeof(seen), pread(fd, &seen, sizeof(seen), 24));
	EXPECT_EQ(105, seen);
	munmap(one, GT_PAGE);
	munmap(two, GT_PAGE);
	close(fd);
}

GT_TEST(shared_memory_in_place)
{
	__u64 *buf = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 seen = 0;
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, buf);
	use_in_place(_metadata, &self->dev[0], buf, buf);
	/* Another process sees it, too. */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(gt_load(&buf[3]) != 105);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, gt_read(&self->dev[0], buf + 3, 8, &seen));
	EXPECT_EQ(105, seen);
	munmap(buf, GT_PAGE);
}

/*
 * A private file mapping: the device reads the file's page, and its write goes
 * to a copy, never to the file.
 */
GT_TEST(private_file_mapping)
{
	int fd = memfd_create("gmem", MFD_CLOEXEC);
	struct gt_dev *dev = &self->dev[0];
	__u64 *buf, old, file = 17;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, GT_PAGE));
	ASSERT_EQ(sizeof(file), pwrite(fd, &file, sizeof(file), 0));
	buf = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, buf);
	EXPECT_EQ(0, gt_read(dev, buf, 8, &old));
	EXPECT_EQ(17, old);
	/* Not written yet: what changes in the file is seen. */
	file = 18;
	ASSERT_EQ(sizeof(file), pwrite(fd, &file, sizeof(file), 0));
	ASSERT_EQ(0, gt_atomic_add(dev, buf, 100, &old));
	EXPECT_EQ(18, old);
	ASSERT_EQ(sizeof(file), pread(fd, &file, sizeof(file), 0));
	EXPECT_EQ(18, file);
	EXPECT_EQ(118, buf[0]);
	munmap(buf, GT_PAGE);
	close(fd);
}

/*
 * A page with an elevated reference count - here a pipe holds it - does not
 * move: the pipe must see what the device writes. Later it moves.
 */
GT_TEST(pinned_page_in_place)
{
	struct gt_dev *dev = &self->dev[0];
	__u64 *buf = gt_alloc(GT_HUGE, false), seen, old;
	struct iovec iov = { .iov_base = buf, .iov_len = GT_PAGE };
	char page[GT_PAGE];
	int fds[2];
	__u32 did;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, pipe(fds));
	gt_pattern(buf, GT_PAGE, 31);
	buf[0] = 1;
	ASSERT_EQ(GT_PAGE, vmsplice(fds[1], &iov, 1, 0));
	ASSERT_EQ(0, touch_did(dev, buf, &did));
	EXPECT_EQ(GMEM_MOCK_DID_INPLACE, did);
	EXPECT_TRUE(gt_all_on(buf, GT_PAGE, GT_HOME));
	ASSERT_EQ(0, gt_atomic_add(dev, buf, 1, &old));
	EXPECT_EQ(1, old);
	ASSERT_EQ(GT_PAGE, read(fds[0], page, GT_PAGE));
	memcpy(&seen, page, sizeof(seen));
	EXPECT_EQ(2, seen);
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(GT_PAGE, gt_hmadvise(dev->hnid, buf, GT_PAGE,
				       HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, GT_PAGE, dev->hnid));
	EXPECT_EQ(2, buf[0]);
	gt_free(buf, GT_HUGE);
}

/* An op that asks for it leaves ordinary memory where it is, too. */
GT_TEST(in_place_on_request)
{
	struct gt_dev *dev = &self->dev[0];
	size_t len = GT_HUGE;
	char *buf = gt_alloc(len, true);
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.flags = GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)buf,
		.len = len,
		.arg = 0x1111111111111111ULL,
	};

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, 1);
	ASSERT_EQ(0, gt_run(dev, &op));
	EXPECT_EQ(GMEM_MOCK_DID_INPLACE, op.outcomes);
	EXPECT_TRUE(gt_all_on(buf, len, GT_HOME));
	EXPECT_EQ(0x11, buf[len - 1]);
	EXPECT_EQ(0x11, buf[0]);
	gt_free(buf, len);
}

/* ------------------------------------------------------------ what must fail */

GT_TEST(rights)
{
	struct gt_dev *dev = &self->dev[0];
	size_t len = 4 * GT_PAGE;
	char *buf = gt_alloc(GT_HUGE, false);
	__u64 word;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, 2);
	ASSERT_EQ(0, mprotect(buf, len, PROT_READ));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, len, 2));
	EXPECT_EQ(-EFAULT, gt_fill(dev, buf, 8, 0));
	EXPECT_EQ(-EFAULT, gt_touch_write(dev, buf, 8));
	EXPECT_EQ(-EFAULT, gt_atomic_add(dev, buf, 1, NULL));
	EXPECT_EQ(-1, gt_pattern_bad(buf, len, 2));
	ASSERT_EQ(0, mprotect(buf, len, PROT_NONE));
	EXPECT_EQ(-EFAULT, gt_read(dev, buf, 8, &word));
	ASSERT_EQ(0, mprotect(buf, len, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, len, 2));
	EXPECT_EQ(0, gt_fill(dev, buf, len, 0));
	EXPECT_EQ(0, buf[len - 1]);
	gt_free(buf, GT_HUGE);
}

/* An op that runs into a hole stops there and says how far it got. */
GT_TEST(holes)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(GT_HUGE, false);
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.va = (uintptr_t)buf,
		.len = 4 * GT_PAGE,
		.arg = ~0ULL,
	};

	ASSERT_NE(NULL, buf);
	memset(buf, 1, 4 * GT_PAGE);
	ASSERT_EQ(0, munmap(buf + 2 * GT_PAGE, GT_PAGE));
	EXPECT_EQ(-EFAULT, gt_run(dev, &op));
	EXPECT_EQ(2 * GT_PAGE, op.done);
	EXPECT_EQ(-1, buf[2 * GT_PAGE - 1]);
	EXPECT_EQ(1, buf[3 * GT_PAGE]);
	EXPECT_EQ(-EFAULT, gt_touch(dev, NULL, 8));
	EXPECT_EQ(-EFAULT, gt_touch(dev, (void *)0x7ffffffff000UL, 8));
	EXPECT_NE(0, gt_touch(dev, (void *)0xffffffff81000000UL, 8));
	EXPECT_NE(0, gt_touch(dev, (void *)~7UL, 8));
	gt_free(buf, GT_HUGE);
}

TEST_HARNESS_MAIN
