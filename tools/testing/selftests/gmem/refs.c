// SPDX-License-Identifier: GPL-2.0-only
/*
 * Others hold references to memory that was on a device: long-term pins,
 * registered buffers, pipes, direct I/O, other processes. They get host pages
 * with the right bytes. As long as they hold them the pages stay, the device
 * works on them in place, and each side sees what the other writes; afterwards
 * they can move again.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "gmem_fixture.h"
#include "refs_holder.h"

#define LEN		GT_HUGE
#define TRIES		4
#define RAM_DISK	"/dev/ram0"

/* ------------------------------------------------------------------ placing */

/*
 * Puts a range on a device. Other CPUs may have pages in a batch of theirs, with
 * a reference; caches are not dropped before all batches are empty.
 */
static bool to_device(const struct gt_dev *dev, const void *va, size_t len)
{
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		if (!gt_to_device(dev, va, len))
			return true;
		gt_write_file("/proc/sys/vm/drop_caches", "1");
	}
	return false;
}

/* Memory with a pattern, all on the device. */
static char *resident(struct __test_metadata *_metadata,
		      const struct gt_dev *dev, bool huge, __u64 seed)
{
	char *buf = gt_alloc(LEN, huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, seed);
	if (huge)
		ASSERT_EQ(LEN, gt_huge_bytes(buf));
	ASSERT_TRUE(to_device(dev, buf, LEN));
	return buf;
}

/* What the device translates in a range is host memory. */
static bool used_in_place(const struct gt_dev *dev, const void *va, size_t len)
{
	static struct gmem_mock_xlat xlats[LEN / GT_PAGE];
	int i, nr = gt_snapshot(dev, va, len, xlats, LEN / GT_PAGE);

	for (i = 0; i < nr; i++)
		if (xlats[i].where != GMEM_MOCK_WHERE_HOST)
			return false;
	return nr > 0;
}

static void sees(struct __test_metadata *_metadata,
		 const struct holder_ops *ops, struct holder *h, __u64 seed)
{
	char *copy = gt_alloc(h->len, false);

	ASSERT_NE(NULL, copy);
	memset(copy, 0x5a, h->len);
	ASSERT_EQ(0, ops->see(h, copy));
	EXPECT_EQ(-1, gt_pattern_bad(copy, h->len, seed));
	gt_free(copy, h->len);
}

/* ------------------------------------------------------- held and in place */

/* The device writes a pattern, and the memory stays where it is. */
static void dev_writes(struct __test_metadata *_metadata,
		       const struct gt_dev *dev, struct holder *h, __u64 seed)
{
	char *copy = gt_alloc(h->len, false);

	ASSERT_NE(NULL, copy);
	gt_pattern(copy, h->len, seed);
	ASSERT_EQ(0, gt_write(dev, h->buf, h->len, copy));
	EXPECT_TRUE(used_in_place(dev, h->buf, h->len));
	EXPECT_TRUE(gt_all_on(h->buf, h->len, GT_HOME));
	gt_free(copy, h->len);
}

static void put(struct __test_metadata *_metadata,
		const struct holder_ops *ops, struct holder *h, __u64 seed)
{
	char *copy = gt_alloc(h->len, false);

	ASSERT_NE(NULL, copy);
	gt_pattern(copy, h->len, seed);
	ASSERT_EQ(0, ops->put(h, copy));
	gt_free(copy, h->len);
}

/* When a ring ends, the kernel interrupts the program as a signal does. */
static int patient_pattern(const struct gt_dev *dev, const void *va, size_t len,
			   __u64 seed)
{
	unsigned int i;
	int ret = -EINTR;

	for (i = 0; i < TRIES && ret == -EINTR; i++)
		ret = gt_dev_pattern(dev, va, len, seed);
	return ret;
}

/*
 * From the device into the hands of a holder: the bytes are right, and from then
 * on holder, devices and CPU see each other's writes, without the memory moving,
 * whoever asks for it.
 */
static void held(struct __test_metadata *_metadata, struct gt_dev *devs,
		 unsigned int nr, const struct holder_ops *ops, bool huge)
{
	struct gt_dev *dev = &devs[0], *other = &devs[nr - 1];
	char *buf = resident(_metadata, dev, huge, 1);
	struct holder h = { .buf = buf, .len = LEN };

	ASSERT_EQ(0, ops->hold(&h));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	sees(_metadata, ops, &h, 1);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));

	dev_writes(_metadata, dev, &h, 2);
	sees(_metadata, ops, &h, 2);
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 2));
	/* A wish of the device changes nothing. */
	EXPECT_EQ((long)LEN, gt_hmadvise(other->hnid, buf, LEN,
					 HMADV_PREFETCH, 0));
	dev_writes(_metadata, other, &h, 3);
	sees(_metadata, ops, &h, 3);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 3));
	if (ops->put) {
		put(_metadata, ops, &h, 4);
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 4));
		EXPECT_EQ(0, gt_dev_pattern(other, buf, LEN, 4));
	}
	gt_pattern(buf, LEN, 5);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 5));
	sees(_metadata, ops, &h, 5);
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));

	ops->drop(&h);
	EXPECT_TRUE(to_device(dev, buf, LEN));
	EXPECT_EQ(0, patient_pattern(dev, buf, LEN, 5));
	EXPECT_TRUE(to_device(other, buf, LEN));
	EXPECT_EQ(0, patient_pattern(other, buf, LEN, 5));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 5));
	gt_free(buf, LEN);
}

GT_TEST(pin_to_read_huge)
{
	held(_metadata, self->dev, self->nr, &pins_to_read, true);
}

GT_TEST(pin_to_read_base)
{
	held(_metadata, self->dev, self->nr, &pins_to_read, false);
}

GT_TEST(pin_to_write_huge)
{
	held(_metadata, self->dev, self->nr, &pins_to_write, true);
}

GT_TEST(pin_to_write_base)
{
	held(_metadata, self->dev, self->nr, &pins_to_write, false);
}

GT_TEST(pin_fast_huge)
{
	held(_metadata, self->dev, self->nr, &pins_fast, true);
}

GT_TEST(pin_fast_base)
{
	held(_metadata, self->dev, self->nr, &pins_fast, false);
}

GT_TEST(ring_buffer_huge)
{
	held(_metadata, self->dev, self->nr, &ring_buffer, true);
}

GT_TEST(ring_buffer_base)
{
	held(_metadata, self->dev, self->nr, &ring_buffer, false);
}

GT_TEST(vmsplice_huge)
{
	held(_metadata, self->dev, self->nr, &pipe_pages, true);
}

GT_TEST(vmsplice_base)
{
	held(_metadata, self->dev, self->nr, &pipe_pages, false);
}

/* ------------------------------------------------------------ a part is held */

/* Only some pages of a block are held: the others can still move. */
static void partly_held(struct __test_metadata *_metadata, struct gt_dev *dev,
			const struct holder_ops *ops, bool huge)
{
	const size_t off = 100 * GT_PAGE, len = 5 * GT_PAGE;
	char *buf = resident(_metadata, dev, huge, 1);
	struct holder h = { .buf = buf + off, .len = len };
	char copy[5 * GT_PAGE];

	ASSERT_EQ(0, ops->hold(&h));
	EXPECT_TRUE(gt_all_on(h.buf, len, GT_HOME));
	EXPECT_EQ((long)LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH,
					 0));
	EXPECT_TRUE(gt_all_on(h.buf, len, GT_HOME));
	/* A page is held as part of its huge page. */
	if (!huge) {
		EXPECT_TRUE(to_device(dev, buf, off));
		EXPECT_TRUE(to_device(dev, buf + off + len, LEN - off - len));
	}
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	ASSERT_EQ(0, ops->see(&h, copy));
	EXPECT_EQ(0, memcmp(copy, h.buf, len));

	gt_pattern(copy, len, 2);
	ASSERT_EQ(0, gt_write(dev, h.buf, len, copy));
	memset(copy, 0, len);
	ASSERT_EQ(0, ops->see(&h, copy));
	EXPECT_EQ(-1, gt_pattern_bad(copy, len, 2));
	EXPECT_EQ(-1, gt_pattern_bad(h.buf, len, 2));

	ops->drop(&h);
	EXPECT_TRUE(to_device(dev, buf, LEN));
	EXPECT_EQ(0, patient_pattern(dev, buf, off, 1));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf + off, len, 2));
	EXPECT_EQ(-1, gt_pattern_bad(buf, off, 1));
	gt_free(buf, LEN);
}

GT_TEST(part_pinned_huge)
{
	partly_held(_metadata, &self->dev[0], &pins_to_write, true);
}

GT_TEST(part_pinned_base)
{
	partly_held(_metadata, &self->dev[0], &pins_to_write, false);
}

GT_TEST(part_registered_base)
{
	partly_held(_metadata, &self->dev[0], &ring_buffer, false);
}

GT_TEST(part_spliced_huge)
{
	partly_held(_metadata, &self->dev[0], &pipe_pages, true);
}

/* ------------------------------------------------------------ pins and fork */

/* What a child sees of @buf: the pattern that was there when it was made. */
static int child_sees(char *buf, __u64 seed)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		usleep(20000);
		if (gt_pattern_bad(buf, LEN, seed) >= 0)
			_exit(1);
		memset(buf, 0x11, LEN);
		_exit(0);
	}
	if (pid < 0)
		return -1;
	gt_pattern(buf, LEN, 7);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Pinned memory is copied by fork(): the pin stays with the parent's. */
static void pinned_fork(struct __test_metadata *_metadata, struct gt_dev *dev,
			bool huge)
{
	char *buf = resident(_metadata, dev, huge, 1);
	struct holder h = { .buf = buf, .len = LEN };

	ASSERT_EQ(0, pins_to_write.hold(&h));
	EXPECT_EQ(0, child_sees(buf, 1));
	sees(_metadata, &pins_to_write, &h, 7);
	dev_writes(_metadata, dev, &h, 2);
	EXPECT_EQ(0, child_sees(buf, 2));
	sees(_metadata, &pins_to_write, &h, 7);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 7));
	pins_to_write.drop(&h);
	EXPECT_TRUE(to_device(dev, buf, LEN));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 7));
	gt_free(buf, LEN);
}

GT_TEST(pinned_fork_huge)
{
	pinned_fork(_metadata, &self->dev[0], true);
}

GT_TEST(pinned_fork_base)
{
	pinned_fork(_metadata, &self->dev[0], false);
}

/* A pin of what is on the device and shared with a child unshares it. */
static void pin_shared(struct __test_metadata *_metadata, struct gt_dev *dev,
		       const struct holder_ops *ops, bool huge)
{
	char *buf = resident(_metadata, dev, huge, 1);
	struct holder h = { .buf = buf, .len = LEN };
	int go[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char byte;

		if (read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(gt_pattern_bad(buf, LEN, 1) >= 0);
	}
	ASSERT_EQ(0, ops->hold(&h));
	sees(_metadata, ops, &h, 1);
	dev_writes(_metadata, dev, &h, 2);
	sees(_metadata, ops, &h, 2);
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ops->drop(&h);
	EXPECT_EQ(0, patient_pattern(dev, buf, LEN, 2));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 2));
	close(go[0]);
	close(go[1]);
	gt_free(buf, LEN);
}

GT_TEST(pin_shared_to_write_huge)
{
	pin_shared(_metadata, &self->dev[0], &pins_to_write, true);
}

GT_TEST(pin_shared_to_read_base)
{
	pin_shared(_metadata, &self->dev[0], &pins_to_read, false);
}

GT_TEST(register_shared_base)
{
	pin_shared(_metadata, &self->dev[0], &ring_buffer, false);
}

/* ---------------------------------------------------------- short references */

/* All ways to get at pages, for a moment: they come home, and are right. */
static void short_pins(struct __test_metadata *_metadata, struct gt_dev *dev,
		       bool huge)
{
	static const unsigned long cmds[] = {
		GUP_FAST_BENCHMARK, PIN_FAST_BENCHMARK, PIN_LONGTERM_BENCHMARK,
		GUP_BASIC_TEST, PIN_BASIC_TEST,
	};
	int fd = open(GUP_TEST, O_RDWR | O_CLOEXEC);
	unsigned int i;

	ASSERT_GE(fd, 0);
	for (i = 0; i < 2 * ARRAY_SIZE(cmds); i++) {
		char *buf = resident(_metadata, dev, huge, i);
		struct gup_test args = {
			.addr = (uintptr_t)buf,
			.size = LEN,
			.nr_pages_per_call = i % 3 ? LEN / GT_PAGE : 7,
			.gup_flags = i % 2 ? FOLL_WRITE : 0,
		};

		ASSERT_EQ(0, ioctl(fd, cmds[i / 2], &args));
		EXPECT_EQ(LEN, args.size);
		EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, i));
		EXPECT_TRUE(to_device(dev, buf, LEN));
		EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, i));
		gt_free(buf, LEN);
	}
	close(fd);
}

GT_TEST(short_pins_huge)
{
	short_pins(_metadata, &self->dev[0], true);
}

GT_TEST(short_pins_base)
{
	short_pins(_metadata, &self->dev[0], false);
}

/* Straight between the disk and memory that is on the device. */
static void direct_io(struct __test_metadata *_metadata, struct gt_dev *dev,
		      bool huge)
{
	char *buf = resident(_metadata, dev, huge, 1);
	char *copy = gt_alloc(LEN, false);
	int fd = open(RAM_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	unsigned int n;

	ASSERT_GE(fd, 0);
	ASSERT_NE(NULL, copy);
	for (n = 1; n < 4; n++) {
		ASSERT_EQ((ssize_t)LEN, pwrite(fd, buf, LEN, 0));
		ASSERT_EQ((ssize_t)LEN, pread(fd, copy, LEN, 0));
		EXPECT_EQ(-1, gt_pattern_bad(copy, LEN, n));
		gt_pattern(copy, LEN, n + 1);
		ASSERT_EQ((ssize_t)LEN, pwrite(fd, copy, LEN, 0));
		ASSERT_TRUE(to_device(dev, buf, LEN));
		ASSERT_EQ((ssize_t)LEN, pread(fd, buf, LEN, 0));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, n + 1));
		/* What the device writes is what is written out. */
		ASSERT_EQ(0, gt_write(dev, buf, LEN, copy));
		ASSERT_TRUE(to_device(dev, buf, LEN));
	}
	/* Less than a page, and across the end of one. */
	ASSERT_EQ(1024, pread(fd, buf + 5 * GT_PAGE - 512, 1024, 4 * GT_PAGE));
	EXPECT_EQ(0, gt_read(dev, buf + 5 * GT_PAGE - 512, 1024, copy));
	EXPECT_EQ(gt_pattern_word(4, 4 * GT_PAGE / 8), *(__u64 *)copy);
	EXPECT_EQ(gt_pattern_word(4, 4 * GT_PAGE / 8 + 127),
		  *(__u64 *)(copy + 1016));
	close(fd);
	gt_free(copy, LEN);
	gt_free(buf, LEN);
}

GT_TEST(direct_io_huge)
{
	direct_io(_metadata, &self->dev[0], true);
}

GT_TEST(direct_io_base)
{
	direct_io(_metadata, &self->dev[self->nr - 1], false);
}

/* ------------------------------------------------------------ other processes */

/* Reads and changes the memory of its parent. */
static int other_process(pid_t parent, char *buf, char *copy)
{
	struct iovec local = { copy, LEN }, remote = { buf, LEN };

	if (process_vm_readv(parent, &local, 1, &remote, 1, 0) != LEN)
		return 1;
	if (gt_pattern_bad(copy, LEN, 1) >= 0)
		return 2;
	gt_pattern(copy, LEN, 2);
	if (process_vm_writev(parent, &local, 1, &remote, 1, 0) != LEN)
		return 3;
	return 0;
}

static void from_outside(struct __test_metadata *_metadata, struct gt_dev *dev,
			 bool huge)
{
	char *buf = gt_alloc(LEN, huge), *copy = gt_alloc(LEN, false);
	pid_t parent = getpid(), pid;
	int go[2], status;
	char byte;

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(read(go[0], &byte, 1) == 1 ?
		      other_process(parent, buf, copy) : 4);
	gt_pattern(buf, LEN, 1);
	ASSERT_TRUE(to_device(dev, buf, LEN));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 2));
	EXPECT_TRUE(to_device(dev, buf, LEN));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 2));
	close(go[0]);
	close(go[1]);
	gt_free(copy, LEN);
	gt_free(buf, LEN);
}

GT_TEST(from_outside_huge)
{
	from_outside(_metadata, &self->dev[0], true);
}

GT_TEST(from_outside_base)
{
	from_outside(_metadata, &self->dev[0], false);
}

/* --------------------------------------------------- while the device works */

struct counting {
	struct gt_dev *dev;
	char *buf;
	bool stop;
	unsigned long good;
	int error;
};

/* Adds to a word in each of many pages, one after the other. */
static void *dev_counts(void *arg)
{
	struct counting *c = arg;
	unsigned long n = 0;
	int ret;

	while (!gt_load(&c->stop)) {
		ret = gt_atomic_add(c->dev, c->buf + n % 64 * 8 * GT_PAGE, 1,
				    NULL);
		if (!ret)
			gt_store(&c->good, ++n);
		else if (ret != -EAGAIN && ret != -EINTR)
			c->error = ret;
	}
	return NULL;
}

/*
 * References come and go while the device writes: no write is lost, and the
 * sum that a holder sees is not less than what was written before it came.
 */
static void raced(struct __test_metadata *_metadata, struct gt_dev *dev,
		  const struct holder_ops *ops, bool huge)
{
	char *buf = gt_alloc(LEN, huge), *copy = gt_alloc(LEN, false);
	struct counting c = { .dev = dev, .buf = buf };
	unsigned int n, i;
	pthread_t thread;
	__u64 sum;

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, copy);
	memset(buf, 0, LEN);
	ASSERT_EQ(0, pthread_create(&thread, NULL, dev_counts, &c));
	for (n = 0; n < 8; n++) {
		struct holder h = { .buf = buf, .len = LEN };
		unsigned long before;

		gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0);
		before = gt_load(&c.good);
		ASSERT_EQ(0, ops->hold(&h));
		ASSERT_EQ(0, ops->see(&h, copy));
		for (sum = 0, i = 0; i < 64; i++)
			sum += *(__u64 *)(copy + i * 8 * GT_PAGE);
		ASSERT_GE(sum, before);
		ops->drop(&h);
	}
	for (i = 0; i < 1000 && gt_load(&c.good) < 100; i++)
		usleep(10000);
	gt_store(&c.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, c.error);
	EXPECT_GE(c.good, 100);
	for (sum = 0, i = 0; i < 64; i++)
		sum += *(__u64 *)(buf + i * 8 * GT_PAGE);
	EXPECT_EQ(c.good, sum);
	gt_free(copy, LEN);
	gt_free(buf, LEN);
}

GT_TEST(pins_and_device_race)
{
	raced(_metadata, &self->dev[0], &pins_to_write, true);
	raced(_metadata, &self->dev[0], &pins_fast, false);
}

GT_TEST(ring_and_device_race)
{
	raced(_metadata, &self->dev[0], &ring_buffer, true);
	raced(_metadata, &self->dev[0], &ring_buffer, false);
}

GT_TEST(vmsplice_and_device_race)
{
	raced(_metadata, &self->dev[0], &pipe_pages, true);
}

TEST_HARNESS_MAIN
