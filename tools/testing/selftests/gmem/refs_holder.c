// SPDX-License-Identifier: GPL-2.0-only
/*
 * Those who hold references to user memory. See refs_holder.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "refs_holder.h"

/* ------------------------------------------------------------ long-term pins */

static int pin(struct holder *h, __u32 flags)
{
	struct pin_longterm_test args = {
		.addr = (uintptr_t)h->buf,
		.size = h->len,
		.flags = flags,
	};

	h->fd = h->pins ? dup(h->pins) : open(GUP_TEST, O_RDWR | O_CLOEXEC);
	if (h->fd < 0)
		return -errno;
	return ioctl(h->fd, PIN_LONGTERM_TEST_START, &args) ? -errno : 0;
}

static int pin_to_read(struct holder *h)
{
	return pin(h, 0);
}

static int pin_to_write(struct holder *h)
{
	return pin(h, PIN_WRITE);
}

static int pin_fast(struct holder *h)
{
	return pin(h, PIN_WRITE | PIN_FAST);
}

static int pin_see(struct holder *h, void *to)
{
	__u64 addr = (uintptr_t)to;

	return ioctl(h->fd, PIN_LONGTERM_TEST_READ, &addr) ? -errno : 0;
}

static void pin_drop(struct holder *h)
{
	ioctl(h->fd, PIN_LONGTERM_TEST_STOP);
	close(h->fd);
}

const struct holder_ops pins_to_read = {
	.hold = pin_to_read,
	.see = pin_see,
	.drop = pin_drop,
};

const struct holder_ops pins_to_write = {
	.hold = pin_to_write,
	.see = pin_see,
	.drop = pin_drop,
};

const struct holder_ops pins_fast = {
	.hold = pin_fast,
	.see = pin_see,
	.drop = pin_drop,
};

/* ------------------------------------------------------------------ io_uring */

static int ring_map(struct holder *h)
{
	const struct io_uring_params *p = &h->params;
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(__u32);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	h->sq = mmap(NULL, sq, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd,
		     IORING_OFF_SQ_RING);
	h->cq = mmap(NULL, cq, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd,
		     IORING_OFF_CQ_RING);
	h->sqes = mmap(NULL, p->sq_entries * sizeof(*h->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED, h->fd,
		       IORING_OFF_SQES);
	return h->sq == MAP_FAILED || h->cq == MAP_FAILED ||
	       h->sqes == MAP_FAILED ? -ENOMEM : 0;
}

static int ring_hold(struct holder *h)
{
	struct iovec iov = { h->buf, h->len };
	int ret;

	h->params = (struct io_uring_params){ };
	h->fd = syscall(SYS_io_uring_setup, 4, &h->params);
	if (h->fd < 0)
		return -errno;
	h->file = syscall(SYS_memfd_create, "ring", 0);
	if (h->file < 0)
		return -errno;
	ret = ring_map(h);
	if (ret)
		return ret;
	return syscall(SYS_io_uring_register, h->fd, IORING_REGISTER_BUFFERS,
		       &iov, 1) ? -errno : 0;
}

/* One transfer between the registered buffer and the start of the file. */
static int ring_transfer(struct holder *h, int opcode)
{
	const struct io_uring_params *p = &h->params;
	__u32 *sq_tail = h->sq + p->sq_off.tail;
	__u32 *sq_mask = h->sq + p->sq_off.ring_mask;
	__u32 *array = h->sq + p->sq_off.array;
	__u32 *cq_head = h->cq + p->cq_off.head;
	__u32 *cq_mask = h->cq + p->cq_off.ring_mask;
	struct io_uring_cqe *cqes = h->cq + p->cq_off.cqes;
	__u32 at = *sq_tail & *sq_mask;
	int res;

	h->sqes[at] = (struct io_uring_sqe){
		.opcode = opcode,
		.fd = h->file,
		.addr = (uintptr_t)h->buf,
		.len = h->len,
	};
	array[at] = at;
	__atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, h->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	res = cqes[*cq_head & *cq_mask].res;
	__atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE);
	return res < 0 ? res : res == h->len ? 0 : -EIO;
}

static int ring_see(struct holder *h, void *to)
{
	int ret = ring_transfer(h, IORING_OP_WRITE_FIXED);

	if (ret)
		return ret;
	return pread(h->file, to, h->len, 0) == h->len ? 0 : -EIO;
}

static int ring_put(struct holder *h, const void *from)
{
	if (pwrite(h->file, from, h->len, 0) != h->len)
		return -EIO;
	return ring_transfer(h, IORING_OP_READ_FIXED);
}

static void ring_drop(struct holder *h)
{
	const struct io_uring_params *p = &h->params;

	syscall(SYS_io_uring_register, h->fd, IORING_UNREGISTER_BUFFERS, NULL,
		0);
	munmap(h->sqes, p->sq_entries * sizeof(*h->sqes));
	munmap(h->sq, p->sq_off.array + p->sq_entries * sizeof(__u32));
	munmap(h->cq, p->cq_off.cqes +
		      p->cq_entries * sizeof(struct io_uring_cqe));
	close(h->file);
	close(h->fd);
}

const struct holder_ops ring_buffer = {
	.hold = ring_hold,
	.see = ring_see,
	.put = ring_put,
	.drop = ring_drop,
};

/* ------------------------------------------------------------------ vmsplice */

static int splice_hold(struct holder *h)
{
	struct iovec iov = { h->buf, h->len };
	ssize_t ret;

	if (pipe(h->pipe) || pipe(h->peek))
		return -errno;
	if (fcntl(h->pipe[1], F_SETPIPE_SZ, h->len) < 0 ||
	    fcntl(h->peek[1], F_SETPIPE_SZ, h->len) < 0)
		return -errno;
	while (iov.iov_len) {
		ret = vmsplice(h->pipe[1], &iov, 1, SPLICE_F_NONBLOCK);
		if (ret <= 0)
			return ret ? -errno : -EIO;
		iov.iov_base += ret;
		iov.iov_len -= ret;
	}
	return 0;
}

/* What is in the pipe stays there. */
static int splice_see(struct holder *h, void *to)
{
	size_t have = 0;
	ssize_t ret;

	if (tee(h->pipe[0], h->peek[1], h->len, 0) != h->len)
		return -EIO;
	while (have < h->len) {
		ret = read(h->peek[0], to + have, h->len - have);
		if (ret <= 0)
			return -EIO;
		have += ret;
	}
	return 0;
}

static void splice_drop(struct holder *h)
{
	close(h->pipe[0]);
	close(h->pipe[1]);
	close(h->peek[0]);
	close(h->peek[1]);
}

const struct holder_ops pipe_pages = {
	.hold = splice_hold,
	.see = splice_see,
	.drop = splice_drop,
};
