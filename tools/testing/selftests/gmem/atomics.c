// SPDX-License-Identifier: GPL-2.0-only
/*
 * Atomic operations of devices. Those on host memory are a read and a write with a
 * pause in between, so that whatever else writes meanwhile is lost and the sums are
 * wrong: unless the CPUs and the other devices are really held off.
 *
 * See atomics_mm.c for what happens to memory that is kept from the CPUs.
 */
#include "atomics.h"
#include "refs_holder.h"

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

static char *make(struct __test_metadata *_metadata, bool huge)
{
	char *buf = gt_alloc(LEN, huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(huge ? LEN : 0, gt_huge_bytes(buf));
	return buf;
}

/* ----------------------------------------------------------------- contests */

#define MAX_SIDES	8
#define STRIDE		(8 * GT_PAGE)

/* One who adds, or who only reads. */
struct side {
	struct contest *contest;
	const struct gt_dev *dev;	/* NULL: the CPU */
	bool reads;
	pthread_t thread;
	unsigned long done;
	int error;
};

struct contest {
	char *buf;
	unsigned int pages;	/* with a word each that is added to */
	unsigned long rounds;
	bool inplace;
	struct side side[MAX_SIDES];
	unsigned int nr;
	unsigned int finished;
};

static __u64 *word_of(const struct contest *c, unsigned long n)
{
	return (__u64 *)(c->buf + n % c->pages * STRIDE);
}

static int one_round(struct side *side, unsigned long n)
{
	__u64 *word = word_of(side->contest, n), value;
	struct gmem_mock_op op;

	if (!side->dev && side->reads)
		return gt_load(word) > 1UL << 40 ? -EILSEQ : 0;
	if (!side->dev)
		return gt_add(word, 1), 0;
	if (!side->reads)
		return add_op(side->dev, &op, word, side->contest->inplace);
	op = (struct gmem_mock_op){
		.opcode = GMEM_MOCK_OP_READ,
		.flags = side->contest->inplace ? GMEM_MOCK_OP_INPLACE : 0,
		.va = (uintptr_t)word,
		.len = sizeof(value),
		.arg = (uintptr_t)&value,
	};
	return gt_run(side->dev, &op);
}

/* All go on until all have done their rounds: nobody is ever left alone. */
static void *side_main(void *arg)
{
	struct side *side = arg;
	struct contest *c = side->contest;
	unsigned long n, row = 0;

	for (n = 0; gt_load(&c->finished) < c->nr;) {
		int ret = one_round(side, n);

		if (ret == -EAGAIN && ++row < PATIENCE)
			continue;
		row = 0;
		if (ret) {
			side->error = ret;
			gt_add(&c->finished, 1);
			break;
		}
		gt_store(&side->done, ++n);
		if (n == c->rounds)
			gt_add(&c->finished, 1);
	}
	return NULL;
}

static struct side *enter(struct contest *c, const struct gt_dev *dev)
{
	struct side *side = &c->side[c->nr++];

	*side = (struct side){ .contest = c, .dev = dev };
	return side;
}

static void fight(struct __test_metadata *_metadata, struct contest *c)
{
	__u64 sum = 0, added = 0;
	unsigned int i;

	for (i = 0; i < c->pages; i++)
		*word_of(c, i) = 0;
	for (i = 0; i < c->nr; i++)
		ASSERT_EQ(0, pthread_create(&c->side[i].thread, NULL, side_main,
					    &c->side[i]));
	for (i = 0; i < c->nr; i++) {
		struct side *side = &c->side[i];

		ASSERT_EQ(0, pthread_join(side->thread, NULL));
		TH_LOG("%s %s: %lu rounds", side->dev ? "device" : "CPU",
		       side->reads ? "reads" : "adds", side->done);
		EXPECT_EQ(0, side->error);
		EXPECT_GE(side->done, c->rounds);
		if (!side->reads)
			added += side->done;
	}
	for (i = 0; i < c->pages; i++)
		sum += *word_of(c, i);
	EXPECT_EQ(added, sum);
	/* What is around has not changed. */
	for (i = 0; i < c->pages; i++)
		*word_of(c, i) = gt_pattern_word(1, i * STRIDE / 8);
	EXPECT_EQ(-1, gt_pattern_bad(c->buf, LEN, 1));
}

/* A contest in place: it did use what is being tested. */
static void fight_in_place(struct __test_metadata *_metadata,
			   struct gt_dev *devs, bool huge, struct contest *c)
{
	long before = pages_taken(&devs[0]);

	ASSERT_GE(before, 0);
	c->buf = make(_metadata, huge);
	c->inplace = true;
	fight(_metadata, c);
	EXPECT_GT(pages_taken(&devs[0]), before);
	EXPECT_TRUE(gt_all_on(c->buf, LEN, GT_HOME));
	gt_free(c->buf, LEN);
}

ATOMICS_TEST(cpu_and_device)
{
	struct contest c = { .pages = 1, .rounds = 300 };

	enter(&c, NULL);
	enter(&c, &self->dev[0]);
	fight_in_place(_metadata, self->dev, variant->huge, &c);
}

ATOMICS_TEST(two_devices)
{
	struct contest c = { .pages = 1, .rounds = 300 };

	enter(&c, &self->dev[0]);
	enter(&c, &self->dev[1]);
	fight_in_place(_metadata, self->dev, variant->huge, &c);
}

ATOMICS_TEST(two_files)
{
	struct contest c = { .pages = 1, .rounds = 300 };
	struct gt_dev again;

	ASSERT_EQ(0, gt_open(&again, 0));
	enter(&c, &self->dev[0]);
	enter(&c, &again);
	fight_in_place(_metadata, self->dev, variant->huge, &c);
}

static void crowd(struct __test_metadata *_metadata, struct gt_dev *devs,
		  bool huge, unsigned int pages)
{
	struct contest c = { .pages = pages, .rounds = 200 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		enter(&c, NULL);
		enter(&c, &devs[0]);
		enter(&c, &devs[1]);
	}
	fight_in_place(_metadata, devs, huge, &c);
}

ATOMICS_TEST(crowd_one_page)
{
	crowd(_metadata, self->dev, variant->huge, 1);
}

ATOMICS_TEST(crowd_many_pages)
{
	crowd(_metadata, self->dev, variant->huge, 20);
}

/* The data may go to the devices: there, too, only one at a time adds. */
ATOMICS_TEST(crowd_that_moves_data)
{
	struct contest c = { .pages = 1, .rounds = 100 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		enter(&c, &self->dev[0]);
		enter(&c, &self->dev[1]);
	}
	enter(&c, NULL);
	c.buf = make(_metadata, variant->huge);
	fight(_metadata, &c);
	gt_free(c.buf, LEN);
}

/* Threads of one device share what one of them got: nobody takes it again. */
ATOMICS_TEST(threads_of_a_device)
{
	struct contest c = { .pages = 1, .rounds = 500, .inplace = true };
	long before = pages_taken(&self->dev[0]);
	unsigned int i;

	for (i = 0; i < 4; i++)
		enter(&c, &self->dev[0]);
	c.buf = make(_metadata, variant->huge);
	fight(_metadata, &c);
	TH_LOG("taken %ld times", pages_taken(&self->dev[0]) - before);
	EXPECT_GE(pages_taken(&self->dev[0]), before + 1);
	EXPECT_LE(pages_taken(&self->dev[0]), before + 4);
	gt_free(c.buf, LEN);
}

/* One adds and another one reads the same: both get on. */
ATOMICS_TEST(reader_device)
{
	struct contest c = { .pages = 1, .rounds = 300 };

	enter(&c, &self->dev[0]);
	enter(&c, &self->dev[1])->reads = true;
	fight_in_place(_metadata, self->dev, variant->huge, &c);
}

ATOMICS_TEST(reader_thread_of_the_device)
{
	struct contest c = { .pages = 1, .rounds = 300 };

	enter(&c, &self->dev[0]);
	enter(&c, &self->dev[0])->reads = true;
	fight_in_place(_metadata, self->dev, variant->huge, &c);
}

ATOMICS_TEST(reader_cpu)
{
	struct contest c = { .pages = 1, .rounds = 300 };

	enter(&c, &self->dev[0]);
	enter(&c, NULL)->reads = true;
	fight_in_place(_metadata, self->dev, variant->huge, &c);
}

/* ------------------------------------------------------------------- rights */

/* To write is not good enough; and the right is to one page. */
ATOMICS_TEST(upgrade)
{
	char *buf = make(_metadata, variant->huge), *page = buf + 5 * GT_PAGE;
	struct gt_dev *dev = &self->dev[0];
	struct gmem_mock_op op;
	__u64 value = *(__u64 *)page;
	long before;

	ASSERT_EQ(0, touch_in_place(dev, buf, LEN, true));
	EXPECT_EQ(NR_PAGES, pages_with(dev, buf, RW));
	before = pages_taken(dev);
	ASSERT_EQ(0, add_op(dev, &op, page, true));
	EXPECT_EQ(value, op.result);
	EXPECT_EQ(1, op.faults);
	EXPECT_EQ(GMEM_MOCK_DID_INPLACE, op.outcomes);
	EXPECT_EQ(before + 1, pages_taken(dev));
	EXPECT_EQ(RWA, right(dev, page));
	EXPECT_EQ(1, pages_with(dev, buf, RWA));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	/* Once is enough. */
	ASSERT_EQ(0, add_op(dev, &op, page + 8, true));
	EXPECT_EQ(0, op.faults);
	/* The others are for everybody. */
	ASSERT_EQ(0, touch_in_place(dev, buf, LEN, true));
	EXPECT_EQ(NR_PAGES - 1, pages_with(dev, buf, RW));
	EXPECT_EQ(1, pages_with(dev, buf, RWA));
	EXPECT_EQ(before + 1, pages_taken(dev));
	EXPECT_EQ(value + 1, gt_load((__u64 *)page));
	gt_free(buf, LEN);
}

/* A CPU that reads gets the value, and the page back: the device has it no more. */
ATOMICS_TEST(given_back)
{
	char *buf = make(_metadata, variant->huge);
	struct gt_dev *dev = &self->dev[0];
	unsigned int i;

	for (i = 0; i < NR_PAGES; i += 3) {
		__u64 *word = (__u64 *)(buf + i * GT_PAGE), value = *word;

		ASSERT_EQ(0, add(dev, word));
		EXPECT_EQ(RWA, right(dev, word));
		EXPECT_EQ(value + 1, gt_load(word));
		EXPECT_EQ(0, right(dev, word));
		gt_store(word, value);
		EXPECT_EQ(0, right(dev, word));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

/* Another device that makes use of it takes it away, in whatever way. */
ATOMICS_TEST(taken_by_another)
{
	char *buf = make(_metadata, variant->huge);
	struct gt_dev *a = &self->dev[0], *b = &self->dev[1];
	__u64 value = *(__u64 *)buf;

	ASSERT_EQ(0, add(a, buf));
	ASSERT_EQ(0, add(b, buf));
	EXPECT_EQ(0, right(a, buf));
	EXPECT_EQ(RWA, right(b, buf));
	ASSERT_EQ(0, add(a, buf));
	EXPECT_EQ(RWA, right(a, buf));
	EXPECT_EQ(0, right(b, buf));
	/* Reading beside it does not. */
	ASSERT_EQ(0, touch_in_place(b, buf + GT_PAGE, LEN - GT_PAGE, false));
	EXPECT_EQ(RWA, right(a, buf));
	EXPECT_EQ(0, right(b, buf));
	EXPECT_EQ(RW, right(b, buf + GT_PAGE));
	ASSERT_EQ(0, touch_in_place(b, buf, 8, false));
	EXPECT_EQ(0, right(a, buf));
	EXPECT_EQ(value + 3, gt_load((__u64 *)buf));
	gt_free(buf, LEN);
}

/* On the device, whoever may write may do this, too. */
ATOMICS_TEST(resident)
{
	char *buf = make(_metadata, variant->huge);
	struct gt_dev *dev = &self->dev[0];
	__u64 value = *(__u64 *)buf;
	long before = pages_taken(dev);
	struct gmem_mock_op op;

	ASSERT_EQ(0, add_op(dev, &op, buf, false));
	EXPECT_EQ(value, op.result);
	EXPECT_EQ(GMEM_MOCK_DID_MIGRATE, op.outcomes);
	EXPECT_TRUE(gt_all_on(buf, LEN, dev->hnid));
	EXPECT_EQ(NR_PAGES, pages_with(dev, buf, RWA));
	EXPECT_EQ(before, pages_taken(dev));
	EXPECT_EQ(value + 1, gt_load((__u64 *)buf));
	EXPECT_EQ(0, right(dev, buf));
	gt_store((__u64 *)buf, value);
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

/* What another device has for itself in place can move, when it may. */
ATOMICS_TEST(moves_from_another)
{
	char *buf = make(_metadata, variant->huge);
	struct gt_dev *a = &self->dev[0], *b = &self->dev[1];
	__u64 value = *(__u64 *)buf;
	struct gmem_mock_op op;
	unsigned int i;

	ASSERT_EQ(0, add(a, buf));
	/* A page that is busy at that moment stays: it is not for good. */
	for (i = 0; i < 50 && gt_node(buf) != b->hnid; i++) {
		if (i)
			gt_load((__u64 *)buf);
		ASSERT_EQ(0, add_op(b, &op, buf, false));
		EXPECT_EQ(value + 1 + i, op.result);
		EXPECT_EQ(0, right(a, buf));
		EXPECT_EQ(RWA, right(b, buf));
	}
	EXPECT_EQ(b->hnid, gt_node(buf));
	ASSERT_EQ(0, add(a, buf));
	EXPECT_EQ(value + i + 2, gt_load((__u64 *)buf));
	gt_store((__u64 *)buf, value);
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

/* A page that is pinned cannot move; it can be taken from the CPUs. */
ATOMICS_TEST(pinned)
{
	struct contest c = { .pages = 1, .rounds = 200 };
	struct holder h = { .len = LEN };
	struct gmem_mock_op op;
	long before = pages_taken(&self->dev[0]);
	__u64 *copy = malloc(LEN);

	ASSERT_NE(NULL, copy);
	c.buf = make(_metadata, variant->huge);
	h.buf = c.buf;
	ASSERT_EQ(0, pins_to_write.hold(&h));
	ASSERT_EQ(0, add_op(&self->dev[0], &op, c.buf, false));
	EXPECT_EQ(GMEM_MOCK_DID_INPLACE, op.outcomes);
	EXPECT_EQ(before + 1, pages_taken(&self->dev[0]));
	EXPECT_TRUE(gt_all_on(c.buf, LEN, GT_HOME));
	/* The holder goes past the page table, and sees what there is. */
	ASSERT_EQ(0, pins_to_write.see(&h, copy));
	EXPECT_EQ(RWA, right(&self->dev[0], c.buf));
	EXPECT_EQ(op.result + 1, copy[0]);
	enter(&c, NULL);
	enter(&c, &self->dev[0]);
	fight(_metadata, &c);
	EXPECT_TRUE(gt_all_on(c.buf, LEN, GT_HOME));
	pins_to_write.drop(&h);
	gt_free(c.buf, LEN);
	free(copy);
}

/*
 * The device is full, and works on several words of a block by turns: a try to move
 * one leaves it the others.
 */
ATOMICS_TEST(neighbours)
{
	struct gt_dev *dev = &self->dev[0];
	char *full = gt_alloc(dev->mem_bytes, true);
	char *buf = make(_metadata, false);
	struct gmem_mock_op op;
	unsigned int i, n;
	long before;

	ASSERT_NE(NULL, full);
	gt_pattern(full, dev->mem_bytes, 1);
	ASSERT_EQ(0, gt_to_device(dev, full, dev->mem_bytes));
	before = pages_taken(dev);
	for (n = 0; n < 20; n++)
		for (i = 0; i < 5; i++)
			ASSERT_EQ(0, add_op(dev, &op, buf + 3 * i * GT_PAGE,
					    false));
	EXPECT_EQ(before + 5, pages_taken(dev));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(RWA, right(dev, buf + 3 * i * GT_PAGE));
	gt_free(buf, LEN);
	gt_free(full, dev->mem_bytes);
}

/* --------------------------------------------- devices that need none of it */

FIXTURE(host_atomics)
{
	struct gt_dev dev[GT_MAX_DEVS];
	unsigned int nr;
};

FIXTURE_SETUP(host_atomics)
{
	ASSERT_EQ(0, gt_set_engine("cpu"));
	self->nr = open_all(self->dev, true);
	ASSERT_GE(self->nr, 2) TH_LOG("needs two accelerators");
}

FIXTURE_TEARDOWN_PARENT(host_atomics)
{
	gt_expect_quiet(_metadata);
}

TEST_F_TIMEOUT(host_atomics, in_place, TIMEOUT)
{
	struct contest c = { .pages = 1, .rounds = 300, .inplace = true };
	long before = pages_taken(&self->dev[0]);
	struct gt_dev *dev = &self->dev[0];

	c.buf = make(_metadata, true);
	ASSERT_EQ(0, add(dev, c.buf));
	EXPECT_EQ(NR_PAGES, pages_with(dev, c.buf, RWA));
	/* A CPU takes nothing away. */
	gt_store((__u64 *)c.buf, 0);
	EXPECT_EQ(RWA, right(dev, c.buf));
	enter(&c, NULL);
	enter(&c, dev);
	enter(&c, &self->dev[1]);
	fight(_metadata, &c);
	EXPECT_EQ(before, pages_taken(dev));
	gt_free(c.buf, LEN);
}

TEST_F_TIMEOUT(host_atomics, shared, TIMEOUT)
{
	__u64 *word = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, word);
	ASSERT_EQ(0, add(&self->dev[0], word));
	ASSERT_EQ(0, add(&self->dev[1], word));
	EXPECT_EQ(2, gt_load(word));
	munmap(word, GT_PAGE);
}

TEST_HARNESS_MAIN
