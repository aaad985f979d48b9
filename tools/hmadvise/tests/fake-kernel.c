// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stand-in for a kernel with GMEM, to be preloaded: it answers hmadvise(2)
 * and GMEM_IOC_RESIDENCY as the manual says, for one hnode, 64, that the
 * process is attached to. A page on it is one that the CPU has no access to;
 * SIGSEGV is the fault that brings it home.
 *
 * FAKE_GMEM names one thing that is special: see enum mode.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <hmadvise/gmem.h>

#define NR_HMADVISE	472
#define HNODE		64
#define PAGE		4096UL
#define MAX_PAGES	16384
#define FULL_PAGES	16	/* what the hnode of mode "full" holds */
#define SHORT_PAGES	3	/* what a call in mode "short" does at most */

enum mode {
	NORMAL,
	NOSYS,		/* a kernel without GMEM */
	DETACHED,	/* not attached to the device */
	SHORT,		/* short counts, and "try again" every other time */
	FULL,		/* room for a few pages only */
	STUCK,		/* no page moves, and that is not an error */
	CORRUPT,	/* the copy damages a word: the tool must see it */
	LENIENT,	/* wrong arguments are fine: the tool must see it */
	STICKY,		/* a CPU access leaves the page on the hnode */
	KEEP,		/* discard does nothing */
};

static const char * const modes[] = {
	"normal", "nosys", "detached", "short", "full", "stuck", "corrupt",
	"lenient", "sticky", "keep", NULL
};

static struct page {
	uintptr_t addr;
	int node;		/* HNODE, or GMEM_NODE_NONE after a discard */
} pages[MAX_PAGES];

static unsigned int nr_pages, on_hnode;
static int gmem_fd = -1;

static enum mode mode(void)
{
	const char *name = getenv("FAKE_GMEM");
	size_t i;

	for (i = 0; name && modes[i]; i++) {
		if (!strcmp(name, modes[i]))
			return i;
	}
	return NORMAL;
}

/* The record of a page, made when there is none; pages start at home. */
static struct page *page_at(uintptr_t addr)
{
	unsigned int i = addr / PAGE % MAX_PAGES;

	while (pages[i].addr && pages[i].addr != addr)
		i = (i + 1) % MAX_PAGES;
	if (!pages[i].addr) {
		if (++nr_pages == MAX_PAGES)
			abort();
		pages[i].addr = addr;
		pages[i].node = 0;
	}
	return &pages[i];
}

static void bring_home(struct page *page)
{
	if (page->node != HNODE)
		return;
	mprotect((void *)page->addr, PAGE, PROT_READ | PROT_WRITE);
	page->node = 0;
	on_hnode--;
}

static void fault(int sig, siginfo_t *info, void *context)
{
	struct page *page = page_at((uintptr_t)info->si_addr & ~(PAGE - 1));

	(void)context;
	if (page->node == HNODE && mode() == STICKY)
		mprotect((void *)page->addr, PAGE, PROT_READ | PROT_WRITE);
	else if (page->node == HNODE)
		bring_home(page);
	else
		signal(sig, SIG_DFL);
}

static __attribute__((constructor)) void start(void)
{
	struct sigaction action = { .sa_sigaction = fault,
				    .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
}

static void move_out(struct page *page)
{
	if (page->node == HNODE || mode() == STUCK)
		return;
	if (mode() == CORRUPT && page->addr % (64 * PAGE) == 0)
		*(uint64_t *)(page->addr + 8) ^= 1;
	mprotect((void *)page->addr, PAGE, PROT_NONE);
	page->node = HNODE;
	on_hnode++;
}

static void discard(struct page *page)
{
	if (mode() == KEEP)
		return;
	bring_home(page);
	madvise((void *)page->addr, PAGE, MADV_DONTNEED);
	page->node = GMEM_NODE_NONE;
}

static long fail(int err)
{
	errno = err;
	return -1;
}

static long query(int hnid, uintptr_t addr, size_t len, int advice,
		  unsigned int flags)
{
	if (hnid != HMADV_NODE_ANY || addr || len || advice)
		return fail(EINVAL);
	if (flags == HMADV_FLAG_VERSION)
		return HMADV_ABI_VERSION;
	if (flags == HMADV_FLAG_FEATURES)
		return HMADV_FEATURE(HMADV_PREFETCH) |
		       HMADV_FEATURE(HMADV_DISCARD);
	return fail(EINVAL);
}

static long check(int hnid, uintptr_t addr, size_t len, int advice)
{
	if (addr % PAGE || len > SIZE_MAX / 2 || hnid < HMADV_NODE_ANY)
		return fail(EINVAL);
	if (advice != HMADV_PREFETCH && advice != HMADV_DISCARD)
		return fail(EINVAL);
	if (advice == HMADV_DISCARD && hnid != HMADV_NODE_ANY)
		return fail(EINVAL);
	if (hnid != HMADV_NODE_ANY && hnid != 0 && hnid != HNODE)
		return fail(ENODEV);
	if (hnid == HNODE && mode() == DETACHED)
		return fail(ESRCH);
	return 0;
}

static long fake_hmadvise(int hnid, uintptr_t addr, size_t len, int advice,
			  unsigned int flags)
{
	static unsigned int calls;
	uintptr_t end, at;

	if (mode() == NOSYS)
		return fail(ENOSYS);
	if (flags)
		return query(hnid, addr, len, advice, flags);
	if (mode() != LENIENT && check(hnid, addr, len, advice))
		return -1;
	if (mode() == LENIENT && (addr % PAGE || len > SIZE_MAX / 2))
		return 0;
	if (mode() == SHORT && len && calls++ % 2)
		return fail(EAGAIN);

	end = (addr + len + PAGE - 1) & ~(PAGE - 1);
	for (at = addr; at < end; at += PAGE) {
		struct page *page = page_at(at);

		if (mode() == SHORT && at == addr + SHORT_PAGES * PAGE)
			break;
		if (hnid == HNODE && mode() == FULL && on_hnode == FULL_PAGES &&
		    page->node != HNODE)
			break;
		if (advice == HMADV_DISCARD)
			discard(page);
		else if (hnid == HNODE)
			move_out(page);
		else
			bring_home(page);
	}
	if (at == addr && end > addr)
		return fail(ENOSPC);
	return at - addr;
}

long syscall(long nr, ...)
{
	long a[6], (*real)(long nr, ...);
	va_list args;
	int i;

	va_start(args, nr);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (nr == NR_HMADVISE)
		return fake_hmadvise(a[0], a[1], a[2], a[3], a[4]);
	real = dlsym(RTLD_NEXT, "syscall");
	return real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int fake_open(const char *name, const char *path, int flags, mode_t bits)
{
	int (*real)(const char *path, int flags, ...);

	real = dlsym(RTLD_NEXT, name);
	if (strcmp(path, "/dev/gmem") || mode() == NOSYS)
		return real(path, flags, bits);
	gmem_fd = real("/dev/null", flags, bits);
	return gmem_fd;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t bits;

	va_start(args, flags);
	bits = va_arg(args, int);
	va_end(args);
	return fake_open("open", path, flags, bits);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t bits;

	va_start(args, flags);
	bits = va_arg(args, int);
	va_end(args);
	return fake_open("open64", path, flags, bits);
}

static int residency(struct gmem_residency *arg)
{
	int32_t *vec = (int32_t *)(uintptr_t)arg->vec;
	size_t i;

	if (arg->size != sizeof(*arg) || arg->flags || arg->addr % PAGE ||
	    arg->len % PAGE || arg->vec_len < arg->len / PAGE)
		return fail(EINVAL);
	for (i = 0; i < arg->len / PAGE; i++) {
		struct page *page = page_at(arg->addr + i * PAGE);

		/* A discarded page that was written again is at home. */
		if (page->node == GMEM_NODE_NONE &&
		    *(uint64_t *)page->addr)
			page->node = 0;
		vec[i] = page->node;
	}
	arg->filled = i;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int fd, unsigned long request, ...);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fd == gmem_fd && request == GMEM_IOC_RESIDENCY)
		return residency(arg);
	real = dlsym(RTLD_NEXT, "ioctl");
	return real(fd, request, arg);
}
