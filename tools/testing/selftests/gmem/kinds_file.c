// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory with a file behind it, and memory that is none: a device uses files,
 * shared memory and hugetlb pages in place, as a CPU would, with what becomes
 * of the file meanwhile; and gets a clear error from what only looks like
 * memory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "gmem_abi.h"
#include "gmem_exercise.h"

#define LEN	GT_HUGE

#define SHMEM_THP	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define NR_HUGETLB	"/proc/sys/vm/nr_hugepages"

/* A file of @len bytes that hold pattern @seed. */
static int make_file(struct __test_metadata *_metadata, size_t len, __u64 seed)
{
	int fd = memfd_create("gmem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *buf = malloc(len);

	ASSERT_GE(fd, 0);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, seed);
	ASSERT_EQ(len, pwrite(fd, buf, len, 0));
	free(buf);
	return fd;
}

/* Does the file hold pattern @seed? */
static bool file_is(int fd, size_t len, __u64 seed)
{
	char *buf = malloc(len);
	bool same;

	same = buf && pread(fd, buf, len, 0) == len &&
	       gt_pattern_bad(buf, len, seed) < 0;
	free(buf);
	return same;
}

static char *map_file(struct __test_metadata *_metadata, int fd, size_t len,
		      int prot, int flags)
{
	char *buf = mmap(NULL, len, prot, flags, fd, 0);

	ASSERT_NE(MAP_FAILED, buf);
	return buf;
}

/* ------------------------------------------------------- private mappings */

/* What nobody has written yet is the file's. */
GT_TEST(private_before_cow)
{
	struct gt_dev *dev = &self->dev[0];
	int fd = make_file(_metadata, LEN, 1);
	char *buf = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE);
	__u64 word = 4711, seen;

	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	/* A change of the file is seen, by both. */
	ASSERT_EQ(8, pwrite(fd, &word, 8, 8));
	EXPECT_EQ(0, gt_read(dev, buf + 8, 8, &seen));
	EXPECT_EQ(word, seen);
	EXPECT_EQ(word, *(__u64 *)(buf + 8));
	munmap(buf, LEN);
	close(fd);
}

/* What the device or the CPU has written is the process's own. */
static void private_cow(struct __test_metadata *_metadata,
			GT_SELF *self, bool by_device)
{
	struct gt_dev *dev = &self->dev[0];
	int fd = make_file(_metadata, LEN, 1), i;
	char *buf = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE);
	char *other = map_file(_metadata, fd, LEN, PROT_READ, MAP_SHARED);

	ASSERT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	if (by_device) {
		ASSERT_EQ(0, gt_fill(dev, buf, LEN / 2, 5));
	} else {
		for (i = 0; i < LEN / 2; i += 8)
			*(__u64 *)(buf + i) = 5;
	}
	EXPECT_TRUE(file_is(fd, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(other, LEN, 1));
	EXPECT_EQ(0, gt_dev_pattern(dev, other, LEN, 1));
	EXPECT_EQ(5, *(__u64 *)(buf + LEN / 2 - 8));
	EXPECT_EQ(gt_pattern_word(1, LEN / 16), *(__u64 *)(buf + LEN / 2));
	/* Now the halves are of different kinds; one of them moves. */
	for (i = 0; i < 20 && !gt_all_on(buf, LEN / 2, dev->hnid); i++) {
		ASSERT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH,
					   0));
		usleep(10000);
	}
	EXPECT_TRUE(gt_all_on(buf, LEN / 2, dev->hnid));
	EXPECT_TRUE(gt_all_on(buf + LEN / 2, LEN / 2, GT_HOME));
	exercise(_metadata, self, buf, LEN, 10);
	EXPECT_TRUE(file_is(fd, LEN, 1));
	/* Dropped, the private pages are the file's again. */
	ASSERT_EQ(0, gt_fill(dev, buf, LEN, 6));
	ASSERT_EQ(0, madvise(buf, LEN, MADV_DONTNEED));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	munmap(buf, LEN);
	munmap(other, LEN);
	close(fd);
}

GT_TEST(private_cow_by_device)
{
	private_cow(_metadata, self, true);
}

GT_TEST(private_cow_by_cpu)
{
	private_cow(_metadata, self, false);
}

/* What was copied from the file does not go away with the file's pages. */
GT_TEST(private_truncate)
{
	struct gt_dev *dev = &self->dev[0];
	int fd = make_file(_metadata, LEN, 1);
	char *buf = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE);

	ASSERT_EQ(0, gt_fill(dev, buf, LEN / 2, 5));
	ASSERT_EQ(LEN / 2, gt_hmadvise(dev->hnid, buf, LEN / 2, HMADV_PREFETCH,
				       0));
	ASSERT_EQ(0, gt_touch(dev, buf + LEN / 2, LEN / 2));
	/* Truncation takes private pages, too; hole punching does not. */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       0, LEN));
	EXPECT_EQ(5, *(__u64 *)buf);
	EXPECT_EQ(0, *(__u64 *)(buf + LEN - 8));
	ASSERT_EQ(0, gt_fill(dev, buf, LEN / 2, 7));
	ASSERT_EQ(0, ftruncate(fd, GT_PAGE));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf + GT_PAGE, 8));
	EXPECT_EQ(0, gt_touch(dev, buf, 8));
	EXPECT_EQ(7, *(__u64 *)buf);
	munmap(buf, LEN);
	close(fd);
}

/* -------------------------------------------------------- shared mappings */

/* What every shared mapping of a file does. */
static void shared_file(struct __test_metadata *_metadata,
			GT_SELF *self, int fd)
{
	char *buf = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE,
			     MAP_SHARED);
	char *other = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE,
			       MAP_SHARED);
	struct gt_dev *dev = &self->dev[0];
	__u64 word = 99, seen;
	unsigned int i;

	exercise(_metadata, self, buf, LEN, 10);
	for (i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, gt_fill(&self->dev[i], buf, LEN, i + 3));
		ASSERT_EQ(8, pread(fd, &seen, 8, LEN - 8));
		EXPECT_EQ(i + 3, seen);
		EXPECT_EQ(0, gt_atomic_add(&self->dev[i], other, 1, &seen));
		EXPECT_EQ(i + 3, seen);
		EXPECT_EQ(i + 4, *(__u64 *)buf);
	}
	/* And what comes by way of the file. */
	ASSERT_EQ(8, pwrite(fd, &word, 8, 16));
	EXPECT_EQ(0, gt_read(dev, buf + 16, 8, &seen));
	EXPECT_EQ(word, seen);
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	exercise(_metadata, self, other, LEN, 20);
	munmap(buf, LEN);
	munmap(other, LEN);
	ASSERT_EQ(8, pread(fd, &seen, 8, LEN - 8));
	EXPECT_EQ(40 + self->nr, seen);
}

GT_TEST(shared_memfd)
{
	int fd = make_file(_metadata, LEN, 1);

	shared_file(_metadata, self, fd);
	close(fd);
}

GT_TEST(shared_tmpfs)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, LEN));
	shared_file(_metadata, self, fd);
	close(fd);
}

/* The root file system, whose pages no swap backs. */
GT_TEST(shared_ramfs)
{
	int fd = open("/gmem-kinds", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, unlink("/gmem-kinds"));
	ASSERT_EQ(0, ftruncate(fd, LEN));
	shared_file(_metadata, self, fd);
	close(fd);
}

GT_TEST(shared_anonymous)
{
	char *buf = map_file(_metadata, -1, LEN, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS);
	struct gt_dev *dev = &self->dev[0];
	int status;
	pid_t pid;

	exercise(_metadata, self, buf, LEN, 10);
	ASSERT_EQ(0, gt_fill(dev, buf, LEN, 3));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* Shared is shared, with a device, too. */
		status = *(__u64 *)(buf + LEN - 8) != 3;
		memset(buf, 4, LEN);
		_exit(status);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, gt_atomic_add(dev, buf + LEN - 8, 1, NULL));
	EXPECT_EQ(0x0404040404040405ULL, *(__u64 *)(buf + LEN - 8));
	munmap(buf, LEN);
}

GT_TEST(shared_sysv)
{
	int id = shmget(IPC_PRIVATE, LEN, IPC_CREAT | 0600);
	char *buf = shmat(id, NULL, 0);

	ASSERT_NE((void *)-1, buf);
	ASSERT_EQ(0, shmctl(id, IPC_RMID, NULL));
	exercise(_metadata, self, buf, LEN, 10);
	ASSERT_EQ(0, shmdt(buf));
}

/* A huge page of shared memory: one translation to read, single ones to write. */
GT_TEST(shared_huge)
{
	struct gt_dev *dev = &self->dev[0];
	struct setting thp;
	char *raw, *buf;
	int fd;

	ASSERT_EQ(0, setting_set(&thp, SHMEM_THP, "advise"));
	fd = memfd_create("gmem", MFD_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, 2 * LEN));
	raw = map_file(_metadata, -1, 3 * LEN, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS);
	buf = (char *)(((uintptr_t)raw + LEN - 1) & ~(LEN - 1));
	ASSERT_EQ(buf, mmap(buf, 2 * LEN, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, madvise(buf, 2 * LEN, MADV_HUGEPAGE));
	memset(buf, 1, LEN);
	EXPECT_EQ(0, gt_touch(dev, buf, LEN));
	EXPECT_EQ(0, gt_fill(dev, buf + LEN / 2, GT_PAGE, 2));
	EXPECT_EQ(2, *(__u64 *)(buf + LEN / 2));
	/* The second one is populated by the device. */
	EXPECT_EQ(0, gt_fill(dev, buf + LEN, LEN, 5));
	exercise(_metadata, self, buf, 2 * LEN, 10);
	/* A hole in the middle of what is one page for the CPU. */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       3 * GT_PAGE, 5 * GT_PAGE));
	EXPECT_EQ(0, *(__u64 *)(buf + 3 * GT_PAGE));
	exercise(_metadata, self, buf, 2 * LEN, 20);
	munmap(raw, 3 * LEN);
	close(fd);
	setting_restore(&thp);
}

/* Written by nobody who may not. */
GT_TEST(shared_readonly)
{
	int fd = make_file(_metadata, LEN, 1);
	char *buf = map_file(_metadata, fd, LEN, PROT_READ, MAP_SHARED);
	unsigned int i;

	for (i = 0; i < self->nr; i++) {
		EXPECT_EQ(0, gt_dev_pattern(&self->dev[i], buf, LEN, 1));
		EXPECT_EQ(-EFAULT, gt_fill(&self->dev[i], buf, LEN, 0));
		EXPECT_EQ(-EFAULT, gt_atomic_add(&self->dev[i], buf, 1, NULL));
	}
	EXPECT_TRUE(file_is(fd, LEN, 1));
	munmap(buf, LEN);
	close(fd);
}

/* --------------------------------------------- the file changes its size */

static void truncated(struct __test_metadata *_metadata, struct gt_dev *dev,
		      int flags)
{
	int fd = make_file(_metadata, LEN, 1);
	char *buf = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE, flags);
	char *end = buf + LEN / 2;
	__u64 word;

	ASSERT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	if (flags & MAP_SHARED)
		ASSERT_EQ(0, gt_touch_write(dev, buf, LEN));
	ASSERT_EQ(0, ftruncate(fd, LEN / 2 - 16));
	EXPECT_EQ(0, gt_translated(dev, end, LEN / 2));
	EXPECT_EQ(-EFAULT, gt_read(dev, end, 8, &word));
	EXPECT_EQ(-EFAULT, gt_fill(dev, end, 8, 1));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf + LEN - 8, 8));
	/* The rest of the last page is zeros, the rest of the file is there. */
	EXPECT_EQ(0, gt_read(dev, end - 8, 8, &word));
	EXPECT_EQ(0, word);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN / 2 - 16, 1));
	/* What comes back is new. */
	ASSERT_EQ(0, ftruncate(fd, LEN));
	EXPECT_EQ(0, gt_read(dev, end, 8, &word));
	EXPECT_EQ(0, word);
	EXPECT_EQ(0, gt_fill(dev, end, LEN / 2, 6));
	EXPECT_EQ(6, *(__u64 *)(buf + LEN - 8));
	munmap(buf, LEN);
	close(fd);
}

GT_TEST(truncate_shared)
{
	truncated(_metadata, &self->dev[0], MAP_SHARED);
}

GT_TEST(truncate_private)
{
	truncated(_metadata, &self->dev[0], MAP_PRIVATE);
}

/* A hole: zeros for the devices, even if they had translations. */
static void punched(struct __test_metadata *_metadata,
		    GT_SELF *self, int mode)
{
	int fd = make_file(_metadata, LEN, 1);
	char *buf = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE,
			     MAP_SHARED);
	char *hole = buf + 64 * GT_PAGE;
	size_t len = 100 * GT_PAGE;
	unsigned int i;
	__u64 sum;

	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, gt_touch_write(&self->dev[i], buf, LEN));
	if (mode == MADV_REMOVE) {
		ASSERT_EQ(0, madvise(hole, len, MADV_REMOVE));
	} else {
		ASSERT_EQ(0, fallocate(fd, mode | FALLOC_FL_KEEP_SIZE,
				       hole - buf, len));
	}
	for (i = 0; i < self->nr; i++) {
		EXPECT_EQ(0, gt_translated(&self->dev[i], hole, len));
		EXPECT_EQ(0, gt_checksum(&self->dev[i], hole, len, &sum));
		EXPECT_EQ(0, sum);
	}
	EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], buf, hole - buf, 1));
	EXPECT_EQ(gt_pattern_word(1, LEN / 8 - 1), ((__u64 *)buf)[LEN / 8 - 1]);
	exercise(_metadata, self, buf, LEN, 10);
	munmap(buf, LEN);
	close(fd);
}

GT_TEST(punch_hole)
{
	punched(_metadata, self, FALLOC_FL_PUNCH_HOLE);
}

GT_TEST(madv_remove)
{
	punched(_metadata, self, MADV_REMOVE);
}

struct resizer {
	int fd;
	bool stop;
	unsigned long rounds;
};

/*
 * The file shrinks and grows while the device writes to it: what is cut off is
 * zeros when it comes back, or what the device wrote after that.
 */
static void *resizes(void *arg)
{
	struct resizer *r = arg;

	while (!gt_load(&r->stop)) {
		if (gt_load(&r->rounds) & 1) {
			if (ftruncate(r->fd, LEN / 2))
				break;
		} else {
			fallocate(r->fd, FALLOC_FL_PUNCH_HOLE |
				  FALLOC_FL_KEEP_SIZE, LEN / 4, LEN / 4);
		}
		if (ftruncate(r->fd, LEN))
			break;
		gt_add(&r->rounds, 1);
		/* The device, too, must get on. */
		usleep(1000);
	}
	return NULL;
}

GT_TEST(resize_and_device)
{
	struct resizer r = { .fd = make_file(_metadata, LEN, 1) };
	char *buf = map_file(_metadata, r.fd, LEN, PROT_READ | PROT_WRITE,
			     MAP_SHARED);
	unsigned long long end = gt_now_ms() + gt_loop_ms(2000);
	struct gt_dev *dev = &self->dev[0];
	pthread_t thread;
	int i, ret = 0;
	char *at;

	memset(buf, 0, LEN);
	ASSERT_EQ(0, pthread_create(&thread, NULL, resizes, &r));
	for (i = 0; i < 20 || gt_now_ms() < end; i++) {
		at = buf + i * 7919UL % (LEN / GT_PAGE) * GT_PAGE;
		ret = gt_fill(dev, at, 8, 3);
		if (ret && ret != -EFAULT && ret != -EAGAIN)
			break;
		/* The first quarter nobody takes away. */
		if (!ret && at < buf + LEN / 4)
			ASSERT_EQ(3, *(__u64 *)at);
	}
	EXPECT_TRUE(!ret || ret == -EFAULT || ret == -EAGAIN)
		TH_LOG("%d", ret);
	gt_store(&r.stop, true);
	pthread_join(thread, NULL);
	for (i = 0; i < LEN / 8; i++)
		ASSERT_TRUE(!((__u64 *)buf)[i] || ((__u64 *)buf)[i] == 3);
	exercise(_metadata, self, buf, LEN, 10);
	munmap(buf, LEN);
	close(r.fd);
}

/* ---------------------------------------------------------------- hugetlb */

static void hugetlb(struct __test_metadata *_metadata,
		    GT_SELF *self, int flags)
{
	struct gt_dev *dev = &self->dev[0];
	size_t len = 2 * LEN;
	char *buf;

	buf = map_file(_metadata, -1, len, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS | MAP_HUGETLB);
	/* The device is the first; a hint does not move it. */
	ASSERT_EQ(0, gt_fill(dev, buf, len, 3));
	EXPECT_EQ(3, *(__u64 *)(buf + len - 8));
	EXPECT_EQ(len, gt_hmadvise(dev->hnid, buf, len, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, len, GT_HOME));
	exercise(_metadata, self, buf, len, 10);
	ASSERT_EQ(0, mprotect(buf, len, PROT_READ));
	EXPECT_EQ(-EFAULT, gt_fill(dev, buf, 8, 0));
	EXPECT_EQ(0, gt_touch(dev, buf, len));
	ASSERT_EQ(0, mprotect(buf, len, PROT_READ | PROT_WRITE));
	exercise(_metadata, self, buf, len, 20);
	ASSERT_EQ(0, munmap(buf, LEN));
	EXPECT_EQ(0, gt_translated(dev, buf, LEN));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf, 8));
	exercise(_metadata, self, buf + LEN, LEN, 30);
	munmap(buf + LEN, LEN);
}

GT_TEST(hugetlb_private)
{
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "6"));
	hugetlb(_metadata, self, MAP_PRIVATE);
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "0"));
}

GT_TEST(hugetlb_shared)
{
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "6"));
	hugetlb(_metadata, self, MAP_SHARED);
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "0"));
}

/* Copy on write of the device's write, as of a CPU's. */
GT_TEST(hugetlb_fork)
{
	struct gt_dev *dev = &self->dev[0];
	int go[2], status;
	char *buf, c = 0;
	pid_t pid;

	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "6"));
	buf = map_file(_metadata, -1, LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_touch_write(dev, buf, LEN));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(2);
		_exit(gt_pattern_bad(buf, LEN, 1) >= 0);
	}
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 7));
	ASSERT_EQ(1, write(go[1], &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(7, *(__u64 *)(buf + LEN - 8));
	munmap(buf, LEN);
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "0"));
	close(go[0]);
	close(go[1]);
}

/* A hole, a shorter file, and no page left in the pool. */
GT_TEST(hugetlb_file)
{
	int fd = memfd_create("gmem", MFD_CLOEXEC | MFD_HUGETLB);
	struct gt_dev *dev = &self->dev[0];
	__u64 sum;
	char *buf;

	ASSERT_GE(fd, 0);
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "2"));
	ASSERT_EQ(0, ftruncate(fd, 2 * LEN));
	buf = map_file(_metadata, fd, 2 * LEN, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE);
	ASSERT_EQ(0, gt_fill(dev, buf, 2 * LEN, 3));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       0, LEN));
	EXPECT_EQ(0, gt_translated(dev, buf, LEN));
	EXPECT_EQ(0, gt_checksum(dev, buf, LEN, &sum));
	EXPECT_EQ(0, sum);
	ASSERT_EQ(0, ftruncate(fd, LEN));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf + LEN, 8));
	exercise(_metadata, self, buf, LEN, 10);
	/* The CPU would get SIGBUS. */
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "1"));
	ASSERT_EQ(0, ftruncate(fd, 2 * LEN));
	EXPECT_EQ(-EFAULT, gt_fill(dev, buf + LEN, 8, 1));
	exercise(_metadata, self, buf, LEN, 20);
	munmap(buf, 2 * LEN);
	close(fd);
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "0"));
}

/* ---------------------------------------------------- what is not memory */

/* Not for devices, with an error and nothing else; the CPU's use goes on. */
static void unusable(struct __test_metadata *_metadata,
		     GT_SELF *self, char *buf)
{
	unsigned int i;
	__u64 word;

	for (i = 0; i < self->nr; i++) {
		struct gt_dev *dev = &self->dev[i];
		struct gmem_mock_op op = {
			.opcode = GMEM_MOCK_OP_TOUCH,
			.flags = GMEM_MOCK_OP_INPLACE,
			.va = (uintptr_t)buf,
			.len = 8,
		};

		EXPECT_EQ(-EFAULT, gt_run(dev, &op));
		EXPECT_EQ(-EFAULT, gt_read(dev, buf, 8, &word));
		EXPECT_EQ(-EFAULT, gt_fill(dev, buf, 8, 1));
		EXPECT_EQ(-EFAULT, gt_atomic_add(dev, buf, 1, NULL));
		EXPECT_EQ(GT_PAGE, gt_hmadvise(dev->hnid, buf, GT_PAGE,
					       HMADV_PREFETCH, 0));
		EXPECT_EQ(0, gt_translated(dev, buf, GT_PAGE));
	}
	EXPECT_EQ(GT_PAGE, gt_hmadvise(HMADV_NODE_ANY, buf, GT_PAGE,
				       HMADV_PREFETCH, 0));
}

GT_TEST(secret_memory)
{
	int fd = syscall(__NR_memfd_secret, 0);
	char *buf;

	ASSERT_GE(fd, 0)
		TH_LOG("boot with secretmem.enable=1");
	ASSERT_EQ(0, ftruncate(fd, LEN));
	buf = map_file(_metadata, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
	gt_pattern(buf, LEN, 1);
	unusable(_metadata, self, buf);
	/* Never touched, too. */
	ASSERT_EQ(0, madvise(buf, LEN, MADV_REMOVE) && errno != EOPNOTSUPP &&
		  errno != EINVAL && errno != EACCES);
	unusable(_metadata, self, buf + LEN - GT_PAGE);
	munmap(buf, LEN);
	close(fd);
}

/* The BAR of every PCI device that can be mapped. */
GT_TEST(pci_bars)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	unsigned int nr = 0, i;
	struct dirent *entry;
	char path[300];
	struct stat st;
	char *buf;
	int fd;

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		for (i = 0; i < 6; i++) {
			snprintf(path, sizeof(path),
				 "/sys/bus/pci/devices/%s/resource%u",
				 entry->d_name, i);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd < 0)
				continue;
			buf = MAP_FAILED;
			if (!fstat(fd, &st) && st.st_size >= GT_PAGE)
				buf = mmap(NULL, GT_PAGE,
					   PROT_READ | PROT_WRITE, MAP_SHARED,
					   fd, 0);
			close(fd);
			if (buf == MAP_FAILED)
				continue;
			nr++;
			unusable(_metadata, self, buf);
			munmap(buf, GT_PAGE);
		}
	}
	closedir(dir);
	EXPECT_GE(nr, 1);
}

/* The kernel's own pages in the process: its clock, and its code. */
GT_TEST(vdso)
{
	unsigned long start, end;
	unsigned int nr = 0;
	char line[512];
	FILE *f;

	f = fopen("/proc/self/maps", "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) != 2)
			continue;
		if (strstr(line, "[vvar]")) {
			unusable(_metadata, self, (char *)start);
			nr++;
		} else if (strstr(line, "[vdso]")) {
			__u64 word = 0;

			/* Ordinary pages, to be read and not to be written. */
			EXPECT_EQ(0, gt_read(&self->dev[0], (void *)start, 8,
					     &word));
			EXPECT_EQ(*(__u64 *)start, word);
			EXPECT_EQ(-EFAULT, gt_fill(&self->dev[0],
						   (void *)start, 8, 0));
			nr++;
		}
	}
	fclose(f);
	EXPECT_EQ(2, nr);
}

TEST_HARNESS_MAIN
