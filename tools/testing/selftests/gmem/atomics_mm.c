// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to memory that a device keeps from the CPUs, and which memory can be
 * kept from them at all. Devices whose atomic operations are atomic for nobody else.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/userfaultfd.h>

#include "atomics.h"
#include "gmem_abi.h"

FIXTURE(atomics)
{
	struct gt_dev dev[GT_MAX_DEVS];
	unsigned int nr;
};

FIXTURE_VARIANT(atomics)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(atomics, base)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(atomics, huge)
{
	.huge = true,
};

FIXTURE_SETUP(atomics)
{
	ASSERT_EQ(0, gt_set_engine("cpu"));
	self->nr = open_all(self->dev, false);
	ASSERT_GE(self->nr, 2) TH_LOG("needs two accelerators");
}

FIXTURE_TEARDOWN_PARENT(atomics)
{
	gt_expect_quiet(_metadata);
}

#define ATOMICS_TEST(name)	TEST_F_TIMEOUT(atomics, name, TIMEOUT)

/* Every STEPth page is kept from the CPUs. */
#define STEP	7

/* Adds 1 to the first word of every STEPth page. */
static int add_all(const struct gt_dev *dev, char *buf)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR_PAGES && !ret; i += STEP)
		ret = add(dev, buf + i * GT_PAGE);
	return ret;
}

static unsigned int kept(const struct gt_dev *dev, char *buf)
{
	return pages_with(dev, buf, RWA);
}

#define KEPT	((NR_PAGES + STEP - 1) / STEP)

/* The first word with something else than the pattern and @added, or -1. */
static ssize_t bad_word(const char *buf, __u64 seed, __u64 added)
{
	const __u64 *word = (const __u64 *)buf;
	size_t i, pages = GT_PAGE / 8;

	for (i = 0; i < LEN / 8; i++) {
		__u64 want = gt_pattern_word(seed, i);

		if (i % pages == 0 && i / pages % STEP == 0)
			want += added;
		if (gt_load(&word[i]) != want)
			return i * 8;
	}
	return -1;
}

/* Pattern 1, of which pages are kept from the CPUs, where 1 was added. */
static char *make(struct __test_metadata *_metadata, const struct gt_dev *dev,
		  bool huge)
{
	char *buf = gt_alloc(LEN, huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, add_all(dev, buf));
	ASSERT_EQ(KEPT, kept(dev, buf));
	ASSERT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	ASSERT_EQ(KEPT, kept(dev, buf));
	return buf;
}

/* ---------------------------------------------------------- kinds of memory */

static void refused(struct __test_metadata *_metadata, const struct gt_dev *dev,
		    void *va)
{
	__u64 before;

	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(-EOPNOTSUPP, add(dev, va));
	EXPECT_EQ(-EOPNOTSUPP, gt_atomic_add(dev, va, 1, &before));
	/* That says nothing about other ways to use it. */
	EXPECT_EQ(0, gt_fill(dev, va, 8, 5));
	EXPECT_EQ(RW, right(dev, va));
	EXPECT_EQ(-EOPNOTSUPP, add(dev, va));
	EXPECT_EQ(5, gt_load((__u64 *)va));
	gt_store((__u64 *)va, 6);
	EXPECT_EQ(-EOPNOTSUPP, add(dev, va));
	EXPECT_EQ(6, gt_load((__u64 *)va));
}

ATOMICS_TEST(shared_memory)
{
	int fd = syscall(SYS_memfd_create, "shared", 0);
	char *buf;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, LEN));
	buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	refused(_metadata, &self->dev[0], buf);
	munmap(buf, LEN);
	buf = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT_EQ(-EFAULT, add(&self->dev[0], buf));
	munmap(buf, LEN);
	buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	refused(_metadata, &self->dev[0], buf);
	munmap(buf, LEN);
	close(fd);
}

ATOMICS_TEST(hugetlb)
{
	static const int shared[] = { MAP_PRIVATE, MAP_SHARED };
	unsigned int i;
	char old[32];
	char *buf;

	ASSERT_EQ(0, gt_read_file("/proc/sys/vm/nr_hugepages", old,
				  sizeof(old)));
	ASSERT_GE(gt_write_file("/proc/sys/vm/nr_hugepages", "2"), 0);
	for (i = 0; i < 2; i++) {
		buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			   shared[i] | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		refused(_metadata, &self->dev[0], buf);
		munmap(buf, LEN);
	}
	gt_write_file("/proc/sys/vm/nr_hugepages", old);
}

/* The program's own copy of a page of a file is anonymous memory. */
ATOMICS_TEST(private_file)
{
	int fd = syscall(SYS_memfd_create, "private", 0);
	struct gt_dev *dev = &self->dev[0];
	__u64 *buf, value = 40;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, LEN));
	ASSERT_EQ(8, pwrite(fd, &value, 8, GT_PAGE));
	buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(40, gt_load(buf + GT_PAGE / 8));
	EXPECT_EQ(0, add(dev, buf + GT_PAGE / 8));
	EXPECT_EQ(RWA, right(dev, buf + GT_PAGE / 8));
	EXPECT_EQ(0, add(dev, buf));
	EXPECT_EQ(41, gt_load(buf + GT_PAGE / 8));
	EXPECT_EQ(1, gt_load(buf));
	ASSERT_EQ(8, pread(fd, &value, 8, GT_PAGE));
	EXPECT_EQ(40, value);
	munmap(buf, LEN);
	close(fd);
}

ATOMICS_TEST(read_only)
{
	char *buf = make(_metadata, &self->dev[0], variant->huge);
	struct gt_dev *dev = &self->dev[0];

	ASSERT_EQ(0, mprotect(buf, LEN, PROT_READ));
	EXPECT_EQ(0, kept(dev, buf));
	EXPECT_EQ(-EFAULT, add(dev, buf));
	EXPECT_EQ(-EFAULT, add(&self->dev[1], buf + GT_PAGE));
	EXPECT_EQ(0, touch_in_place(dev, buf, LEN, false));
	EXPECT_EQ(-1, bad_word(buf, 1, 1));
	ASSERT_EQ(0, mprotect(buf, LEN, PROT_NONE));
	EXPECT_EQ(-EFAULT, add(dev, buf));
	ASSERT_EQ(0, mprotect(buf, LEN, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, add_all(&self->dev[1], buf));
	/* Made read-only while nobody but the device can get at it. */
	ASSERT_EQ(0, mprotect(buf, LEN, PROT_READ));
	EXPECT_EQ(0, kept(&self->dev[1], buf));
	EXPECT_EQ(-EFAULT, add(&self->dev[1], buf));
	EXPECT_EQ(-1, bad_word(buf, 1, 2));
	gt_free(buf, LEN);
}

/* Never touched, or only read: nothing is there, or the zero page. */
ATOMICS_TEST(zero_page)
{
	struct gt_dev *dev = &self->dev[0];
	unsigned int i, reads;

	for (reads = 0; reads < 2; reads++) {
		char *buf = gt_alloc(LEN, variant->huge);

		ASSERT_NE(NULL, buf);
		for (i = 0; reads && i < NR_PAGES; i++)
			ASSERT_EQ(0, gt_load((__u64 *)(buf + i * GT_PAGE)));
		ASSERT_EQ(0, add_all(dev, buf));
		EXPECT_EQ(KEPT, kept(dev, buf));
		for (i = 0; i < NR_PAGES; i++)
			ASSERT_EQ(i % STEP ? 0 : 1,
				  gt_load((__u64 *)(buf + i * GT_PAGE)));
		gt_free(buf, LEN);
	}
}

#define KSM	"/sys/kernel/mm/ksm/"

static void ksm_scan(void)
{
	long before = gt_number(KSM "full_scans");
	int i;

	gt_write_file(KSM "sleep_millisecs", "5");
	gt_write_file(KSM "pages_to_scan", "5000");
	gt_write_file(KSM "run", "1");
	for (i = 0; i < 300 && gt_number(KSM "full_scans") < before + 3; i++)
		usleep(10000);
	gt_write_file(KSM "run", "0");
}

/* Equal pages become one; what a device adds to is a copy of its own. */
ATOMICS_TEST(ksm)
{
	struct gt_dev *dev = &self->dev[0];
	char *a = make(_metadata, dev, variant->huge);
	char *b = make(_metadata, &self->dev[1], variant->huge);

	ASSERT_EQ(0, madvise(a, LEN, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(b, LEN, MADV_MERGEABLE));
	ksm_scan();
	EXPECT_GE(gt_number(KSM "pages_sharing"), 1);
	EXPECT_EQ(0, add_all(dev, a));
	EXPECT_EQ(KEPT, kept(dev, a));
	/* What is kept from the CPUs is looked at, too, and stays right. */
	ksm_scan();
	EXPECT_EQ(0, add_all(dev, a));
	EXPECT_EQ(-1, bad_word(b, 1, 1));
	EXPECT_EQ(-1, bad_word(a, 1, 3));
	ASSERT_EQ(0, madvise(a, LEN, MADV_UNMERGEABLE));
	ASSERT_EQ(0, madvise(b, LEN, MADV_UNMERGEABLE));
	EXPECT_EQ(-1, bad_word(b, 1, 1));
	EXPECT_EQ(-1, bad_word(a, 1, 3));
	gt_write_file(KSM "run", "2");
	gt_free(a, LEN);
	gt_free(b, LEN);
}

/* ------------------------------------------------------ what happens to it */

ATOMICS_TEST(unmapped)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge);

	ASSERT_EQ(0, munmap(buf, LEN / 2));
	EXPECT_EQ(0, right(dev, buf));
	EXPECT_EQ(-EFAULT, add(dev, buf));
	ASSERT_EQ(buf, mmap(buf, LEN / 2, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(0, add(dev, buf));
	EXPECT_EQ(1, gt_load((__u64 *)buf));
	ASSERT_EQ(0, madvise(buf, LEN, MADV_DONTNEED));
	EXPECT_EQ(0, kept(dev, buf));
	EXPECT_EQ(0, add_all(dev, buf));
	EXPECT_EQ(1, gt_load((__u64 *)(buf + STEP * GT_PAGE)));
	EXPECT_EQ(0, gt_load((__u64 *)(buf + LEN - 8)));
	gt_free(buf, LEN);
}

ATOMICS_TEST(mremap)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge);
	char *to = gt_alloc(LEN, variant->huge);

	ASSERT_NE(NULL, to);
	ASSERT_EQ(to, mremap(buf, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(0, kept(dev, buf));
	EXPECT_EQ(0, kept(dev, to));
	EXPECT_EQ(-EFAULT, add(dev, buf));
	EXPECT_EQ(0, add_all(dev, to));
	EXPECT_EQ(-1, bad_word(to, 1, 2));
	gt_free(to, LEN);
}

/* Both have the data; from then on each has its own. */
ATOMICS_TEST(fork)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge);
	int pipes[2], status;
	char go;
	pid_t pid;

	ASSERT_EQ(0, pipe(pipes));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct gt_dev own;

		close(pipes[1]);
		if (bad_word(buf, 1, 1) >= 0)
			_exit(1);
		/* After the parent's device has gone on. */
		if (read(pipes[0], &go, 1) != 1)
			_exit(2);
		if (bad_word(buf, 1, 1) >= 0)
			_exit(3);
		if (gt_open(&own, 0) || add_all(&own, buf) ||
		    kept(&own, buf) != KEPT || bad_word(buf, 1, 2) >= 0)
			_exit(4);
		_exit(0);
	}
	EXPECT_EQ(0, kept(dev, buf));
	EXPECT_EQ(0, add_all(dev, buf));
	EXPECT_EQ(KEPT, kept(dev, buf));
	EXPECT_EQ(0, add_all(dev, buf));
	ASSERT_EQ(1, write(pipes[1], "g", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-1, bad_word(buf, 1, 3));
	gt_free(buf, LEN);
}

/* A process that is forked all the time while its device is at work. */
struct forked {
	const struct gt_dev *dev;
	char *buf;
	unsigned long done;
	bool stop;
	int error;
};

static void *adds(void *arg)
{
	struct forked *f = arg;

	while (!gt_load(&f->stop) && !f->error) {
		f->error = add(f->dev, f->buf);
		if (!f->error)
			gt_add(&f->done, 1);
	}
	return NULL;
}

ATOMICS_TEST(forks)
{
	struct forked f = { .dev = &self->dev[0] };
	unsigned int i, busy = 0;
	pthread_t thread;
	int status;
	pid_t pid;

	f.buf = make(_metadata, f.dev, variant->huge);
	*(__u64 *)f.buf = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, adds, &f));
	for (i = 0; i < 30; i++) {
		__u64 least = gt_load(&f.done);

		pid = fork();
		if (!pid) {
			__u64 value = *(__u64 *)f.buf;

			/* A value of then, and it stays. */
			usleep(1000);
			_exit(value < least || *(__u64 *)f.buf != value);
		}
		/* What comes of core mm's EBUSY for a page that is locked (7.2). */
		if (pid < 0 && errno == ENOMEM) {
			busy++;
			continue;
		}
		ASSERT_GT(pid, 0);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
	gt_store(&f.stop, true);
	pthread_join(thread, NULL);
	TH_LOG("%lu added, %u forks refused", f.done, busy);
	EXPECT_EQ(0, f.error);
	EXPECT_LT(busy, 15);
	EXPECT_EQ(f.done, *(__u64 *)f.buf);
	gt_free(f.buf, LEN);
}

/* The kernel reads and writes it for somebody else. */
ATOMICS_TEST(kernel_access)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge);
	char *copy = malloc(LEN);
	struct iovec to = { copy, LEN }, from = { buf, LEN };

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(LEN, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
	EXPECT_EQ(-1, bad_word(copy, 1, 1));
	EXPECT_EQ(0, add_all(dev, buf));
	gt_pattern(copy, LEN, 2);
	ASSERT_EQ(LEN, process_vm_writev(getpid(), &to, 1, &from, 1, 0));
	EXPECT_EQ(0, kept(dev, buf));
	EXPECT_EQ(0, add_all(dev, buf));
	EXPECT_EQ(-1, bad_word(buf, 2, 1));
	free(copy);
	gt_free(buf, LEN);
}

/* khugepaged may come by and take some pages away just then, but not every time. */
static bool keep_all(struct gt_dev *dev, char *buf, __u64 *added)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		if (add_all(dev, buf))
			return false;
		++*added;
		if (kept(dev, buf) == KEPT)
			return true;
	}
	return false;
}

/* Hints to move it, split huge pages and advice of all sorts. */
ATOMICS_TEST(advice)
{
	static const int advice[] = {
		MADV_COLD, MADV_PAGEOUT, MADV_FREE, MADV_NOHUGEPAGE,
		MADV_HUGEPAGE, MADV_WILLNEED, MADV_POPULATE_WRITE,
	};
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge);
	__u64 added = 1;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		/* Of all pages it could drop those that CPUs reach. */
		size_t len = advice[i] == MADV_FREE ? GT_PAGE : LEN;

		ASSERT_EQ(0, madvise(buf, len, advice[i]));
		ASSERT_TRUE(keep_all(dev, buf, &added));
	}
	for (i = 0; i < self->nr; i++) {
		ASSERT_EQ(LEN, gt_hmadvise(self->dev[i].hnid, buf, LEN,
					   HMADV_PREFETCH, 0));
		ASSERT_EQ(0, add_all(dev, buf));
		added++;
	}
	ASSERT_EQ(LEN, gt_hmadvise(HMADV_NODE_ANY, buf, LEN, HMADV_PREFETCH, 0));
	ASSERT_EQ(0, add_all(dev, buf));
	EXPECT_EQ(-1, bad_word(buf, 1, added + 1));
	gt_free(buf, LEN);
}

/* Base pages become a huge one, those included that the CPUs cannot reach. */
ATOMICS_TEST(collapse)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge);

	unsigned int i;
	int ret = -1;

	ASSERT_EQ(0, madvise(buf, LEN, MADV_HUGEPAGE));
	for (i = 0; i < 50 && ret; i++)
		ret = madvise(buf, LEN, MADV_COLLAPSE);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(LEN, gt_huge_bytes(buf));
	EXPECT_EQ(0, kept(dev, buf));
	EXPECT_EQ(-1, bad_word(buf, 1, 1));
	EXPECT_EQ(0, add_all(dev, buf));
	EXPECT_EQ(KEPT, kept(dev, buf));
	EXPECT_EQ(-1, bad_word(buf, 1, 2));
	gt_free(buf, LEN);
}

#define SWAP_DEV	"/dev/zram0"
#define ZRAM		"/sys/block/zram0/"
#define SWAP_PAGES	(64 * 256)
#define CGROUP		"/sys/fs/cgroup/gmem-atomics"

static bool swap_start(void)
{
	struct {
		__u32 version;
		__u32 last_page;
		__u32 nr_badpages;
	} info = { .version = 1, .last_page = SWAP_PAGES - 1 };
	char page[GT_PAGE] = { };
	bool good;
	int fd;

	swapoff(SWAP_DEV);
	gt_write_file(ZRAM "reset", "1");
	if (gt_write_file(ZRAM "disksize", "64M") < 0)
		return false;
	memcpy(page + 1024, &info, sizeof(info));
	memcpy(page + sizeof(page) - 10, "SWAPSPACE2", 10);
	fd = open(SWAP_DEV, O_WRONLY | O_CLOEXEC);
	good = write(fd, page, sizeof(page)) == sizeof(page);
	close(fd);
	return good && !swapon(SWAP_DEV, 0);
}

static unsigned int pages_out(const char *buf)
{
	__s32 vec[NR_PAGES];
	unsigned int i, out = 0;

	if (gt_residency(buf, LEN, vec))
		return 0;
	for (i = 0; i < NR_PAGES; i++)
		out += vec[i] == GMEM_NODE_NONE;
	return out;
}

/* The kernel wants memory back; MADV_PAGEOUT passes over such pages. */
static int swapped_child(bool huge)
{
	unsigned long long end;
	struct gt_dev dev;
	char *buf;

	if (gt_write_file(CGROUP "/cgroup.procs", "0") < 0)
		return 1;
	buf = gt_alloc(LEN, huge);
	if (!buf || gt_open(&dev, 0))
		return 2;
	gt_pattern(buf, LEN, 1);
	if (add_all(&dev, buf) || kept(&dev, buf) != KEPT)
		return 3;
	end = gt_now_ms() + 60000;
	while (pages_out(buf) < NR_PAGES && gt_now_ms() < end) {
		/* From the batches of the CPUs to where it is reclaimed. */
		syscall(SYS_move_pages, 0, 1UL, &buf, &(int){ 0 },
			&(int){ 0 }, 0);
		gt_write_file(CGROUP "/memory.reclaim", "4M");
	}
	if (pages_out(buf) < NR_PAGES)
		return 4;
	if (kept(&dev, buf))
		return 5;
	if (add_all(&dev, buf) || kept(&dev, buf) != KEPT)
		return 6;
	return bad_word(buf, 1, 2) >= 0 ? 7 : 0;
}

ATOMICS_TEST(swapped)
{
	int status, i;
	pid_t pid;

	gt_write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	ASSERT_TRUE(swap_start());
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(swapped_child(variant->huge));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, swapoff(SWAP_DEV));
	for (i = 0; i < 200 && rmdir(CGROUP); i++)
		usleep(20000);
}

/* ------------------------------------------------------------- userfaultfd */

struct pager {
	int fd;
	char *buf;
	pthread_t thread;
	unsigned long asked;
	bool stop;
};

static void *pager_run(void *arg)
{
	struct pager *p = arg;
	struct uffd_msg msg;

	while (!gt_load(&p->stop)) {
		struct uffdio_writeprotect wp = { };

		if (read(p->fd, &msg, sizeof(msg)) != sizeof(msg)) {
			usleep(500);
			continue;
		}
		gt_add(&p->asked, 1);
		wp.range.start = msg.arg.pagefault.address & -GT_PAGE;
		wp.range.len = GT_PAGE;
		ioctl(p->fd, UFFDIO_WRITEPROTECT, &wp);
	}
	return NULL;
}

static int protect(struct pager *p)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)p->buf, .len = LEN },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(p->fd, UFFDIO_WRITEPROTECT, &wp);
}

static void pager_start(struct __test_metadata *_metadata, struct pager *p)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p->buf, .len = LEN },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	p->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_GE(p->fd, 0);
	ASSERT_EQ(0, ioctl(p->fd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(p->fd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, pthread_create(&p->thread, NULL, pager_run, p));
}

/* The handler is asked before the device writes to what it had for itself. */
ATOMICS_TEST(write_protected)
{
	struct gt_dev *dev = &self->dev[0];
	struct pager p = { .buf = make(_metadata, dev, variant->huge) };
	unsigned int i;

	pager_start(_metadata, &p);
	for (i = 0; i < 3; i++) {
		unsigned long asked = gt_load(&p.asked);

		ASSERT_EQ(0, protect(&p));
		EXPECT_EQ(0, kept(dev, p.buf));
		if (i == 1)
			EXPECT_EQ(-1, bad_word(p.buf, 1, 2));
		EXPECT_EQ(asked, gt_load(&p.asked));
		EXPECT_EQ(0, add_all(dev, p.buf));
		EXPECT_EQ(asked + KEPT, gt_load(&p.asked));
		EXPECT_EQ(KEPT, kept(dev, p.buf));
	}
	gt_store(&p.stop, true);
	pthread_join(p.thread, NULL);
	close(p.fd);
	EXPECT_EQ(-1, bad_word(p.buf, 1, 4));
	gt_free(p.buf, LEN);
}

/* Protected all the time, while a device adds and a CPU does. */
ATOMICS_TEST(write_protected_again_and_again)
{
	struct forked f = { .dev = &self->dev[0] };
	struct pager p = { };
	unsigned int i, cpu;
	pthread_t thread;

	f.buf = make(_metadata, f.dev, variant->huge);
	*(__u64 *)f.buf = 0;
	p.buf = f.buf;
	pager_start(_metadata, &p);
	ASSERT_EQ(0, pthread_create(&thread, NULL, adds, &f));
	for (i = 0, cpu = 0; i < 50; i++) {
		ASSERT_EQ(0, protect(&p));
		gt_add((__u64 *)f.buf, 1);
		cpu++;
		usleep(2000);
	}
	/* A loaded machine gets the time that it needs. */
	for (i = 0; i < 10000 && gt_load(&f.done) < 50; i++)
		usleep(2000);
	gt_store(&f.stop, true);
	pthread_join(thread, NULL);
	gt_store(&p.stop, true);
	pthread_join(p.thread, NULL);
	close(p.fd);
	EXPECT_EQ(0, f.error);
	EXPECT_GE(f.done, 50);
	EXPECT_GE(p.asked, 50);
	EXPECT_EQ(f.done + cpu, *(__u64 *)f.buf);
	gt_free(f.buf, LEN);
}

/* ----------------------------------------------------------------- the end */

ATOMICS_TEST(close_file)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge);

	ASSERT_EQ(0, gt_close(dev));
	EXPECT_EQ(-1, bad_word(buf, 1, 1));
	ASSERT_EQ(0, gt_open(dev, 0));
	EXPECT_EQ(0, add_all(dev, buf));
	ASSERT_EQ(0, gt_close(dev));
	ASSERT_EQ(0, gt_open(dev, 0));
	/* Nobody has it now but the page table does not know. */
	EXPECT_EQ(0, add_all(dev, buf));
	EXPECT_EQ(-1, bad_word(buf, 1, 3));
	gt_free(buf, LEN);
}

/* A process ends: by itself, or it is killed. */
ATOMICS_TEST(process_ends)
{
	int killed, status, pipes[2];
	char ready;
	pid_t pid;

	for (killed = 0; killed < 2; killed++) {
		ASSERT_EQ(0, pipe(pipes));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			char *buf = gt_alloc(LEN, variant->huge);
			struct gt_dev dev;

			if (!buf || gt_open(&dev, 0))
				_exit(1);
			gt_pattern(buf, LEN, 1);
			if (add_all(&dev, buf) || kept(&dev, buf) != KEPT ||
			    write(pipes[1], "r", 1) != 1)
				_exit(2);
			while (killed && !add(&dev, buf))
				;
			_exit(0);
		}
		/* Or nothing would be read for ever when the child has failed. */
		close(pipes[1]);
		ASSERT_EQ(1, read(pipes[0], &ready, 1));
		if (killed)
			kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(killed ? SIGKILL : 0, status);
		close(pipes[0]);
	}
}

/* The device goes: the CPU gets its data; and the device when it is back. */
ATOMICS_TEST(unbind)
{
	struct gt_dev *dev = &self->dev[0], again;
	char *buf = make(_metadata, dev, variant->huge);
	char *other = make(_metadata, dev, variant->huge);

	ASSERT_TRUE(rebind(self->nr));
	EXPECT_EQ(-1, bad_word(buf, 1, 1));
	EXPECT_EQ(-ENODEV, add(dev, other));
	ASSERT_EQ(0, gt_open(&again, 0));
	EXPECT_EQ(0, add_all(&again, buf));
	EXPECT_EQ(0, add_all(&again, other));
	EXPECT_EQ(-1, bad_word(buf, 1, 2));
	EXPECT_EQ(-1, bad_word(other, 1, 2));
	gt_free(buf, LEN);
	gt_free(other, LEN);
}

TEST_HARNESS_MAIN
